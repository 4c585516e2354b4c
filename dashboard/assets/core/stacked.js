/* Where the panes stand one under the other, what a press brings up is scrolled into sight. */
(function () {
  "use strict";

  const STACKED = matchMedia("(max-width: 700px)");
  /* What actions bring up, by the id of the element in which it stands. */
  const BRINGS = {
    page: "middle", hold: "middle", swap: "middle", select: "unit", edge: "unit", unit: "unit", channel: "unit", score: "unit",
  };

  function bring(element, block = "start") {
    if (STACKED.matches) element.scrollIntoView({ block });
  }

  /* A key that moves through the graph leaves the window where it is. */
  let pressed = null;
  document.addEventListener("click", event => { pressed = event.target; }, true);
  document.addEventListener("keydown", () => { pressed = null; }, true);

  let awaited = null;
  const { send, follow } = window.circuits;

  function sendAndBring(kind, payload = {}) {
    const number = send(kind, payload);
    // What is chosen from the left pane is shown in the graph.
    const brings = kind === "select" && pressed && pressed.closest(".pane.left") ? "middle" : BRINGS[kind];
    if (pressed && brings && !(kind === "select" && !payload.unit)) awaited = { number, brings };
    return number;
  }

  follow(view => {
    if (!awaited || view.seen < awaited.number) return;
    bring(document.getElementById(awaited.brings));
    awaited = null;
  });

  Object.assign(window.circuits, { send: sendAndBring, bring });
})();
