/* Every unit of a layer as a wall of pictures.

   The server says once what the units did (`wall/<key>.json`); sorting and filtering happen here. Which units are on the
   screen is posted to `wall/seen`, whose answer says how those look and puts their pictures first in the renderer's
   line; it is asked again while one of them is still missing. Nothing else of the page is sent for that. */
(function () {
  "use strict";

  /* Milliseconds until the server is asked again: for pictures, and for what units saw in the photo. */
  const AGAIN = 600;
  const SOON = 150;
  const SETTLE = 90;
  /* Rows above and below the screen that are drawn ahead. */
  const AHEAD = "160px";
  /* Tiles are asked for in whole groups, so that the renderer's batches stay the same while the wall is scrolled. */
  const GROUP = 4;
  const { ORDERS, make, openWall, newTile, zoomTile } = window.circuits.wallParts;

  let wall = null;
  let parts = {};
  let shown = null;
  let table = null;
  let tableAt = "";
  let failed = "";
  let page = "";
  let on = false;
  let paused = false;
  let tiles = {};
  let order = [];
  const buttons = new Map();
  const onScreen = new Set();
  let focused = -1;
  let timer = 0;
  let asked = 0;
  let wish = "";

  function begin() {
    if (wall) return true;
    wall = document.getElementById("wall");
    if (!wall) return false;
    parts = openWall(wall);
    listen();
    return true;
  }

  function listen() {
    parts.layer.addEventListener("change", () => window.circuits.send("wall-layer", { layer: parts.layer.value }));
    parts.order.addEventListener("click", event => {
      const button = event.target.closest("[data-order]");
      if (!button || button.getAttribute("aria-disabled") === "true") return;
      shown = { ...shown, order: button.dataset.order };
      arrange(true);
      window.circuits.send("wall-order", { order: button.dataset.order });
    });
    parts.filter.addEventListener("input", () => arrange(true));
    parts.filter.addEventListener("keydown", event => {
      if (event.key !== "Enter" && event.key !== "ArrowDown") return;
      event.preventDefault();
      if (order.length) go(order[0]);
    });
    parts.grid.addEventListener("click", event => {
      const button = event.target.closest(".unit-card");
      if (button) window.circuits.send("unit", { unit: name(Number(button.dataset.channel)) });
    });
    parts.grid.addEventListener("focusin", event => {
      const button = event.target.closest(".unit-card");
      if (!button) return;
      focused = Number(button.dataset.channel);
      rove();
      if (button.matches(":focus-visible")) zoom(button);
    });
    parts.grid.addEventListener("focusout", () => zoom(null));
    parts.grid.addEventListener("mouseover", event => zoom(event.target.closest(".unit-card")));
    parts.grid.addEventListener("mouseleave", () => zoom(null));
    parts.grid.addEventListener("scroll", () => {
      zoom(zoomed && zoomed.matches(":hover, :focus-visible") ? zoomed : null);
    }, { passive: true });
    parts.grid.addEventListener("keydown", key);
  }

  const name = channel => `${shown.layer}:${channel}`;

  /* ---- keys ---- */

  function across() {
    return Math.max(1, getComputedStyle(parts.grid).gridTemplateColumns.split(" ").length);
  }

  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = order.indexOf(focused);
    const row = across();
    const page = row * Math.max(1, Math.floor(parts.grid.clientHeight / 132) - 1);
    const step = {
      ArrowLeft: -1, ArrowRight: 1, ArrowUp: -row, ArrowDown: row, PageUp: -page, PageDown: page, Home: -at,
      End: order.length - 1 - at,
    }[event.key];
    if (event.key === "Escape") window.circuits.send("unit");
    if (step === undefined || at < 0) return;
    event.preventDefault();
    const next = at + step;
    const far = event.key.startsWith("Page") || next === order.length - 1;
    if (next >= 0 && next < order.length) go(order[next]);
    else if (far) go(order[next < 0 ? 0 : order.length - 1]);
  }

  function go(channel) {
    const button = buttons.get(channel);
    button.focus({ preventScroll: true });
    button.scrollIntoView({ block: "nearest" });
    if (button.matches(":focus-visible")) zoom(button);
  }

  /* One stop for Tab: the unit that had the focus last, else the chosen one, else the first. */
  function rove() {
    const chosen = shown.chosen.startsWith(`${shown.layer}:`) ? Number(shown.chosen.split(":").pop()) : -1;
    const stop = [focused, chosen].find(channel => order.includes(channel));
    const at = stop === undefined ? order[0] : stop;
    buttons.forEach((button, channel) => { button.tabIndex = channel === at ? 0 : -1; });
  }

  let zoomed = null;

  function zoom(button) {
    zoomed = button;
    zoomTile(parts.zoom, button);
  }

  /* ---- what the tiles say ---- */

  const silent = () => new Set(table ? table.silent : []);
  const called = channel => shown.names[channel] || shown.classes[channel] || `:${channel}`;

  function say(channel) {
    const button = buttons.get(channel);
    const [, title, facts] = button.children;
    title.textContent = called(channel);
    const here = table ? table.activations_said[channel] : "";
    const share = table && table.shares ? table.shares_said[channel] : "";
    facts.firstChild.textContent = here;
    facts.lastChild.textContent = share;
    facts.lastChild.className = "share" + (table && table.shares && table.shares[channel] < 0 ? " inhibits" : "");
    button.classList.toggle("silent", Boolean(table) && silentSet.has(channel));
    speak(channel);
  }

  const STATES = { waiting: "picture on its way", drawing: "still being drawn", none: "no picture", ready: "" };

  function speak(channel) {
    const button = buttons.get(channel);
    const state = tiles[channel];
    const own = called(channel);
    const words = [own.startsWith(":") ? name(channel) : `${own}, ${name(channel)}`];
    if (table) words.push(`activation ${table.activations_said[channel]} here`);
    if (table && table.shares) words.push(`${table.shares_said[channel]} of the attribution to ${shown.target}`);
    if (insideSet.has(channel)) words.push("in the circuit");
    const look = state && (state.said || STATES[state.state]);
    if (look) words.push(look);
    button.setAttribute("aria-label", words.join(", "));
    button.title = words.join("\n");
  }

  let silentSet = new Set();
  let insideSet = new Set();

  function look(channel) {
    const button = buttons.get(channel);
    const tile = tiles[channel] || { state: "unknown", picture: "", drawn: 0 };
    const frame = button.firstChild;
    const image = frame.firstChild;
    const shown = tile.picture || tile.patch;
    if (!shown) image.removeAttribute("src");
    else if (image.getAttribute("src") !== shown) image.src = shown;
    frame.dataset.shows = tile.picture ? "picture" : shown ? "patch" : "";
    frame.dataset.state = tile.state;
    frame.style.setProperty("--drawn", tile.drawn);
  }

  /* ---- the wall ---- */

  const watcher = new IntersectionObserver(entries => {
    entries.forEach(entry => {
      const channel = Number(entry.target.dataset.channel);
      if (entry.isIntersecting) onScreen.add(channel);
      else onScreen.delete(channel);
    });
    soon(SETTLE);
  }, { rootMargin: `${AHEAD} 0px` });

  function build() {
    const layer = shown.layers.find(each => each.name === shown.layer);
    watcher.disconnect();
    onScreen.clear();
    buttons.clear();
    tiles = {};
    focused = -1;
    for (let channel = 0; channel < layer.channels; channel++) buttons.set(channel, newTile(channel));
    parts.grid.scrollTop = 0;
  }

  function matches() {
    const text = parts.filter.value.trim().toLowerCase().replace(/^:/, "");
    if (!text) return () => true;
    if (/^\d+$/.test(text)) return channel => String(channel).startsWith(text);
    return channel => `${called(channel)} ${name(channel)}`.toLowerCase().includes(text);
  }

  /* Sorts and filters; with `top`, shows the beginning again. */
  function arrange(top) {
    const keep = matches();
    const by = table && { here: table.activations, attribution: table.shares }[shown.order];
    order = [...buttons.keys()].filter(keep);
    if (by) order.sort((a, b) => by[b] - by[a] || a - b);
    const held = parts.grid.contains(document.activeElement) ? document.activeElement : null;
    parts.grid.replaceChildren(...order.map(channel => buttons.get(channel)));
    if (held && held.isConnected) held.focus({ preventScroll: true });
    watcher.disconnect();
    onScreen.clear();
    order.forEach(channel => watcher.observe(buttons.get(channel)));
    if (top) parts.grid.scrollTop = 0;
    rove();
    frame();
  }

  function frame() {
    parts.order.querySelectorAll("[data-order]").forEach(button => {
      const kind = button.dataset.order;
      const reason = why(kind);
      button.setAttribute("aria-pressed", String(kind === shown.order));
      button.setAttribute("aria-disabled", String(Boolean(reason)));
      button.title = reason || ORDERS.find(each => each[0] === kind)[2];
    });
    parts.summary.textContent = summary();
    parts.grid.classList.toggle("with-facts", Boolean(table));
  }

  function why(kind) {
    if (kind === "number") return "";
    if (shown.why_not) return shown.why_not;
    if (kind === "attribution" && !shown.target) return "Press why? beside a class first; the units then have attributions to it.";
    if (kind === "attribution" && table && !table.shares) return "This layer lies above the target of the circuit.";
    return "";
  }

  function summary() {
    const words = [shown.layer, `${buttons.size} units`];
    if (table && table.silent.length) words.push(`${table.silent.length} silent in this photo`);
    if (table && shown.target && table.shares) words.push(`share of the attribution to ${shown.target}`);
    if (order.length !== buttons.size) words.push(order.length ? `${order.length} shown` : "no unit has this number or name");
    if (failed) words.push(failed);
    else if (shown.why_not) words.push(shown.why_not);
    else if (!table) words.push("computing their activations …");
    else if (!table.shares && shown.order === "attribution") words.push(`${why("attribution")} Sorted by number.`);
    return words.join(" · ");
  }

  /* ---- asking the server ---- */

  function soon(wait) {
    clearTimeout(timer);
    if (on) timer = setTimeout(ask, wait);
  }

  /* What is on the screen, in the order of the wall, widened to whole groups. */
  function visible() {
    const places = order.map((channel, place) => (onScreen.has(channel) ? place : -1)).filter(place => place >= 0);
    if (!places.length) return [];
    const first = Math.floor(places[0] / GROUP) * GROUP;
    const end = Math.ceil((places[places.length - 1] + 1) / GROUP) * GROUP;
    return order.slice(first, Math.min(end, first + 400));
  }

  async function ask() {
    if (!on || document.hidden) return soon(AGAIN * 3);
    const mine = ++asked;
    const layer = shown.layer;
    const channels = visible();
    let answer = null;
    try {
      const response = await fetch("wall/seen", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ session: window.circuits.session, layer, channels }),
      });
      if (response.ok) answer = await response.json();
    } catch (error) {
      answer = null;
    }
    if (mine !== asked || !on || layer !== shown.layer) return undefined;
    if (!answer) return soon(AGAIN * 5);
    paused = answer.paused;
    const changed = answer.failed !== failed;
    failed = answer.failed;
    take(answer.tiles);
    if (answer.table && answer.table !== tableAt) await fetchTable(answer.table);
    else if (!answer.table && tableAt) forgetTable();
    else if (changed) frame();
    const missing = channels.some(channel => ["waiting", "drawing"].includes((tiles[channel] || {}).state));
    // The status line follows the renderer only while the page's own clock runs.
    if (missing) window.dash_clientside.set_props("tick", { disabled: false });
    if (answer.more) soon(SOON);
    else if (missing || answer.coming || (!channels.length && order.length)) soon(AGAIN);
    return undefined;
  }

  function take(fresh) {
    Object.entries(fresh).forEach(([key, tile]) => {
      const channel = Number(key);
      const before = tiles[channel];
      if (!buttons.has(channel)) return;
      if (before && before.state === tile.state && before.picture === tile.picture && before.patch === tile.patch && before.drawn === tile.drawn) return;
      tiles[channel] = tile;
      look(channel);
      speak(channel);
    });
  }

  async function fetchTable(address) {
    let found = null;
    try {
      const response = await fetch(address);
      if (response.ok) found = await response.json();
    } catch (error) {
      found = null;
    }
    if (!found || found.layer !== shown.layer) return;
    tableAt = address;
    table = found;
    silentSet = silent();
    buttons.forEach((_, channel) => say(channel));
    arrange(false);
  }

  function forgetTable() {
    tableAt = "";
    table = null;
    silentSet = new Set();
    buttons.forEach((_, channel) => say(channel));
    arrange(false);
  }

  /* ---- what the server says of the wall as a whole, and the view ---- */

  function render(fresh) {
    if (!fresh || !begin()) return window.dash_clientside.no_update;
    const before = shown;
    shown = fresh;
    on = page === "layers";
    const same = before && before.network === fresh.network && JSON.stringify(before.layers) === JSON.stringify(fresh.layers);
    if (!same) {
      parts.layer.replaceChildren(...fresh.layers.map(layer => {
        const option = make("option", "", `${layer.name} · ${layer.channels}`);
        option.value = layer.name;
        return option;
      }));
    }
    parts.layer.value = fresh.layer;
    const other = !same || before.layer !== fresh.layer;
    if (other) {
      table = null;
      tableAt = "";
      failed = "";
      silentSet = new Set();
      build();
    }
    const named = other || JSON.stringify([before.names, before.inside]) !== JSON.stringify([fresh.names, fresh.inside]);
    insideSet = new Set(fresh.inside);
    if (named || before.target !== fresh.target) buttons.forEach((_, channel) => say(channel));
    if (other || before.order !== fresh.order || named) arrange(other);
    else frame();
    buttons.forEach((button, channel) => {
      const chosen = name(channel) === fresh.chosen;
      button.setAttribute("aria-pressed", String(chosen));
      button.classList.toggle("selected", chosen);
      button.classList.toggle("inside", insideSet.has(channel));
    });
    rove();
    soon(0);
    return window.dash_clientside.no_update;
  }

  /* The chosen unit's pane is made by the server; it is asked for again when that unit's picture is there. */
  function follow(view) {
    const was = on;
    page = view.page;
    on = page === "layers" && Boolean(shown);
    if (on && !was) soon(0);
    if (!on && parts.zoom) parts.zoom.hidden = true;
    if (on && paused && view.status.live) soon(0);
    const outside = view.status.tiles.outside;
    if (!outside || !view.outside || outside.state === view.outside.state) return;
    const next = `${view.outside.unit} ${view.revision} ${outside.state}`;
    if (wish === next || outside.state === "drawing") return;
    wish = next;
    window.circuits.send("refresh");
  }

  window.circuits.follow(follow);
  document.addEventListener("visibilitychange", () => { if (on && !document.hidden) soon(0); });
  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.wall = { render };
})();
