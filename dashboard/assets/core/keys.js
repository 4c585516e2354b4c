/* The dialog with all keys: opened by its button or by a question mark, closed by Escape, × or a click beside it. */
(function () {
  "use strict";

  const box = () => document.getElementById("keys");

  function toggle() {
    if (!box().open) {
      box().showModal();
      return;
    }
    box().close();
    // Until the browser lets go of a button that is hidden now, keys would still go there.
    if (box().contains(document.activeElement)) document.activeElement.blur();
  }

  document.addEventListener("click", event => {
    // A click beside an open dialog lands on the dialog itself, not on anything in it.
    if (event.target.closest("[data-keys]") || event.target === box()) toggle();
  });

  document.addEventListener("keydown", event => {
    if (event.key !== "?" || event.ctrlKey || event.metaKey || event.altKey || !box()) return;
    if (event.target.closest("input:not([type=range]), textarea, select, dialog:not(#keys)")) return;
    event.preventDefault();
    toggle();
  });
})();
