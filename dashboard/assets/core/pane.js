/* The right pane begins at its top whenever another unit or edge is chosen. */
(function () {
  "use strict";

  let before = "";

  window.circuits.follow(view => {
    const outside = view.status && view.status.outside;
    const now = [view.selected, ...view.edge, outside ? outside.unit : ""].join(" ");
    const pane = document.getElementById("unit");
    if (pane && now !== before) pane.scrollTop = 0;
    before = now;
  });
})();
