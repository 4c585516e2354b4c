/* The edges of the circuit: a line for each, and over it a wide one that is not seen, for the mouse.

   An edge is a button in the svg: pressed it is chosen, and with the keyboard it is reached from a unit. One that inhibits
   ends in a bar at the upper unit; dashes say that the measured ablation disagrees with the attribution, and a sign at
   the upper end of a line (± or ∫) that something else about it is doubtful. */
(function () {
  "use strict";

  const SVG = "http://www.w3.org/2000/svg";
  const { SIDE, STEP, WORDS } = window.circuits;
  const HALF = SIDE / 2;
  /* Of the words under a unit, with the label that hangs over its picture, in pixels of the screen. */
  const HEIGHT = 42;
  /* Where lines arrive under the upper unit: so far from one another, over at most so much. */
  const APART = 17;
  const OVER = 88;
  const make = (name, className) => {
    const element = document.createElementNS(SVG, name);
    if (className) element.setAttribute("class", className);
    return element;
  };

  /* As much of that in a gap of a band that they cross. */
  const SPREAD = 0.15;

  /* The nearest place to a wanted one where a line crosses a band, between two of its columns or beside them all. */
  function gapIn(columns, wanted) {
    const beside = columns.flatMap(column => [column - STEP / 2, column + STEP / 2]);
    const free = [wanted, ...beside].filter(x => columns.every(column => Math.abs(x - column) >= STEP / 2));
    return free.reduce((best, x) => {
      const [far, other] = [Math.abs(best - wanted), Math.abs(x - wanted)];
      return other < far || (other === far && x < best) ? x : best;
    });
  }

  /* unit(id): its place and data; focus(id): give a unit the focus; press(ends): an edge is chosen; bands(): from the
     top, { y, bottom, columns }. */
  function openLines(unit, focus, press, bands) {
    const svg = make("svg", "edges");
    svg.setAttribute("role", "group");
    svg.setAttribute("aria-label", "Edges");
    /* Lines that are set off are drawn again on top: of thousands, none has to be drawn anew. */
    const over = make("svg", "edges over");
    over.setAttribute("aria-hidden", "true");
    const lines = new Map();
    const touching = new Map();
    let lit = [];
    let pressed = "";
    /* How far below an upper unit's picture lines begin: under its words. */
    let under = WORDS;

    function newLine(name) {
      const [group, title, path, wide] = [make("g", "edge"), make("title"), make("path", "line"), make("path", "wide")];
      group.setAttribute("role", "button");
      group.setAttribute("tabindex", "-1");
      group.setAttribute("aria-pressed", "false");
      group.dataset.edge = name;
      group.append(title, path, wide);
      svg.append(group);
      const line = { name, group, title, path, wide, bar: null, mark: null, port: 0, room: APART, edge: null, way: "" };
      lines.set(name, line);
      return line;
    }

    /* From under the upper unit's words to the lower unit's picture; past other lines of their bands through the gaps
       between two columns, and so never through a picture or its words; so it does in bands that it skips. */
    function place(line) {
      const { edge, path, wide, bar, mark, port, room } = line;
      const upper = unit(edge.target);
      const lower = unit(edge.source);
      if (!upper || !lower || upper.x === undefined || lower.x === undefined) return;
      const [x0, y0] = [upper.x + port, upper.y + HALF + under];
      const y1 = lower.y - HALF - 3;
      const stops = [[x0, y0]];
      if (!upper.locked && upper.y < upper.bottom) stops.push(...gap(upper, lower, upper.y + HALF + WORDS + 8, upper.bottom + HALF + WORDS));
      const [x, y] = stops[stops.length - 1];
      bands().filter(band => upper.bottom < band.y && band.bottom < lower.top).forEach(band => {
        const part = ((band.y + band.bottom) / 2 - y) / (y1 - y);
        const across = gapIn(band.columns, x + part * (lower.x - x)) + SPREAD * port;
        stops.push([across, band.y - HALF], [across, band.bottom + HALF + WORDS]);
      });
      if (!lower.locked && lower.y > lower.top) stops.push(...gap(lower, { x: stops[stops.length - 1][0] }, lower.top - HALF, y1 - 5));
      stops.push([lower.x, y1]);
      const way = through(stops);
      if (way === line.way) return;
      line.way = way;
      path.setAttribute("d", way);
      wide.setAttribute("d", way);
      if (bar) {
        const half = Math.max(4, Math.min(9, room / 2 - 1));
        bar.setAttribute("d", `M${x0 - half},${y0}h${2 * half}`);
      }
      if (mark) {
        /* Where lines are apart, and no picture of another row is over them. */
        mark.setAttribute("x", x0);
        mark.setAttribute("y", y0 + 5);
      }
      if (line.over) trace(line);
    }

    /* Down a gap beside a unit, on the side of another one. */
    function gap(beside, other, from, to) {
      const x = beside.x + (other.x < beside.x ? -STEP : STEP) / 2;
      return [[x, from], [x, to]];
    }

    /* Curves that leave each stop downwards and arrive at the next one from above. */
    function through([[x0, y0], ...stops]) {
      let [way, x, y] = [`M${x0},${y0}`, x0, y0];
      stops.forEach(([toX, toY]) => {
        const bend = stops.length === 1 ? Math.max(28, (toY - y) / 2) : (toY - y) / 2;
        way += `C${x},${y + bend} ${toX},${toY - bend} ${toX},${toY}`;
        [x, y] = [toX, toY];
      });
      return way;
    }

    /* The copy of a line that is on top. */
    function trace(line) {
      line.over = line.over || make("g", "");
      line.over.setAttribute("class", `${line.group.getAttribute("class")} lit`);
      line.over.setAttribute("style", line.group.getAttribute("style"));
      line.over.dataset.copy = line.name;
      line.over.replaceChildren(...[line.path, line.bar, line.mark].filter(Boolean).map(part => part.cloneNode(true)));
      return line.over;
    }

    function setBar(line, inhibits) {
      if (inhibits === Boolean(line.bar)) return;
      line.way = "";
      if (inhibits) {
        line.bar = make("path", "bar");
        line.group.append(line.bar);
      } else {
        line.bar.remove();
        line.bar = null;
      }
    }

    function setMark(line, signs) {
      if (signs === (line.mark ? line.mark.textContent : "")) return;
      line.way = "";
      if (line.mark) line.mark.remove();
      line.mark = signs ? make("text", "mark") : null;
      if (!signs) return;
      line.mark.textContent = signs;
      line.group.append(line.mark);
    }

    function drawLine(edge) {
      const name = `${edge.source} ${edge.target}`;
      const line = lines.get(name) || newLine(name);
      const { group } = line;
      const said = JSON.stringify(edge);
      line.edge = edge;
      if (line.said === said) return line;
      line.said = said;
      group.style.setProperty("--strength", edge.strength);
      group.style.setProperty("--width", edge.width);
      group.classList.toggle("inhibits", edge.inhibits);
      group.classList.toggle("disagrees", edge.disagrees);
      group.classList.toggle("residual", edge.residual);
      group.setAttribute("aria-label", edge.spoken);
      line.title.textContent = edge.spoken;
      setBar(line, edge.inhibits);
      setMark(line, edge.marks);
      return line;
    }

    /* Lines arrive side by side, in the order of the units that they come from. */
    function spread() {
      const into = new Map();
      lines.forEach(line => {
        if (line.away) return;
        if (!into.has(line.edge.target)) into.set(line.edge.target, []);
        into.get(line.edge.target).push(line);
      });
      into.forEach(group => {
        const across = line => (unit(line.edge.source) || { x: 0 }).x;
        group.sort((a, b) => across(a) - across(b));
        const room = Math.min(APART, OVER / group.length);
        group.forEach((line, index) => Object.assign(line, { room, port: (index - (group.length - 1) / 2) * room }));
      });
    }

    /* edges: all that there are. */
    function draw(edges) {
      const kept = new Set(edges.map(drawLine));
      lines.forEach((line, name) => {
        if (kept.has(line)) return;
        line.group.remove();
        lines.delete(name);
      });
      touching.clear();
      lines.forEach(line => {
        for (const id of [line.edge.source, line.edge.target]) {
          if (!touching.has(id)) touching.set(id, []);
          touching.get(id).push(line);
        }
      });
      arrange();
    }

    /* A unit is being moved: its lines go along, at once. */
    function follow(id) {
      svg.classList.add("still");
      (touching.get(id) || []).forEach(place);
    }

    /* All units may have moved. */
    function arrange() {
      svg.classList.remove("still");
      spread();
      lines.forEach(place);
    }

    /* Words are as high on the screen at any zoom. Thousands of lines are not drawn again for that. */
    function seenFrom(zoom, many) {
      const now = many ? WORDS : Math.min(WORDS, Math.ceil(HEIGHT / zoom));
      if (now === under) return;
      under = now;
      svg.classList.add("still");
      lines.forEach(place);
    }

    /* name: `lower upper` of the chosen line, or "". */
    function choose(name) {
      if (name === pressed) return;
      for (const [each, on] of [[pressed, false], [name, true]]) {
        if (!lines.has(each)) continue;
        lines.get(each).group.classList.toggle("chosen", on);
        lines.get(each).group.setAttribute("aria-pressed", String(on));
        if (lines.get(each).over) trace(lines.get(each));
      }
      pressed = name;
    }

    /* left: the edges that are not hidden. */
    function leave(left) {
      lines.forEach(line => {
        const away = !left.has(line.edge);
        if (away !== Boolean(line.away)) line.group.classList.toggle("away", away);
        line.away = away;
      });
    }

    /* Sets off a unit's edges; told(edge) is called for each. */
    function light(id, told) {
      lit.forEach(line => { line.over = null; });
      lit = (touching.get(id) || []).filter(line => !line.away);
      over.replaceChildren(...lit.map(trace));
      lit.forEach(line => told(line.edge));
    }

    /* The lines into a unit, or out of it, from left to right. */
    function of(id, end) {
      const other = end === "target" ? "source" : "target";
      const found = (touching.get(id) || []).filter(line => line.edge[end] === id && !line.away);
      return found.sort((a, b) => unit(a.edge[other]).x - unit(b.edge[other]).x);
    }

    function enter(id) {
      const first = of(id, "target")[0] || of(id, "source")[0];
      if (first) first.group.focus();
    }

    /* Enter chooses the line, left and right go to its neighbours, up and down to its units. */
    function key(event) {
      const line = lines.get(named(event));
      if (!line) return false;
      const beside = of(line.edge.target, "target");
      const step = { ArrowRight: 1, ArrowLeft: beside.length - 1 }[event.key];
      if (event.key === "Enter" || event.key === " ") press(line.edge.chosen_as);
      else if (event.key === "ArrowUp") focus(line.edge.target);
      else if (event.key === "ArrowDown") focus(line.edge.source);
      else if (step !== undefined) beside[(beside.indexOf(line) + step) % beside.length].group.focus();
      else return false;
      return true;
    }

    function named(event) {
      const group = event.target.closest(".edge");
      return group ? group.dataset.edge : "";
    }

    /* The ends of the edge that an event happened to, as the server takes them; null if to none. */
    function at(event) {
      const line = lines.get(named(event));
      return line ? line.edge.chosen_as : null;
    }

    return { svg, over, draw, arrange, seenFrom, follow, choose, leave, light, enter, key, at };
  }

  window.circuits = Object.assign(window.circuits || {}, { openLines });
})();
