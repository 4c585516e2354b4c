/* The comparison of two circuits: its file field; and there and in the atlas pictures that come while it is on the screen. */
(function () {
  "use strict";

  document.addEventListener("click", event => {
    const opener = event.target.closest("[data-open]");
    if (!opener) return;
    const field = document.createElement("input");
    field.type = "file";
    field.accept = ".json,application/json";
    field.addEventListener("change", () => window.circuits.read(field.files[0], opener.dataset.open));
    field.click();
  });

  let newest = null;

  const PAGES = ["compare", "atlas"];

  function draw() {
    if (!newest || !PAGES.includes(newest.page)) return;
    const page = `#${newest.page}`;
    const chosen = newest.outside ? newest.outside.unit : newest.selected;
    document.querySelectorAll(`${page} button.unit-card`).forEach(card => {
      const pressed = JSON.parse(card.dataset.payload).unit === chosen;
      card.setAttribute("aria-pressed", String(pressed));
      card.classList.toggle("selected", pressed);
    });
    const nodes = new Map(newest.nodes.map(node => [node.id, node]));
    document.querySelectorAll(`${page} [data-tile]`).forEach(frame => {
      const tile = newest.status.tiles[frame.dataset.tile] || nodes.get(frame.dataset.tile);
      if (!tile) return;
      const image = frame.querySelector("img");
      frame.dataset.state = tile.state;
      frame.style.setProperty("--drawn", tile.drawn);
      const shown = tile.picture || tile.patch;
      frame.dataset.shows = tile.picture ? "picture" : shown ? "patch" : "";
      image.hidden = !shown;
      if (shown && image.getAttribute("src") !== shown) image.src = shown;
    });
  }

  /* Dash makes the comparison anew, before or after the view is told. */
  const watched = new Set();
  function watch() {
    PAGES.map(name => document.getElementById(name)).filter(box => box && !watched.has(box)).forEach(box => {
      watched.add(box);
      new MutationObserver(draw).observe(box, { childList: true, subtree: true });
    });
  }

  window.circuits.follow(view => {
    newest = view;
    watch();
    draw();
  });
})();
