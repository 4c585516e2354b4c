/* The panes at the sides can be folded away, and the middle can have the whole screen. */
(function () {
  "use strict";

  const KEPT = "circuits-folded";
  const page = () => document.querySelector(".page");
  const button = which => document.querySelector(`[data-fold="${which}"]`);
  const folded = which => page().classList.contains(`no-${which}`);

  function fold(which, away) {
    page().classList.toggle(`no-${which}`, away);
    button(which).setAttribute("aria-pressed", String(away));
    sessionStorage.setItem(KEPT, ["left", "right"].filter(folded).join(" "));
  }

  /* Both panes away, and the browser's own bars too where it lets a page do that. */
  function whole() {
    const on = !(folded("left") && folded("right"));
    for (const which of ["left", "right"]) fold(which, on);
    if (on) document.documentElement.requestFullscreen().catch(() => 0);
    else if (document.fullscreenElement) document.exitFullscreen();
  }

  document.addEventListener("click", event => {
    const pressed = event.target.closest("[data-fold]");
    if (!pressed) return;
    const which = pressed.dataset.fold;
    if (which === "both") whole();
    else fold(which, !folded(which));
  });

  document.addEventListener("fullscreenchange", () => {
    if (!document.fullscreenElement) for (const which of ["left", "right"]) fold(which, false);
  });

  let begun = false;
  window.circuits.follow(() => {
    if (begun) return;
    begun = true;
    (sessionStorage.getItem(KEPT) || "").split(" ").filter(Boolean).forEach(which => fold(which, true));
  });
})();
