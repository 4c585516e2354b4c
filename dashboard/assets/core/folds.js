/* Sections of the right pane that somebody folded away stay so, although the server makes the pane anew. */
(function () {
  "use strict";

  const folded = new Set();

  document.addEventListener("click", event => {
    const heading = event.target.closest("#unit details[id] > summary");
    if (!heading) return;
    const section = heading.parentElement;
    // The click has not yet opened or closed it.
    if (section.open) folded.add(section.id);
    else folded.delete(section.id);
  });

  function fold() {
    folded.forEach(id => {
      const section = document.getElementById(id);
      if (section && section.open) section.open = false;
    });
  }

  let watched = null;

  window.circuits.follow(() => {
    const pane = document.getElementById("unit");
    if (!pane || watched === pane) return;
    watched = pane;
    new MutationObserver(fold).observe(pane, { childList: true, subtree: true });
  });
})();
