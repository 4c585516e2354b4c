/* The circuit as real buttons over one svg of edges, with keyboard.

   The server says where every unit goes; this file draws it and turns clicks and keys into actions. What it is made of:
   `units.js` and `lines.js` draw, `bands.js` names the layers, `sight.js` pans and zooms, `drag.js` moves units,
   `weak.js` hides weak edges, and `merge.js` brings what the server says. */
(function () {
  "use strict";

  const HALF = 48;
  /* How far the veil reaches beyond the units, and how many of them are many: then nothing glides. */
  const FAR = 400;
  const MANY = 200;
  const LOOK = "circuits-look";
  const send = (kind, payload) => window.circuits.send(kind, payload);
  const make = className => Object.assign(document.createElement("div"), { className });

  let data = { drawing: "", circuit: "", nodes: [], edges: [], rows: [], selected: "", edge: [], busy: [], seen: 0, weak: 0 };
  let byId = new Map();
  let left = new Set();
  let told = [];
  let focused = "";
  let roof = 0;
  let lit = "";
  let stage, sight, units, lines, bands, drag, weak, veil;
  /* Where a person has put units, until the server has it: by id, with the number of the action. */
  const moved = new Map();

  /* ---- where things are ---- */

  const seen = () => data.nodes.filter(node => left.has(node.id));

  /* [left, top, right, bottom] of some units. */
  function box(nodes) {
    const places = nodes.map(node => byId.get(node.id));
    const xs = places.map(node => node.x);
    const ys = places.map(node => node.y);
    const side = HALF + 8;
    return [Math.min(...xs) - side, Math.min(...ys) - side, Math.max(...xs) + side, Math.max(...ys) + HALF + 50];
  }

  function fit() {
    if (left.size) sight.fit(box(seen()));
  }

  function cover() {
    if (!data.nodes.length) return;
    const [x0, y0, x1, y1] = box(data.nodes);
    Object.assign(veil.style, { left: `${x0 - FAR}px`, top: `${y0 - FAR}px`, width: `${x1 - x0 + 2 * FAR}px`, height: `${y1 - y0 + 2 * FAR}px` });
  }

  function neighbour(from, [across, down]) {
    let best = null;
    let least = Infinity;
    left.forEach(id => {
      const node = byId.get(id);
      const dx = node.x - from.x;
      const dy = node.y - from.y;
      const ahead = across ? Math.abs(dy) < HALF && Math.sign(dx) === across : Math.sign(Math.round(dy)) === down;
      const distance = Math.abs(dx) + 3 * Math.abs(dy);
      if (id !== from.id && ahead && distance < least) {
        least = distance;
        best = node;
      }
    });
    return best;
  }

  function move(id, place) {
    byId.set(id, { ...byId.get(id), x: place.x, y: place.y });
    units.move(id, place);
    lines.follow(id);
  }

  function drop(id, { x, y }) {
    const number = send("lock", { unit: id, x, y });
    moved.set(id, { x, y, number });
  }

  /* Veils all but a unit and its neighbours; with no unit, the selected one's edges are set off.
     A unit below says what it holds of the unit that is lit; without one, what it holds at most of any. */
  function light(id) {
    lit = byId.has(id) ? id : "";
    const shown = lit || data.selected;
    const near = new Set([shown]);
    told.forEach(units.tellOwn);
    told = [];
    lines.light(shown, edge => {
      near.add(edge.source).add(edge.target);
      if (edge.target !== shown) return;
      units.tell(edge.source, edge.share, edge.inhibits);
      told.push(edge.source);
    });
    units.raise(lit ? near : new Set());
    stage.classList.toggle("dims", Boolean(lit));
  }

  /* ---- weak edges ---- */

  /* The words over the graph may have become longer; a window that nobody has moved makes room for them. */
  function unroof() {
    const now = document.querySelector(".story").offsetHeight;
    if (now !== roof && !sight.view.touched) fit();
    roof = now;
  }

  function hide() {
    const found = window.circuits.strong(data, weak.limit);
    left = found.units;
    units.leave(left);
    lines.leave(found.lines);
    bands.leave(new Set(seen().map(node => node.layer)));
    weak.tell(found, data.nodes.length - left.size);
    unroof();
    rove();
    light(lit);
  }

  /* ---- events ---- */

  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const under = event => event.target.closest(".unit");
  const named = event => (under(event) ? under(event).dataset.id : "");

  function fold(id) {
    const node = byId.get(id);
    if (node.folded) send("unfold", { units: [id] });
    else if (node.alike) send("fold", { units: [node.strongest] });
    else window.circuits.toast({ text: `No other unit here fires in nearly the same places as ${node.label}.` });
  }

  function foldAll() {
    const groups = new Set(data.nodes.filter(node => node.alike && !node.folded).map(node => node.strongest));
    if (groups.size) send("fold", { units: [...groups] });
    else window.circuits.toast({ text: "No units here fire in nearly the same places, or all that do are folded." });
  }

  function pin(id) {
    const node = byId.get(id);
    if (node.pinned) send("release", { unit: id });
    else drop(id, node);
  }

  function key(event) {
    const id = named(event);
    if (id && drag.key(event, id)) event.preventDefault();
    else if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest(".band")) return;
    else if (lines.key(event)) event.preventDefault();
    else press(event, id);
  }

  const ON_UNIT = {
    e: (id, event) => (event.shiftKey ? send("level", { layer: id }) : send("expand", { unit: id })),
    c: id => send("collapse", { unit: id }),
    f: fold,
    l: id => lines.enter(id),
    p: pin,
    x: id => send("discard", { unit: id }),
    delete: id => send("discard", { unit: id }),
  };

  function press(event, id) {
    const does = id && ON_UNIT[event.key.toLowerCase()];
    if (event.key === "+" || event.key === "=") sight.zoomBy(1.2);
    else if (event.key === "-") sight.zoomBy(1 / 1.2);
    else if (event.key === "0") fit();
    else if (does) does(id, event);
    else if (id && ARROWS[event.key]) {
      const next = neighbour(byId.get(id), ARROWS[event.key]);
      if (next) units.button(next.id).focus({ preventScroll: true });
    } else return;
    event.preventDefault();
  }

  /* Marked at once; what the server says of it follows. */
  function choose(id) {
    data = { ...data, selected: id, edge: [] };
    units.choose(id, data.busy);
    lines.choose("");
    light(lit);
    send("select", { unit: id });
  }

  function click(event) {
    const id = named(event);
    if (id && event.target.closest(".pin")) send("release", { unit: id });
    else if (id && event.target.closest(".alike")) fold(id);
    else if (id) choose(id);
    else if (lines.under(event)) send("edge", lines.under(event));
  }

  /* What all units show: their picture, their patch of the photo, or their heat map. */
  function lookAt(look) {
    sessionStorage.setItem(LOOK, look);
    units.lookAt(look);
    document.querySelectorAll("#look button").forEach(button => {
      button.setAttribute("aria-pressed", String(button.dataset.look === look));
    });
  }

  function listen() {
    stage.addEventListener("mouseover", event => { if (named(event) !== lit) light(named(event)); });
    stage.addEventListener("mouseleave", () => light(""));
    stage.addEventListener("focusin", event => {
      if (!named(event)) return;
      focused = named(event);
      rove();
      if (under(event).matches(":focus-visible")) light(focused);
      sight.reveal(byId.get(focused));
    });
    stage.addEventListener("focusout", () => light(""));
    stage.addEventListener("click", click);
    stage.addEventListener("dblclick", event => {
      if (named(event) && !event.target.closest(".pin, .alike")) send("expand", { unit: named(event) });
    });
    stage.addEventListener("keydown", key);
    lookAt(sessionStorage.getItem(LOOK) || "picture");
    document.addEventListener("click", event => {
      const menu = event.target.closest(".menu.from-left .menu-item") && event.target.closest("details");
      if (menu) {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
      const tool = event.target.closest("[data-zoom], [data-graph], [data-look]");
      if (!tool) return;
      if (tool.dataset.look) lookAt(tool.dataset.look);
      else if (tool.dataset.graph) foldAll();
      else if (tool.dataset.zoom === "fit") fit();
      else sight.zoomBy(Number(tool.dataset.zoom));
    });
    new ResizeObserver(() => { if (sight.view.touched) sight.apply(); else fit(); }).observe(stage);
  }

  function begin() {
    if (stage) return true;
    stage = document.getElementById("graph");
    if (!stage) return false;
    const { openUnits, openLines, openBands, openWindow, openDrag, openWeak } = window.circuits;
    const world = make("world");
    const names = make("bands");
    units = openUnits(world);
    bands = openBands(names);
    lines = openLines(id => byId.get(id), id => units.button(id).focus({ preventScroll: true }), send);
    veil = make("veil");
    world.append(lines.svg, lines.over, veil);
    stage.append(world, names);
    sight = openWindow(stage, world, () => {
      lines.seenFrom(sight.view.far);
      bands.seenFrom(sight.view);
    });
    drag = openDrag(stage, () => sight.view.zoom, id => byId.get(id), move, drop);
    weak = openWeak(hide, limit => send("set", { weak: Number(limit) }));
    listen();
    return true;
  }

  /* ---- drawing ---- */

  /* One stop for Tab: the unit that had the focus last, else the selected one, else the first. */
  function rove() {
    const first = data.nodes.length ? data.nodes[0].id : "";
    units.stopAt(left.has(focused) ? focused : left.has(data.selected) ? data.selected : first);
  }

  /* What a person has moved stays where they put it until the server has heard of it. */
  function placed(nodes) {
    moved.forEach((place, id) => { if (data.seen >= place.number) moved.delete(id); });
    byId = new Map(nodes.map(node => [node.id, { ...node, ...moved.get(node.id) }]));
  }

  /* fresh: the view, with its drawing; tiles: what the units show, by id. */
  function draw(fresh, tiles) {
    const before = data;
    const typing = stage.contains(document.activeElement);
    const again = fresh.drawing !== before.drawing || moved.size > 0;
    data = fresh;
    weak.remembered(data.weak, data.seen);
    if (again) {
      placed(data.nodes);
      units.draw([...byId.values()], tiles);
      lines.draw(data.edges);
      cover();
      stage.classList.toggle("many", data.nodes.length > MANY);
      bands.draw(data.rows, () => left.has(data.selected) && units.button(data.selected).focus());
    }
    units.choose(data.selected, data.busy);
    lines.choose(data.edge.join(" "));
    hide();
    // The unit that had the focus may just have been discarded.
    if (typing && !stage.contains(document.activeElement) && left.has(data.selected)) units.button(data.selected).focus();
    if (again) look(before);
  }

  /* Fits the window to another circuit, or to a larger one if nobody has moved it. */
  function look(before) {
    const grown = before.nodes.length !== data.nodes.length;
    if (before.circuit !== data.circuit || (grown && !sight.view.touched)) fit();
    else sight.apply();
    if (grown && sight.view.touched && left.has(data.selected)) sight.reveal(byId.get(data.selected));
  }

  /* tiles: by id, those that changed. */
  const show = tiles => Object.keys(tiles).forEach(unit => units.show(unit, tiles[unit]));

  window.circuits = Object.assign(window.circuits || {}, { openGraph: begin, drawGraph: draw, showTiles: show });
})();
