/* Help. A dialog, opened by its button or by a question mark, closed by Escape, × or a click beside it; and the first
   steps in the right pane, until somebody has put them away in this browser. */
(function () {
  "use strict";

  const SEEN = "circuits-first-steps";
  const box = () => document.getElementById("help");

  if (!localStorage.getItem(SEEN)) document.documentElement.dataset.firstSteps = "";

  function putAway() {
    localStorage.setItem(SEEN, "seen");
    delete document.documentElement.dataset.firstSteps;
    document.getElementById("unit").focus(); // the button is gone, and keys would go nowhere
  }

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
    const button = event.target.closest("[data-help]");
    if (button?.dataset.help === "got-it") putAway();
    // A click beside an open dialog lands on the dialog itself, not on anything in it.
    else if (button || event.target === box()) toggle();
  });

  document.addEventListener("keydown", event => {
    if (event.key !== "?" || event.ctrlKey || event.metaKey || event.altKey || !box()) return;
    if (event.target.closest("input:not([type=range]), textarea, select, dialog:not(#help)")) return;
    event.preventDefault();
    toggle();
  });
})();
