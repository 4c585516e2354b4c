/* What fires here: a place of the photo is pointed at with the pointer, or with a crosshair that arrow keys move by one
   position of the chosen layer. Also keeps the pictures of the units found there up to date. */
(function () {
  "use strict";

  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const send = (kind, payload) => window.circuits.send(kind, payload);
  const within = share => Math.min(1, Math.max(0, share));
  const percent = share => `${Math.round(100 * share)} %`;

  let shown = { spot: [] };
  let cross = [0.5, 0.5];
  let told = null;
  /* The crosshair is out, though Dash may just have made the photo anew and the focus gone with the old one. */
  let pointing = false;

  const sees = () => document.querySelector("#photo .sees.pointable");
  const point = ([x, y]) => send("point", { at: [x, y].map(share => Number(share.toFixed(4))) });

  /* ---- the crosshair ---- */

  function tell(text) {
    if (!told) {
      told = document.createElement("div");
      told.className = "spoken";
      told.setAttribute("role", "status");
      document.body.append(told);
    }
    told.textContent = text;
  }

  function place() {
    const mark = sees() && sees().querySelector(".cross");
    if (!mark) return;
    mark.style.left = `${100 * cross[0]}%`;
    mark.style.top = `${100 * cross[1]}%`;
    tell(`${percent(cross[0])} from the left, ${percent(cross[1])} from the top`);
  }

  function enter() {
    if (!sees()) return;
    cross = shown.spot.length ? shown.spot.slice() : [0.5, 0.5];
    pointing = true;
    hold();
  }

  function hold() {
    if (!pointing || !sees()) return;
    sees().classList.add("pointing");
    if (document.activeElement !== sees()) sees().focus();
    place();
  }

  function leave() {
    pointing = false;
    if (sees()) sees().classList.remove("pointing");
  }

  function key(event) {
    if (!sees() || event.target !== sees() || event.ctrlKey || event.metaKey || event.altKey) return;
    const [rows, columns] = sees().dataset.grid.split(",").map(Number);
    if (ARROWS[event.key]) {
      const [across, down] = ARROWS[event.key];
      const pace = event.shiftKey ? 4 : 1;
      pointing = true;
      sees().classList.add("pointing");
      cross = [within(cross[0] + (pace * across) / columns), within(cross[1] + (pace * down) / rows)];
      place();
    } else if (event.key === "Enter" || event.key === " ") {
      point(cross);
    } else if (event.key === "Escape" && pointing) {
      leave();
      const opener = document.getElementById("point");
      if (opener) opener.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  document.addEventListener("click", event => {
    if (event.target.closest("#point")) { enter(); return; }
    const picture = event.target.closest("#photo .sees.pointable");
    if (!picture) return;
    const box = picture.getBoundingClientRect();
    cross = [within((event.clientX - box.x) / box.width), within((event.clientY - box.y) / box.height)];
    leave();
    point(cross);
  });
  // Before the other listeners: Escape first leaves the crosshair, then clears the place, and only then the choice.
  document.addEventListener("keydown", event => {
    key(event);
    if (event.defaultPrevented || event.key !== "Escape" || !shown.spot.length) return;
    if (!event.target.closest(".pane.left") || event.target.closest("input, dialog")) return;
    event.stopPropagation();
    send("point");
  }, true);
  document.addEventListener("focusin", event => { if (pointing && event.target !== sees()) leave(); });
  document.addEventListener("pointerdown", event => { if (!event.target.closest("#photo")) leave(); });
  document.addEventListener("change", event => {
    if (event.target.id === "spot-layer") send("point-layer", { layer: event.target.value });
  });

  /* ---- the list ---- */

  function refresh(tiles) {
    document.querySelectorAll("#spot [data-tile]").forEach(tile => {
      const now = tiles[`spot ${tile.dataset.tile}`];
      if (!now) return;
      tile.dataset.state = now.state;
      const image = tile.querySelector("img");
      if (now.picture && image.getAttribute("src") !== now.picture) image.src = now.picture;
    });
  }

  function keep() {
    const layer = document.getElementById("spot-layer");
    if (layer && document.activeElement !== layer && layer.value !== layer.dataset.value) layer.value = layer.dataset.value;
  }

  // The list is made by Dash at its own time.
  function watch() {
    const box = document.getElementById("spot");
    if (!box || box.watched) return;
    box.watched = true;
    new MutationObserver(keep).observe(box, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-value"] });
    keep();
    const photo = document.getElementById("photo");
    new MutationObserver(() => { if (document.activeElement === document.body) hold(); }).observe(photo, { childList: true, subtree: true });
  }

  window.circuits.follow(view => {
    shown = { spot: view.spot || [] };
    watch();
    refresh((view.status && view.status.tiles) || {});
  });
})();
