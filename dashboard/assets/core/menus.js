/* Menus that drop down from a button: one is open at most, arrow keys go through it, and Escape closes it. */
(function () {
  "use strict";

  const open = () => document.querySelector("details.menu[open]");

  function shut(menu, focus = false) {
    if (!menu) return;
    menu.open = false;
    if (focus) menu.querySelector("summary").focus();
  }

  document.addEventListener("click", event => {
    const summary = event.target.closest("details.menu > summary");
    if (summary && summary.getAttribute("aria-disabled") === "true") event.preventDefault();
    document.querySelectorAll("details.menu[open]").forEach(menu => { if (!menu.contains(event.target)) shut(menu); });
  });

  // What sends an action is done with its menu.
  document.addEventListener("click", event => {
    const item = event.target.closest(".network .menu-item");
    if (item) shut(item.closest("details.menu"), true);
  });

  document.addEventListener("focusin", event => { if (open() && !open().contains(event.target)) shut(open()); });

  document.addEventListener("keydown", event => {
    const menu = open();
    if (!menu) return;
    if (event.key === "Escape") shut(menu, true);
    else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && menu.contains(event.target)) {
      const items = Array.from(menu.querySelectorAll(".menu-item"));
      const step = event.key === "ArrowDown" ? 1 : -1;
      const from = items.indexOf(document.activeElement);
      items[from < 0 ? (step > 0 ? 0 : items.length - 1) : (from + step + items.length) % items.length].focus();
    } else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);

  Object.assign(window.circuits, { shut });
})();
