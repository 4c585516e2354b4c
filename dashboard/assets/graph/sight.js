/* The window through which the circuit is seen: pan, zoom, fit, and bringing a place into sight. */
(function () {
  "use strict";

  const MOST = 2.5;
  const LEAST = 0.12;
  const FROM_AFAR = 0.42;
  /* Pixels that a press may move and still be a click. */
  const SLACK = 4;
  /* Milliseconds after which it is at rest. */
  const REST = 250;
  /* Room that the words over and beside the graph take, in pixels. */
  const ROOM = { left: 92, top: 62, right: 12, bottom: 20 };

  /* stage: the element that is looked through; world: what is moved; moved(zoom is far): called after each move. */
  function openWindow(stage, world, moved) {
    const view = { x: 0, y: 0, zoom: 1, far: false, touched: false };
    let resting = 0;

    /* While it moves the picture is only shifted; it is drawn anew, and sharp, when it rests. */
    function stir() {
      stage.classList.add("moving");
      clearTimeout(resting);
      resting = setTimeout(() => stage.classList.remove("moving"), REST);
    }

    function apply() {
      world.style.transform = `translate(${view.x}px,${view.y}px) scale(${view.zoom})`;
      stage.style.setProperty("--zoom", view.zoom);
      view.far = view.zoom < FROM_AFAR;
      stage.classList.toggle("far", view.far);
      moved();
    }

    function zoomAt(x, y, factor) {
      const bounded = Math.min(MOST / view.zoom, Math.max(LEAST / view.zoom, factor));
      view.x = x - (x - view.x) * bounded;
      view.y = y - (y - view.y) * bounded;
      view.zoom *= bounded;
      view.touched = true;
      apply();
    }

    function zoomBy(factor) {
      zoomAt(stage.clientWidth / 2, stage.clientHeight / 2, factor);
    }

    /* box: [left, top, right, bottom] in the world. */
    function fit([x0, y0, x1, y1]) {
      if (!stage.clientWidth) return;
      const width = stage.clientWidth - ROOM.left - ROOM.right;
      const legend = document.getElementById("legend");
      const story = document.querySelector(".story");
      const top = Math.max(ROOM.top, story ? story.offsetHeight + 12 : 0);
      const height = stage.clientHeight - top - ROOM.bottom - (legend ? legend.offsetHeight : 0);
      view.zoom = Math.max(LEAST, Math.min(width / (x1 - x0), height / (y1 - y0), 1.1));
      view.x = ROOM.left + width / 2 - (view.zoom * (x0 + x1)) / 2;
      view.y = top + Math.max(0, (height - view.zoom * (y1 - y0)) / 3) - view.zoom * y0;
      view.touched = false;
      apply();
    }

    function reveal(place) {
      const margin = 90;
      const x = view.x + place.x * view.zoom;
      const y = view.y + place.y * view.zoom;
      const across = Math.max(margin - x, 0) || Math.min(stage.clientWidth - margin - x, 0);
      const down = Math.max(margin - y, 0) || Math.min(stage.clientHeight - margin - y, 0);
      if (!across && !down) return;
      view.x += across;
      view.y += down;
      apply();
    }

    let grip = null;
    stage.addEventListener("wheel", event => {
      event.preventDefault();
      const box = stage.getBoundingClientRect();
      const pace = event.ctrlKey ? 0.01 : 0.0015;
      zoomAt(event.clientX - box.x, event.clientY - box.y, Math.exp(-event.deltaY * pace));
    }, { passive: false });
    stage.addEventListener("pointerdown", event => {
      if (event.button || event.target.closest("button")) return;
      grip = { x: event.clientX - view.x, y: event.clientY - view.y, from: [event.clientX, event.clientY] };
    });
    stage.addEventListener("pointermove", event => {
      if (!grip) return;
      if (grip.from) {
        // A line that is pressed without moving is chosen; captured at once, the click would be the stage's.
        if (Math.hypot(event.clientX - grip.from[0], event.clientY - grip.from[1]) < SLACK) return;
        grip.from = null;
        stage.setPointerCapture(event.pointerId);
        stage.classList.add("dragged");
      }
      view.x = event.clientX - grip.x;
      view.y = event.clientY - grip.y;
      view.touched = true;
      stir();
      apply();
    });
    const release = () => {
      grip = null;
      stage.classList.remove("dragged");
    };
    stage.addEventListener("pointerup", release);
    stage.addEventListener("pointercancel", release);
    // Released outside before it was captured.
    window.addEventListener("pointerup", release);

    return { view, apply, zoomBy, fit, reveal };
  }

  window.circuits = Object.assign(window.circuits || {}, { openWindow });
})();
