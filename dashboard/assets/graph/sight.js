/* The window through which the circuit is seen: pan, zoom, fit, and bringing a place into sight. */
(function () {
  "use strict";

  const { LEGIBLE } = window.circuits;
  const MOST = 2.5;
  /* Below it there is less room for words. */
  const SMALL = 0.78;
  /* Pixels that a press may move and still be a click. */
  const SLACK = 4;
  /* Milliseconds after which it is at rest. */
  const REST = 250;
  /* Room at the edges, in pixels; at the left the names of the layers have theirs. */
  const ROOM = { left: 8, top: 14, right: 10, bottom: 8 };
  /* What is brought into sight is at least so far from the edges. */
  const MARGIN = 6;

  /* stage: the element that is looked through; world: what is moved; moved(): called after each move. */
  function openWindow(stage, world, moved) {
    const view = { x: 0, y: 0, zoom: 1, gutter: 0, touched: false };
    let resting = 0;
    let gliding = 0;
    let zoomed = 0;

    /* The next move is seen as one. */
    function glide() {
      stage.classList.add("glides");
      clearTimeout(gliding);
      gliding = setTimeout(() => stage.classList.remove("glides"), REST + 50);
    }

    /* [width, height] of the room for the circuit. */
    const pane = () => [
      Math.max(80, stage.clientWidth - view.gutter - ROOM.left - ROOM.right),
      Math.max(80, stage.clientHeight - ROOM.top - ROOM.bottom),
    ];

    /* While it moves the picture is only shifted; it is drawn anew, and sharp, when it rests. */
    function stir() {
      stage.classList.add("moving");
      clearTimeout(resting);
      resting = setTimeout(() => stage.classList.remove("moving"), REST);
    }

    function apply() {
      world.style.transform = `translate(${view.x}px,${view.y}px) scale(${view.zoom})`;
      if (view.zoom !== zoomed) {
        zoomed = view.zoom;
        stage.style.setProperty("--zoom", zoomed);
        stage.classList.toggle("small", zoomed < SMALL);
      }
      moved();
    }

    function zoomAt(x, y, factor) {
      const bounded = Math.min(MOST / view.zoom, Math.max(LEGIBLE / view.zoom, factor));
      view.x = x - (x - view.x) * bounded;
      view.y = y - (y - view.y) * bounded;
      view.zoom *= bounded;
      view.touched = true;
      apply();
    }

    function zoomBy(factor) {
      zoomAt(stage.clientWidth / 2, stage.clientHeight / 2, factor);
    }

    /* box: [left, top, right, bottom] in the world; what is too large is seen from its top, around its target. */
    function fit([x0, y0, x1, y1]) {
      if (!stage.clientWidth) return;
      const [width, height] = pane();
      const zoom = Math.max(LEGIBLE, Math.min(width / (x1 - x0), height / (y1 - y0), 1.1));
      const middle = zoom * (x1 - x0) > width + 1 ? 0 : (x0 + x1) / 2;
      view.zoom = zoom;
      view.x = view.gutter + ROOM.left + width / 2 - zoom * middle;
      view.y = ROOM.top + Math.max(0, (height - zoom * (y1 - y0)) / 3) - zoom * y0;
      view.touched = false;
      apply();
    }

    /* Moves as little as brings a box into sight, and the beginning of one that is larger. */
    function reveal([x0, y0, x1, y1]) {
      const move = (from, to, low, high) => {
        const [before, after] = [Math.max(low - from, 0), Math.min(high - to, 0)];
        return before || Math.max(after, low - from);
      };
      const { x, y, zoom } = view;
      const across = move(x + x0 * zoom, x + x1 * zoom, view.gutter + MARGIN, stage.clientWidth - MARGIN);
      const down = move(y + y0 * zoom, y + y1 * zoom, MARGIN, stage.clientHeight - MARGIN);
      if (Math.abs(across) < 1 && Math.abs(down) < 1) return;
      view.x += across;
      view.y += down;
      glide();
      apply();
    }

    /* Brings a place of the world into the middle. */
    function centre(x, y) {
      view.x = view.gutter + (stage.clientWidth - view.gutter) / 2 - x * view.zoom;
      view.y = stage.clientHeight / 2 - y * view.zoom;
      view.touched = true;
      apply();
    }

    /* What is seen of the world. */
    function seen() {
      const { x, y, zoom, gutter } = view;
      return [(gutter - x) / zoom, -y / zoom, (stage.clientWidth - x) / zoom, (stage.clientHeight - y) / zoom];
    }

    /* Two fingers zoom at the middle between them. */
    const fingers = new Map();
    function pinch(event) {
      if (fingers.size !== 2 || !fingers.has(event.pointerId)) return false;
      const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
      const apart = ([px, py]) => Math.hypot(px - other[0], py - other[1]);
      const now = [event.clientX, event.clientY];
      const before = apart(fingers.get(event.pointerId));
      const box = stage.getBoundingClientRect();
      fingers.set(event.pointerId, now);
      if (before) zoomAt((now[0] + other[0]) / 2 - box.x, (now[1] + other[1]) / 2 - box.y, apart(now) / before);
      return true;
    }

    // A browser that brings something into sight scrolls; that is a move like any other.
    stage.addEventListener("scroll", () => {
      if (!stage.scrollLeft && !stage.scrollTop) return;
      view.x -= stage.scrollLeft;
      view.y -= stage.scrollTop;
      stage.scrollTo(0, 0);
      apply();
    });

    let grip = null;
    stage.addEventListener("wheel", event => {
      event.preventDefault();
      const box = stage.getBoundingClientRect();
      const pace = event.ctrlKey ? 0.01 : 0.0015;
      zoomAt(event.clientX - box.x, event.clientY - box.y, Math.exp(-event.deltaY * pace));
    }, { passive: false });
    stage.addEventListener("pointerdown", event => {
      const touch = event.pointerType === "touch";
      if (touch) fingers.set(event.pointerId, [event.clientX, event.clientY]);
      // A finger pans wherever it is put; a mouse moves the unit that it is on.
      if (event.button || (!touch && event.target.closest("button")) || event.target.closest(".minimap")) return;
      grip = { x: event.clientX - view.x, y: event.clientY - view.y, from: [event.clientX, event.clientY] };
    });
    stage.addEventListener("pointermove", event => {
      if (pinch(event)) {
        grip = null;
        return;
      }
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
    const release = event => {
      fingers.delete(event.pointerId);
      grip = null;
      stage.classList.remove("dragged");
    };
    stage.addEventListener("pointerup", release);
    stage.addEventListener("pointercancel", release);
    // Released outside before it was captured.
    window.addEventListener("pointerup", release);

    return { view, pane, glide, apply, zoomBy, fit, reveal, centre, seen };
  }

  window.circuits = Object.assign(window.circuits || {}, { openWindow });
})();
