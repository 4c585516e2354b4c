/* The edges of the circuit: a line for each, and over it a wide one that is not seen, for the mouse.

   An edge is a button in the svg: pressed it is chosen, and with the keyboard it is reached from a unit. */
(function () {
  "use strict";

  const SVG = "http://www.w3.org/2000/svg";
  const HALF = 48;
  const make = name => document.createElementNS(SVG, name);

  /* unit(id): its place and data; focus(id): give a unit the focus; send(kind, subject): what a person did. */
  function openLines(unit, focus, send) {
    const svg = make("svg");
    svg.setAttribute("class", "edges");
    svg.setAttribute("role", "group");
    svg.setAttribute("aria-label", "Edges");
    const lines = new Map();
    let far = false;

    function newLine(name) {
      const [group, title, path, wide] = ["g", "title", "path", "path"].map(make);
      group.setAttribute("class", "edge");
      group.setAttribute("role", "button");
      group.setAttribute("tabindex", "-1");
      group.dataset.edge = name;
      path.setAttribute("class", "line");
      wide.setAttribute("class", "wide");
      group.append(title, path, wide);
      svg.append(group);
      const line = { group, title, path, wide };
      lines.set(name, line);
      return line;
    }

    /* From under the upper unit's words, which are not shown from afar, to the lower unit's picture. */
    function place({ edge, path, wide }) {
      const upper = unit(edge.target);
      const lower = unit(edge.source);
      if (!upper || !lower) return;
      const y0 = upper.y + HALF + (far ? 2 : 54);
      const y1 = lower.y - HALF - 3;
      const bend = Math.max(28, (y1 - y0) / 2);
      const way = `M${upper.x},${y0}C${upper.x},${y0 + bend} ${lower.x},${y1 - bend} ${lower.x},${y1}`;
      path.setAttribute("d", way);
      wide.setAttribute("d", way);
    }

    function drawLine(edge, chosen) {
      const name = `${edge.source} ${edge.target}`;
      const line = lines.get(name) || newLine(name);
      const { group } = line;
      line.edge = edge;
      group.style.setProperty("--strength", edge.strength);
      group.style.setProperty("--width", edge.width);
      group.classList.toggle("inhibits", edge.inhibits);
      group.classList.toggle("chosen", name === chosen);
      group.setAttribute("aria-pressed", String(name === chosen));
      group.setAttribute("aria-label", edge.spoken);
      line.title.textContent = edge.spoken;
      place(line);
      return name;
    }

    /* edges: all that are to be seen; chosen: [lower, upper] or []. */
    function draw(edges, chosen) {
      const kept = new Set(edges.map(edge => drawLine(edge, chosen.join(" "))));
      lines.forEach((line, name) => {
        if (kept.has(name)) return;
        line.group.remove();
        lines.delete(name);
      });
    }

    function seenFrom(isFar) {
      if (far === isFar) return;
      far = isFar;
      lines.forEach(place);
    }

    /* Sets off a unit's edges; told(edge) is called for each. */
    function light(id, dims, told) {
      lines.forEach(({ edge, group }) => {
        const touches = edge.source === id || edge.target === id;
        if (touches) told(edge);
        group.classList.toggle("dim", dims && !touches);
        group.classList.toggle("lit", touches);
      });
    }

    /* The lines into a unit, or out of it, from left to right. */
    function of(id, end) {
      const other = end === "target" ? "source" : "target";
      const found = [...lines.values()].filter(line => line.edge[end] === id);
      return found.sort((a, b) => unit(a.edge[other]).x - unit(b.edge[other]).x);
    }

    function enter(id) {
      const first = of(id, "target")[0] || of(id, "source")[0];
      if (first) first.group.focus();
    }

    /* Enter chooses the line, left and right go to its neighbours, up and down to its units. */
    function key(event) {
      const line = lines.get(under(event));
      if (!line) return false;
      const beside = of(line.edge.target, "target");
      const step = { ArrowRight: 1, ArrowLeft: beside.length - 1 }[event.key];
      if (event.key === "Enter" || event.key === " ") send("edge", under(event));
      else if (event.key === "ArrowUp") focus(line.edge.target);
      else if (event.key === "ArrowDown") focus(line.edge.source);
      else if (step !== undefined) beside[(beside.indexOf(line) + step) % beside.length].group.focus();
      else return false;
      return true;
    }

    /* The name of the edge that an event happened to, or "". */
    function under(event) {
      const group = event.target.closest(".edge");
      return group ? group.dataset.edge : "";
    }

    return { svg, draw, seenFrom, light, enter, key, under };
  }

  window.circuits = Object.assign(window.circuits || {}, { openLines });
})();
