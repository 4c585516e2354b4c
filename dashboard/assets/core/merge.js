/* What the server says, put together: the view of the last action, what the poll has found since, and what is kept here.

   The server leaves out what this page has already. It is told what that is by the store `have`: the drawing of the
   circuit, the version of the tiles (what the units show) up to which all have come, and which units are on the screen,
   whose pictures are drawn first. */
(function () {
  "use strict";

  const KEPT = 4;
  /* Milliseconds between polls: while evidence is looked for somebody waits for it, pictures take longer anyway. */
  const [SOON, EVERY] = [150, 500];
  const drawings = new Map();
  const tiles = new Map();
  const have = { born: "", drawing: "", tiles: 0, seen: [], atlas: "" };
  let asked = "";
  let drawn = null;

  /* The view with its units, edges and rows; `null` if they were left out and are not here. */
  function whole(view) {
    if (view.nodes) {
      const { nodes, edges, rows } = view;
      drawings.set(view.drawing, { nodes, edges, rows });
      if (drawings.size > KEPT) drawings.delete(drawings.keys().next().value);
    }
    const drawing = drawings.get(view.drawing);
    return drawing ? { ...view, ...drawing } : null;
  }

  /* Takes in what units show; an answer that was overtaken by a later one says nothing new. */
  function learn(status) {
    if (status.born !== have.born) {
      tiles.clear();
      Object.assign(have, { born: status.born, drawing: "", tiles: 0, atlas: "" });
    }
    if (status.tiles_at < have.tiles) return {};
    have.tiles = status.tiles_at;
    Object.entries(status.tiles).forEach(([id, tile]) => tiles.set(id, tile));
    return status.tiles;
  }

  function tellServer(before) {
    have.seen = window.circuits.unitsSeen();
    const now = JSON.stringify(have);
    if (now !== before) window.dash_clientside.set_props("have", { data: { ...have } });
  }

  /* The large picture of a unit that is being drawn. */
  function refine(tile) {
    const figure = document.querySelector("#unit figure.unfinished");
    if (!figure) return;
    const image = figure.querySelector("img");
    if (image.getAttribute("src") !== tile.picture) {
      image.src = tile.picture;
      figure.querySelector("figcaption").textContent = tile.said;
    }
    figure.style.setProperty("--drawn", tile.drawn);
  }

  /* Asks for the view, or for what was found of the chosen unit, if there is more of it than is shown. */
  function ask(view, status, newer) {
    const { send } = window.circuits;
    const overtaken = newer && status.revision > view.revision;
    const chosen = tiles.get(view.chosen.id);
    // The pane of the chosen unit is made by the server; only while its picture is being drawn is it changed here.
    const found = newer && status.evidence !== view.status.evidence;
    const other = Boolean(chosen) && chosen.state !== view.chosen.state;
    if (chosen && chosen.state === "drawing") refine(chosen);
    const wish = [view.revision, status.revision, view.chosen.id, chosen && chosen.state, status.evidence].join();
    if (!(overtaken || other || found) || asked === wish) return;
    asked = wish;
    if (overtaken || other) send("refresh");
    else send("look", { revision: view.revision });
  }

  function render(view, progress) {
    const nothing = window.dash_clientside.no_update;
    const idle = [true, nothing, nothing, nothing, nothing, true, true, true, true, true];
    const { openGraph, acknowledge, drawGraph, showTiles, showToasts, tell, send } = window.circuits;
    if (!view || !openGraph()) return idle;
    const before = JSON.stringify(have);
    acknowledge(view.seen);
    const newer = Boolean(progress) && progress.session === view.session && progress.at >= view.status.at;
    const status = newer ? progress : view.status;
    const fresh = learn(view.status);
    const later = newer ? learn(progress) : {};
    const shown = whole(view);
    if (!shown) {
      Object.assign(have, { drawing: "" });
      tellServer(before);
      send("refresh");
      return idle;
    }
    if (view !== drawn) drawGraph(shown, tiles);
    showTiles({ ...fresh, ...later });
    drawn = view;
    have.drawing = view.drawing;
    have.atlas = view.atlas_shown || "";
    tellServer(before);
    document.querySelectorAll("[data-page][data-action]").forEach(tab => {
      tab.setAttribute("aria-pressed", String(tab.dataset.page === view.page));
    });
    showToasts(status.toasts);
    tell({ ...shown, nodes: shown.nodes.map(node => ({ ...node, ...tiles.get(node.id) })), status });
    ask(view, status, newer);
    return [!status.live && !status.looking, status.looking ? SOON : EVERY, status.text, String(status.done),
      String(Math.max(1, status.total)), !status.live, !status.can_cancel, !status.can_resume, !status.can_refine,
      !status.can_retry];
  }

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.graph = { render };
})();
