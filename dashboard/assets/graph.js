/* The circuit as real buttons over one svg of edges, with keyboard.

   The server says where every unit goes; this file draws it, keeps elements by id across updates, and turns
   clicks and keys into actions. Row labels live in screen space so that they stay readable at any zoom. */
(function () {
  "use strict";

  const HALF = 48;
  const send = (kind, subject) => window.circuits.send(kind, subject);
  const make = (name, className) => {
    const element = document.createElement(name);
    element.className = className;
    return element;
  };

  const buttons = new Map();
  let data = { nodes: [], edges: [], rows: [], selected: "", edge: [] };
  let byId = new Map();
  let stage = null;
  let world = null;
  let sight = null;
  let lines = null;
  let bands = null;
  let focused = "";
  let lit = "";

  /* ---- where things are ---- */

  function fit() {
    if (!data.nodes.length) return;
    const xs = data.nodes.map(node => node.x);
    const ys = data.nodes.map(node => node.y);
    const side = HALF + 8;
    sight.fit([Math.min(...xs) - side, Math.min(...ys) - side, Math.max(...xs) + side, Math.max(...ys) + HALF + 50]);
  }

  function moved() {
    lines.seenFrom(sight.view.far);
    const { y, zoom } = sight.view;
    bands.childNodes.forEach((label, index) => {
      const row = data.rows[index];
      if (!row) return;
      const middle = y + ((row.y + row.bottom) / 2) * zoom;
      label.style.transform = `translateY(${Math.round(middle)}px) translateY(-50%)`;
    });
  }

  function neighbour(from, [across, down]) {
    let best = null;
    let least = Infinity;
    data.nodes.forEach(node => {
      const dx = node.x - from.x;
      const dy = node.y - from.y;
      const ahead = across ? Math.abs(dy) < 1 && Math.sign(dx) === across : Math.sign(Math.round(dy)) === down;
      const distance = Math.abs(dx) + 3 * Math.abs(dy);
      if (ahead && distance < least) {
        least = distance;
        best = node;
      }
    });
    return best;
  }

  /* Dims all but a unit and its neighbours; with no unit, the selected one's edges are set off.
     A unit below says what it holds of the unit that is lit; without one, what it holds at most of any. */
  function light(id) {
    lit = byId.has(id) ? id : "";
    const shown = lit || data.selected;
    const near = new Set([shown]);
    data.nodes.forEach(node => say(node.id, node.share, node.inhibits));
    lines.light(shown, Boolean(lit), edge => {
      near.add(edge.source).add(edge.target);
      if (edge.target === shown) say(edge.source, edge.share, edge.inhibits);
    });
    buttons.forEach((button, name) => button.classList.toggle("dim", Boolean(lit) && !near.has(name)));
  }

  function say(id, share, inhibits) {
    const button = buttons.get(id);
    button.lastChild.textContent = share;
    button.classList.toggle("inhibits", inhibits);
  }

  /* ---- events ---- */

  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const under = event => event.target.closest(".unit");
  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const id = under(event) && under(event).dataset.id;
    if (lines.key(event)) event.preventDefault();
    else press(event, id);
  }

  function press(event, id) {
    if (event.key === "+" || event.key === "=") sight.zoomBy(1.2);
    else if (event.key === "-") sight.zoomBy(1 / 1.2);
    else if (event.key === "0") fit();
    else if (id && event.key === "e") send("expand", id);
    else if (id && event.key === "l") lines.enter(id);
    else if (id && (event.key === "x" || event.key === "Delete")) send("discard", id);
    else if (id && ARROWS[event.key]) {
      const next = neighbour(byId.get(id), ARROWS[event.key]);
      if (next) buttons.get(next.id).focus({ preventScroll: true });
    } else return;
    event.preventDefault();
  }

  function listen() {
    stage.addEventListener("mouseover", event => light(under(event) ? under(event).dataset.id : ""));
    stage.addEventListener("mouseleave", () => light(""));
    stage.addEventListener("focusin", event => {
      if (!under(event)) return;
      focused = under(event).dataset.id;
      rove();
      if (under(event).matches(":focus-visible")) light(focused);
      sight.reveal(byId.get(focused));
    });
    stage.addEventListener("focusout", () => light(""));
    stage.addEventListener("click", event => {
      if (under(event)) send("select", under(event).dataset.id);
      else if (lines.under(event)) send("edge", lines.under(event));
    });
    stage.addEventListener("dblclick", event => { if (under(event)) send("expand", under(event).dataset.id); });
    stage.addEventListener("keydown", key);
    document.addEventListener("click", event => {
      const tool = event.target.closest("[data-zoom]");
      if (!tool) return;
      if (tool.dataset.zoom === "fit") fit();
      else sight.zoomBy(Number(tool.dataset.zoom));
    });
    new ResizeObserver(() => { if (sight.view.touched) sight.apply(); else fit(); }).observe(stage);
  }

  function begin() {
    if (stage) return true;
    stage = document.getElementById("graph");
    if (!stage) return false;
    world = make("div", "world");
    bands = make("div", "bands");
    const focus = id => buttons.get(id).focus({ preventScroll: true });
    lines = window.circuits.openLines(id => byId.get(id), focus, send);
    world.append(lines.svg);
    stage.append(world, bands);
    sight = window.circuits.openWindow(stage, world, moved);
    listen();
    return true;
  }

  /* ---- drawing ---- */

  /* One stop for Tab: the unit that had the focus last, else the selected one, else the first. */
  function rove() {
    const first = data.nodes.length ? data.nodes[0].id : "";
    const stop = byId.has(focused) ? focused : byId.has(data.selected) ? data.selected : first;
    buttons.forEach((button, id) => { button.tabIndex = id === stop ? 0 : -1; });
  }

  function newUnit(id) {
    const button = make("button", "unit new");
    button.type = "button";
    button.dataset.id = id;
    const image = make("img", "");
    image.alt = "";
    image.decoding = "async";
    image.draggable = false;
    const frame = make("span", "frame");
    frame.append(image);
    button.append(frame, make("span", "shown"), make("span", "name"), make("span", "share"));
    world.append(button);
    buttons.set(id, button);
    requestAnimationFrame(() => button.classList.remove("new"));
    return button;
  }

  function drawUnit(node) {
    const button = buttons.get(node.id) || newUnit(node.id);
    button.style.transform = `translate(${node.x - HALF - 4}px,${node.y - HALF}px)`;
    const [frame, covered, name] = button.children;
    const image = frame.firstChild;
    if (!node.picture) image.removeAttribute("src");
    else if (image.getAttribute("src") !== node.picture) {
      // One picture takes another's place at once, without a blank between.
      image.decoding = image.hasAttribute("src") ? "sync" : "async";
      image.src = node.picture;
    }
    frame.dataset.state = node.state;
    frame.style.setProperty("--drawn", node.drawn);
    name.textContent = node.label;
    covered.textContent = node.shown ? `▾ ${node.shown}` : "";
    button.title = node.said ? `${node.title}\n${node.said}` : node.title;
    button.setAttribute("aria-label", node.said ? `${node.spoken}, ${node.said}` : node.spoken);
    button.setAttribute("aria-pressed", String(node.id === data.selected));
    button.classList.toggle("selected", node.id === data.selected);
    for (const flag of ["root", "expanded", "busy"]) button.classList.toggle(flag, node[flag]);
  }

  function drawBand(row) {
    const label = make("div", "band");
    const detail = make("span", "detail");
    detail.textContent = row.detail;
    label.append(row.layer, detail);
    label.title = row.title;
    return label;
  }

  function draw(fresh) {
    const before = data;
    const typing = stage.contains(document.activeElement);
    data = fresh;
    byId = new Map(data.nodes.map(node => [node.id, node]));
    buttons.forEach((button, id) => {
      if (byId.has(id)) return;
      button.remove();
      buttons.delete(id);
    });
    data.nodes.forEach(drawUnit);
    lines.draw(data.edges, data.edge);
    bands.replaceChildren(...data.rows.map(drawBand));
    rove();
    light(lit);
    // The unit that had the focus may just have been discarded.
    if (typing && !stage.contains(document.activeElement) && byId.has(data.selected)) buttons.get(data.selected).focus();
    const grown = before.nodes.length !== data.nodes.length;
    if (before.circuit !== data.circuit || (grown && !sight.view.touched)) fit();
    else sight.apply();
    if (grown && sight.view.touched && byId.has(data.selected)) sight.reveal(byId.get(data.selected));
  }

  /* ---- merging: the view of the last action, and what the poll has found since ---- */

  let asked = "";

  function refine(node) {
    const figure = document.querySelector("#unit figure.unfinished");
    if (!figure) return;
    const image = figure.querySelector("img");
    if (image.getAttribute("src") !== node.picture) {
      image.src = node.picture;
      figure.querySelector("figcaption").textContent = node.said;
    }
    figure.style.setProperty("--drawn", node.drawn);
  }

  function render(shown, progress) {
    const nothing = window.dash_clientside.no_update;
    if (!shown || !begin()) return [true, nothing, nothing, nothing, true, true, true];
    window.circuits.acknowledge(shown.seen);
    const newer = Boolean(progress) && progress.session === shown.session && progress.at >= shown.status.at;
    const status = newer ? progress : shown.status;
    const tiles = newer ? progress.tiles : {};
    const nodes = shown.nodes.map(node => ({ ...node, ...tiles[node.id] }));
    draw({ ...shown, nodes });
    window.circuits.showToasts(status.toasts);
    const overtaken = newer && progress.revision > shown.revision;
    const chosen = byId.get(shown.selected);
    const known = shown.nodes.find(node => node.id === shown.selected);
    // The pane of the chosen unit is made by the server; only while its picture is being drawn is it changed here.
    const found = newer && progress.evidence !== shown.status.evidence;
    const other = Boolean(chosen) && chosen.state !== known.state;
    if (chosen && chosen.state === "drawing") refine(chosen);
    const wish = [shown.revision, status.revision, shown.selected, chosen && chosen.state, status.evidence].join();
    if ((overtaken || other || found) && asked !== wish) {
      asked = wish;
      if (overtaken || other) send("refresh");
      else send("look", String(shown.revision));
    }
    return [!status.live && !status.looking, status.text, String(status.done), String(Math.max(1, status.total)), !status.live,
      !status.can_cancel, !status.can_resume];
  }

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.graph = { render };
})();
