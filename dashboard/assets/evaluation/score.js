/* How good the circuit is: the button that asks for it, and the curve: an SVG that an element carries as data-curve,
   because Dash makes no SVG elements. */
(function () {
  "use strict";

  function draw(box) {
    const page = new DOMParser().parseFromString(box.dataset.curve, "text/html");
    box.replaceChildren(page.body.firstElementChild);
    box.drawn = box.dataset.curve;
  }

  function drawAll() {
    document.querySelectorAll("[data-curve]").forEach(box => { if (box.drawn !== box.dataset.curve) draw(box); });
  }

  let watching = false;
  window.circuits.follow(view => {
    document.getElementById("how-good").hidden = !view.circuit || view.means;
    const pane = document.getElementById("unit-evidence");
    if (watching || !pane) return;
    watching = true;
    // Dash makes the pane after the scripts have heard of the view.
    new MutationObserver(drawAll).observe(pane, { childList: true, subtree: true, attributeFilter: ["data-curve"] });
    drawAll();
  });
})();
