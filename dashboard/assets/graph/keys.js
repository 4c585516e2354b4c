/* The keys of the graph: they count wherever no field has the focus. */
(function () {
  "use strict";

  const NEAR = window.circuits.SIDE / 2;
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const FIELDS = "input, textarea, select, dialog, details.menu[open], [contenteditable]";
  const send = (kind, payload) => window.circuits.send(kind, payload);

  /* graph: `node(id)`, `nodes()` and those that are shown, `left()`; the unit that keys are about, `chosen()`, and that
     arrows start from, `start()`; whether keys are heard, `heard()`; and what they do. */
  function openKeys(graph) {
    const { node, lines, drag, drop, focus, fit, zoomBy } = graph;

    function neighbour(from, [across, down]) {
      let best = "";
      let least = Infinity;
      graph.left().forEach(({ id, x, y }) => {
        const [dx, dy] = [x - from.x, y - from.y];
        const ahead = across ? Math.abs(dy) < NEAR && Math.sign(dx) === across : Math.sign(Math.round(dy)) === down;
        const distance = Math.abs(dx) + 3 * Math.abs(dy);
        if (id !== from.id && ahead && distance < least) [best, least] = [id, distance];
      });
      return best;
    }

    function fold(id) {
      const { folded, alike, strongest, label } = node(id);
      if (folded) send("unfold", { units: [id] });
      else if (alike) send("fold", { units: [strongest] });
      else window.circuits.toast({ text: `No other unit here fires in nearly the same places as ${label}.` });
    }

    function foldAll() {
      const groups = new Set(graph.nodes().filter(each => each.alike && !each.folded).map(each => each.strongest));
      if (groups.size) send("fold", { units: [...groups] });
      else window.circuits.toast({ text: "No units here fire in nearly the same places, or all that do are folded." });
    }

    function pin(id) {
      if (node(id).place) send("release", { unit: id });
      else drop(id, node(id));
    }

    const ON_UNIT = {
      e: (id, event) => (event.shiftKey ? send("level", { layer: id }) : send("expand", { unit: id })),
      c: id => send("collapse", { unit: id }),
      f: fold,
      l: id => lines.enter(id),
      m: id => send("mark", { unit: id }),
      p: pin,
      x: id => send("discard", { unit: id }),
      delete: id => send("discard", { unit: id }),
    };

    function press(event, id) {
      const does = id && ON_UNIT[event.key.toLowerCase()];
      if (event.key === "+" || event.key === "=") zoomBy(1.2);
      else if (event.key === "-") zoomBy(1 / 1.2);
      else if (event.key === "0") fit();
      else if (does) does(id, event);
      else if (ARROWS[event.key]) {
        const next = neighbour(node(id || graph.start()), ARROWS[event.key]);
        if (next) focus(next);
      } else return;
      event.preventDefault();
    }

    /* On the unit that has the focus, or else on the selected one. */
    function key(event) {
      if (event.defaultPrevented || event.target.closest(FIELDS) || !graph.heard()) return;
      const unit = event.target.closest(".unit");
      if (unit && drag.key(event, unit.dataset.id)) event.preventDefault();
      else if (event.ctrlKey || event.metaKey || event.altKey) return;
      else if (lines.key(event)) event.preventDefault();
      else press(event, unit ? unit.dataset.id : graph.chosen());
    }

    document.addEventListener("keydown", key);
    return { fold, foldAll };
  }

  window.circuits = Object.assign(window.circuits || {}, { openKeys });
})();
