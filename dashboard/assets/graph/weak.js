/* Weak edges are hidden at once, here in the browser; the server only remembers the limit. */
(function () {
  "use strict";

  const MOST = 30;
  /* Where a layer has a thousand channels, the strongest accounts for two or three percent. */
  const STEP = 0.5;

  /* What is left of a drawing: the units reached from the target along edges that are not hidden, those edges, and what
     they account for of the gross attribution of an expanded unit that is left, on average; `whole` is what all edges do,
     `most` what the strongest of them does, in percent. */
  function strong({ nodes, edges }, limit) {
    const into = new Map();
    edges.forEach(edge => {
      if (!into.has(edge.target)) into.set(edge.target, []);
      into.get(edge.target).push(edge);
    });
    const byId = new Map(nodes.map(node => [node.id, node]));
    const waiting = nodes.filter(node => node.root).map(node => node.id);
    const units = new Set(waiting);
    const lines = new Set();
    let [kept, whole, expanded, most] = [0, 0, 0, 0];
    while (waiting.length) {
      const id = waiting.pop();
      if (byId.get(id).gross) expanded += 1;
      for (const edge of into.get(id) || []) {
        whole += edge.part / 100;
        most = Math.max(most, edge.part);
        if (edge.part < limit && !edge.residual) continue;
        kept += edge.part / 100;
        lines.add(edge);
        if (!units.has(edge.source)) {
          units.add(edge.source);
          waiting.push(edge.source);
        }
      }
    }
    return { units, lines, most, kept: expanded ? kept / expanded : 0, whole: expanded ? whole / expanded : 0 };
  }

  const percent = part => (part > 0 && part < 0.005 ? "< 1 %" : `${Math.round(100 * part)} %`);

  /* changed(): the limit is another one; said(limit): it is to be remembered; gives the number of the action. */
  function openWeak(changed, said) {
    const box = document.getElementById("weak-tool");
    const value = document.createElement("b");
    const range = Object.assign(document.createElement("input"), { type: "range", id: "weak", min: 0, max: MOST, step: STEP, value: 0 });
    range.setAttribute("aria-label", "Hide edges that account for less than this share of the unit above, in percent");
    box.append("Hide < ", value, range);
    const left = document.getElementById("weak-left");
    let number = 0;
    let held = false;
    const state = { limit: 0 };

    function take(limit) {
      state.limit = limit;
      range.value = limit;
      value.textContent = `${limit} %`;
      range.setAttribute("aria-valuetext", `${limit} %`);
    }

    range.addEventListener("input", () => {
      held = true;
      take(Number(range.value));
      changed();
    });
    range.addEventListener("change", () => {
      held = false;
      number = said(state.limit);
    });
    take(0);

    /* What the server remembers; not while a person is at it, nor from before they were. */
    state.remembered = (limit, seen) => {
      if (held || seen < number || limit === state.limit) return;
      take(limit);
    };
    state.tell = (found, hidden) => {
      left.hidden = !state.limit || !found.units.size;
      if (hidden && found.units.size === 1) {
        left.textContent = `All ${hidden} units below the target are hidden: its strongest edge accounts for ${found.most.toFixed(1)} %`;
        return;
      }
      const units = hidden ? ` (${hidden} unit${hidden === 1 ? "" : "s"})` : "";
      left.textContent = `Under ${state.limit} % hidden${units}: on average ${percent(found.kept)} of a unit's gross attribution ` +
        `is shown (of ${percent(found.whole)})`;
    };
    return state;
  }

  window.circuits = Object.assign(window.circuits || {}, { openWeak, strong });
})();
