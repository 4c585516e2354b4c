/* Units are moved with the mouse, or with Alt and the arrow keys, and are locked where they are left. */
(function () {
  "use strict";

  /* Pixels that a press may move and still be a click. */
  const SLACK = 4;
  /* How far a key moves a unit, and how long after the last key it is locked. */
  const STEP = 30;
  const PAUSE = 350;
  const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  /* stage: what is listened to; zoom(): pixels a unit of length; find(id): its place; move(id, place): while it is under
     way; drop(id, place): where it is left. */
  function openDrag(stage, zoom, find, move, drop) {
    let grip = null;
    let dragged = false;

    stage.addEventListener("pointerdown", event => {
      const button = event.target.closest(".unit");
      dragged = false;
      if (event.button || event.pointerType === "touch" || !button || event.target.closest(".pin, .alike, .plus")) return;
      const { x, y } = find(button.dataset.id);
      grip = { button, id: button.dataset.id, pointer: event.pointerId, from: [event.clientX, event.clientY], x, y, at: null };
    });
    stage.addEventListener("pointermove", event => {
      if (!grip || event.pointerId !== grip.pointer) return;
      const [across, down] = [event.clientX - grip.from[0], event.clientY - grip.from[1]];
      if (!grip.at) {
        if (Math.hypot(across, down) < SLACK) return;
        grip.button.setPointerCapture(event.pointerId);
        grip.button.classList.add("held");
      }
      grip.at = { x: grip.x + across / zoom(), y: grip.y + down / zoom() };
      move(grip.id, grip.at);
    });
    function release(event) {
      if (!grip || event.pointerId !== grip.pointer) return;
      grip.button.classList.remove("held");
      if (grip.at) {
        dragged = true;
        if (event.type === "pointerup") drop(grip.id, grip.at);
        else move(grip.id, grip);
      }
      grip = null;
    }
    window.addEventListener("pointerup", release);
    window.addEventListener("pointercancel", release);
    // The click that ends a drag chooses nothing.
    stage.addEventListener("click", event => {
      if (dragged) event.stopPropagation();
      dragged = false;
    }, true);

    let waiting = null;
    function settle() {
      if (!waiting) return;
      clearTimeout(waiting.timer);
      const { id, at } = waiting;
      waiting = null;
      drop(id, at);
    }

    /* Alt with an arrow key on a unit; whether it was that. Several steps are one change. */
    function key(event, id) {
      const way = KEYS[event.key];
      if (!way || !event.altKey) return false;
      if (waiting && waiting.id !== id) settle();
      const { x, y } = find(id);
      const at = { x: x + way[0] * STEP, y: y + way[1] * STEP };
      if (waiting) clearTimeout(waiting.timer);
      waiting = { id, at, timer: setTimeout(settle, PAUSE) };
      move(id, at);
      return true;
    }

    return { key };
  }

  window.circuits = Object.assign(window.circuits || {}, { openDrag });
})();
