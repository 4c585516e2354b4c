/* The circuit as real buttons over one svg of edges, with keyboard.

   The server says which units there are, in which order; this file draws them and turns clicks and keys into actions.
   What it is made of: `arrange.js` says where units go, `units.js` and `lines.js` draw, `bands.js` names the layers,
   `sight.js` pans and zooms, `minimap.js` shows the whole, `drag.js` moves units, `weak.js` hides weak edges, `keys.js`
   and `tools.js` hear keys and buttons, and `merge.js` brings what the server says. */
(function () {
  "use strict";

  const { SIDE, WORDS, STEP } = window.circuits;
  const HALF = SIDE / 2;
  /* How far the veil reaches beyond the units, and how many of them are many: then nothing glides. */
  const FAR = 400;
  const MANY = 200;
  /* Where panes lie one under the other. */
  const send = (kind, payload) => window.circuits.send(kind, payload);
  const make = className => Object.assign(document.createElement("div"), { className });

  /* The rows, with the columns that units stand in: lines that skip a row cross it between these. */
  let crossed = [];
  let data = { drawing: "", circuit: "", nodes: [], edges: [], rows: [], selected: "", edge: [], busy: [], seen: 0, weak: 0 };
  let byId = new Map();
  let left = new Set();
  let told = [];
  let focused = "";
  let lit = "";
  /* The limit under which edges are hidden, the shape of the window, and where the mouse was. */
  let limit = 0;
  let shape = [0, 0];
  let mouse = "";
  /* Number of the action after which the target takes the focus. */
  let awaited = 0;
  let stage, sight, units, lines, bands, drag, weak, map, keys, veil, drawSets;
  const arrangement = window.circuits.openArrangement();
  /* Where a person has put units, until the server has it: by id, with the number of the action. */
  const moved = new Map();

  /* ---- where things are ---- */

  const seen = () => data.nodes.filter(node => left.has(node.id));

  /* [left, top, right, bottom] of some units. */
  function box(nodes) {
    const places = nodes.map(node => byId.get(node.id));
    const xs = places.map(node => node.x);
    const ys = places.map(node => node.y);
    return [Math.min(...xs) - STEP / 2, Math.min(...ys) - HALF, Math.max(...xs) + STEP / 2, Math.max(...ys) + HALF + WORDS];
  }

  function fit() {
    if (!left.size) return;
    sight.glide();
    sight.fit(box(seen()));
  }

  /* Places for all units that are shown; again: whatever their places were. Gives whether they are other ones. */
  function arrange(again = false) {
    // While another page is shown there is no room to arrange for; it is done again as soon as there is.
    if (!stage.clientWidth) shape = [0, 0];
    const shown = new Set(seen().map(node => node.layer));
    name(data.rows.filter(row => shown.has(row.layer)));
    limit = weak.limit;
    const found = arrangement.arrange([...byId.values()], left, sight.pane(), { circuit: data.circuit, limit, again });
    byId = new Map([...byId].map(([id, node]) => [id, { ...node, x: undefined, ...found.places.get(id) }]));
    byId.forEach((node, id) => { if (left.has(id)) units.move(id, node); });
    crossed = found.rows;
    lines.arrange();
    bands.place(crossed);
    cover();
    settle();
    return found;
  }

  /* The names of the layers; what they need of the window. */
  function name(rows) {
    const wide = bands.draw(rows, () => left.has(data.selected) && units.button(data.selected).focus());
    sight.view.gutter = wide ? wide + 12 : 0;
    stage.style.setProperty("--gutter", `${sight.view.gutter}px`);
  }

  /* What has changed under the mouse is not what it was put on: nothing is set off before it moves again. */
  function settle() {
    light("");
    units.enlarge("");
  }

  /* The window has another shape. */
  function reshape() {
    const now = [stage.clientWidth, stage.clientHeight];
    const same = Math.abs(now[0] - shape[0]) < 8 && Math.abs(now[1] - shape[1]) < 8;
    if (!now[0] || same || !data.nodes.length) {
      sight.apply();
      return;
    }
    shape = now;
    arrange(true);
    if (sight.view.touched) sight.apply();
    else fit();
  }

  function chart() {
    if (!left.size) return;
    const places = seen().map(({ id }) => [byId.get(id).x, byId.get(id).y, id === data.selected]);
    const room = [sight.view.gutter - 13, stage.clientHeight / 3];
    const high = map.draw(places, SIDE, { whole: box(seen()), seen: sight.seen(), room });
    bands.seenFrom(sight.view, stage.clientHeight - high);
    lines.seenFrom(sight.view.zoom, data.nodes.length > MANY);
  }

  function cover() {
    if (!left.size) return;
    const [x0, y0, x1, y1] = box(seen());
    Object.assign(veil.style, { left: `${x0 - FAR}px`, top: `${y0 - FAR}px`, width: `${x1 - x0 + 2 * FAR}px`, height: `${y1 - y0 + 2 * FAR}px` });
  }

  function move(id, place) {
    byId.set(id, { ...byId.get(id), x: place.x, y: place.y });
    units.move(id, place);
    lines.follow(id);
  }

  const focus = id => units.button(id).focus({ preventScroll: true });

  function drop(id, { x, y }) {
    const number = send("lock", { unit: id, x, y });
    moved.set(id, { x, y, number });
  }

  /* Sets off the edges of a unit, or of the selected one, and veils all but the unit and its neighbours if asked to.
     A unit below says what it accounts for of the unit that is lit; without one, the most that it does of any. */
  function light(id, veils = false) {
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
    units.raise(lit && veils ? near : new Set());
    stage.classList.toggle("dims", Boolean(lit) && veils);
  }

  /* ---- weak edges ---- */

  function hide() {
    const found = window.circuits.strong(data, weak.limit);
    left = found.units;
    units.leave(left);
    lines.leave(found.lines);
    window.circuits.explain(data);
    weak.tell(found, data.nodes.length - left.size);
    rove();
  }

  /* Another limit: the gaps are closed. */
  function limited() {
    hide();
    arrange();
    if (sight.view.touched) sight.apply();
    else fit();
  }

  /* ---- events ---- */

  const under = event => event.target.closest(".unit");
  const named = event => (under(event) ? under(event).dataset.id : "");

  /* Marked at once; what the server says of it follows. One thing is chosen at a time, a unit or an edge. */
  function choose(id, edge = null) {
    data = { ...data, selected: id, edge: edge ? [edge.lower, edge.upper] : [] };
    units.choose(id, data.busy);
    lines.choose(data.edge.join(" "));
    light(lit);
    chart();
    if (edge) send("edge", edge);
    else send("select", { unit: id });
  }

  function click(event) {
    const id = named(event);
    if (id && event.target.closest(".pin")) send("release", { unit: id });
    else if (id && event.target.closest(".alike")) keys.fold(id);
    else if (id && event.target.closest(".plus")) send("expand", { unit: id });
    else if (id && (event.shiftKey || event.ctrlKey || event.metaKey)) send("mark", { unit: id });
    else if (id) choose(id);
    else if (lines.at(event)) choose("", lines.at(event));
  }

  /* A mouse that rests while things change under it points at nothing. */
  function point(event) {
    const now = `${event.clientX} ${event.clientY}`;
    if (now === mouse || event.pointerType === "touch") return;
    mouse = now;
    const id = event.buttons ? "" : named(event);
    if (id === lit && stage.classList.contains("dims") === Boolean(id)) return;
    light(id, true);
    const { left: from, top, right } = stage.getBoundingClientRect();
    const { zoom, gutter } = sight.view;
    units.enlarge(id, 0.65 + 0.7 / Math.min(1, zoom), { left: from + gutter, top, right });
  }

  /* As large as the window shows all of it, with the places that this gives. */
  function refit() {
    arrange(true);
    fit();
  }

  function listen() {
    stage.addEventListener("pointermove", point);
    stage.addEventListener("pointerleave", settle);
    stage.addEventListener("focusin", event => {
      if (!named(event)) return;
      focused = named(event);
      rove();
      if (under(event).matches(":focus-visible")) light(focused);
      if (byId.get(focused).x !== undefined) sight.reveal(box([byId.get(focused)]));
    });
    stage.addEventListener("focusout", () => light(""));
    stage.addEventListener("click", click);
    stage.addEventListener("dblclick", event => {
      if (named(event) && !event.target.closest(".pin, .alike, .plus")) send("expand", { unit: named(event) });
    });
    new ResizeObserver(reshape).observe(stage);
  }

  function begin() {
    if (stage) return true;
    stage = document.getElementById("graph");
    if (!stage) return false;
    const { openUnits, openLines, openBands, openWindow, openDrag, openKeys, openMap, openSets, openTools, openWeak } = window.circuits;
    const world = make("world");
    const names = make("bands");
    units = openUnits(world);
    bands = openBands(names.appendChild(make("labels")), HALF, HALF + WORDS);
    lines = openLines(id => byId.get(id), focus, edge => choose("", edge), () => crossed);
    veil = make("veil");
    world.append(lines.svg, lines.over, veil);
    stage.append(world, names);
    const small = Object.assign(document.createElement("canvas"), { className: "minimap", hidden: true });
    small.setAttribute("aria-hidden", "true");
    names.append(small);
    sight = openWindow(stage, world, chart);
    map = openMap(small, (x, y) => sight.centre(x, y));
    drag = openDrag(stage, () => sight.view.zoom, id => byId.get(id), move, drop);
    drawSets = openSets(document.getElementById("sets"));
    weak = openWeak(limited, limit => send("set", { weak: Number(limit) }));
    keys = openKeys({
      node: id => byId.get(id), nodes: () => data.nodes, left: () => [...left].map(id => byId.get(id)),
      // The unit that a key is about, and the one that the arrows start from.
      chosen: () => (left.has(data.selected) ? data.selected : ""), start: first,
      heard: () => data.page === "circuit" && left.size > 0, lines, drag, focus, drop, fit: refit, zoomBy: sight.zoomBy,
    });
    openTools({ look: units.lookAt, foldAll: keys.foldAll, fit: refit, zoomBy: sight.zoomBy });
    listen();
    return true;
  }

  /* ---- drawing ---- */

  /* One stop for Tab: the unit that had the focus last, else the selected one, else the first. */
  function first() {
    return [focused, data.selected].find(id => left.has(id)) || (data.nodes.length ? data.nodes[0].id : "");
  }

  const rove = () => units.stopAt(first());

  /* What a person has moved stays where they put it until the server has heard of it. */
  function placed(nodes) {
    moved.forEach((place, id) => { if (data.seen >= place.number) moved.delete(id); });
    const place = node => (moved.has(node.id) ? [moved.get(node.id).x, moved.get(node.id).y] : node.place);
    // Until they are arranged, units are where they were.
    const where = ({ id }) => (({ x, y }) => ({ x, y }))(byId.get(id) || {});
    byId = new Map(nodes.map(node => [node.id, { ...node, ...where(node), place: place(node) }]));
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
      stage.classList.toggle("many", data.nodes.length > MANY);
    }
    units.choose(data.selected, data.busy);
    units.mark(data.marked);
    drawSets(data.sets, data.marked);
    lines.choose(data.edge.join(" "));
    hide();
    if (again || limit !== weak.limit) look(before, arrange());
    else {
      light(lit, stage.classList.contains("dims"));
      chart();
    }
    // The unit that had the focus may just have been discarded.
    if (typing && !stage.contains(document.activeElement) && left.has(data.selected)) units.button(data.selected).focus();
    answer();
  }

  /* Fits the window to another circuit. One that has grown stays where it is, as long as what is new is seen. */
  function look(before, { another, moved: anew }) {
    const had = new Set(before.nodes.map(node => node.id));
    const news = seen().filter(node => !had.has(node.id));
    if (another || (anew && !sight.view.touched)) fit();
    else sight.apply();
    if (!another && news.length) {
      const fresh = new Set(news.map(node => node.id));
      sight.reveal(box(news));
      // Together with the unit that was expanded.
      const above = data.edges.some(edge => edge.target === data.selected && fresh.has(edge.source));
      if (above && left.has(data.selected)) sight.reveal(box([byId.get(data.selected)]));
    }
    if (another && data.nodes.length) window.circuits.bring(stage, "center");
  }

  /* The target takes the focus once it is drawn, unless something else has taken it meanwhile. */
  function answer() {
    if (!awaited || data.seen < awaited || data.asking || !left.size) return;
    awaited = 0;
    const root = data.nodes.find(node => node.root).id;
    if (document.activeElement === document.body) focus(root);
  }

  const focusTarget = number => { awaited = number; };

  /* Ids of the units of which something is on the screen. */
  function unitsSeen() {
    if (data.page !== "circuit" || !left.size) return [];
    const [x0, y0, x1, y1] = sight.seen();
    const there = ({ x, y }) => x + HALF > x0 && x - HALF < x1 && y + HALF > y0 && y - HALF < y1;
    return seen().map(({ id }) => id).filter(id => there(byId.get(id)));
  }

  /* What units show, and how many stand in a line at most. */
  function shows() {
    const lines = new Map();
    seen().forEach(({ id }) => {
      const { y, locked } = byId.get(id);
      if (!locked) lines.set(y, (lines.get(y) || 0) + 1);
    });
    return { look: document.querySelector("#look [aria-pressed=true]").dataset.look, wrap: Math.max(1, ...lines.values()) };
  }

  /* tiles: by id, those that changed. */
  const show = tiles => Object.keys(tiles).forEach(unit => units.show(unit, tiles[unit]));

  window.circuits = Object.assign(window.circuits || {}, { openGraph: begin, drawGraph: draw, showTiles: show, graphShows: shows, unitsSeen, focusTarget });
})();
