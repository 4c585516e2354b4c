/* A small map of a circuit that is larger than the window: its units, and what is seen of it; pressed, it goes there. */
(function () {
  "use strict";

  const PAD = 5;

  /* box: a canvas; go(x, y): have a place of the world in the middle. */
  function openMap(box, go) {
    const pen = box.getContext("2d");
    let scale = 1;
    let corner = [0, 0];

    /* places: [x, y, is chosen] of the units; side: of a unit; whole, seen: [left, top, right, bottom]; room: [width,
       height]. Gives the height that it takes: none if all is seen. */
    function draw(places, side, { whole, seen, room }) {
      const [x0, y0, x1, y1] = whole;
      box.hidden = seen[0] <= x0 + side && seen[1] <= y0 + side / 2 && seen[2] >= x1 - side && seen[3] >= y1 - side / 2;
      if (box.hidden) return 0;
      scale = Math.min((room[0] - 2 * PAD) / (x1 - x0), (room[1] - 2 * PAD) / (y1 - y0));
      corner = [x0, y0];
      const [width, height] = [Math.ceil((x1 - x0) * scale) + 2 * PAD, Math.ceil((y1 - y0) * scale) + 2 * PAD];
      const fine = window.devicePixelRatio || 1;
      Object.assign(box, { width: width * fine, height: height * fine });
      Object.assign(box.style, { width: `${width}px`, height: `${height}px` });
      pen.scale(fine, fine);
      const colour = getComputedStyle(box);
      const rectangle = (x, y, across, down) => [PAD + (x - x0) * scale, PAD + (y - y0) * scale, across * scale, down * scale];
      places.forEach(([x, y, chosen]) => {
        pen.fillStyle = colour.getPropertyValue(chosen ? "--accent" : "--muted");
        pen.fillRect(...rectangle(x - side / 2, y - side / 2, side, side));
      });
      pen.strokeStyle = colour.getPropertyValue("--focus");
      pen.lineWidth = 2;
      const [left, top] = [Math.max(seen[0], x0), Math.max(seen[1], y0)];
      pen.strokeRect(...rectangle(left, top, Math.min(seen[2], x1) - left, Math.min(seen[3], y1) - top));
      return height + 2 * PAD;
    }

    function follow(event) {
      if (!event.buttons) return;
      const at = box.getBoundingClientRect();
      go((event.clientX - at.x - PAD) / scale + corner[0], (event.clientY - at.y - PAD) / scale + corner[1]);
      event.preventDefault();
    }
    box.addEventListener("pointerdown", event => {
      box.setPointerCapture(event.pointerId);
      follow(event);
    });
    box.addEventListener("pointermove", follow);
    return { draw };
  }

  window.circuits = Object.assign(window.circuits || {}, { openMap });
})();
