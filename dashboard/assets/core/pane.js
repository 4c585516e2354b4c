/* The right pane: it begins at its top whenever another unit or edge is chosen, and what the scripts add to it goes with
   what it shows.

   A view reaches the scripts some time after Dash has drawn the pane; on a busy machine a person can have typed a name
   by then, which would go to the unit that was chosen before. So the pane itself carries what these scripts need, and
   they are told in the same moment in which it changes. */
(function () {
  "use strict";

  let before = "";
  let watched = null;
  let heard = "";
  const followers = [];

  function tellPane() {
    const { chosen } = watched.dataset;
    if (!chosen || chosen === heard) return;
    heard = chosen;
    const told = JSON.parse(chosen);
    followers.forEach(follower => follower(told));
  }

  function watch(head) {
    watched = head;
    new MutationObserver(tellPane).observe(head, { attributes: true, attributeFilter: ["data-chosen"] });
    tellPane();
  }

  window.circuits.follow(view => {
    const outside = view.status && view.status.outside;
    const now = [view.selected, ...view.edge, outside ? outside.unit : ""].join(" ");
    const pane = document.getElementById("unit");
    if (pane && now !== before) pane.scrollTop = 0;
    before = now;
    const head = document.getElementById("unit-head");
    if (head && head !== watched) watch(head);
  });

  Object.assign(window.circuits, { followPane: follower => followers.push(follower) });
})();
