/* How good the circuit is: the button that asks for it, and the curve, a small drawing for each element with data-curve,
   which says where everything lies. */
(function () {
  "use strict";

  const WIDTH = 320;
  const HEIGHT = 150;
  const ROOM = { left: 40, right: 12, top: 8, bottom: 22 };
  const x = share => ROOM.left + share * (WIDTH - ROOM.left - ROOM.right);
  const y = share => HEIGHT - ROOM.bottom - share * (HEIGHT - ROOM.top - ROOM.bottom);

  function add(parent, tag, facts, words = "") {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    Object.entries(facts).forEach(([name, value]) => element.setAttribute(name, value));
    element.textContent = words;
    parent.append(element);
    return element;
  }

  function dot(svg, [across, up, words], kind, r) {
    add(add(svg, "circle", { class: `dot ${kind}`, cx: x(across), cy: y(up), r }), "title", {}, words);
  }

  function draw(box) {
    const { lines, own, across, up } = JSON.parse(box.dataset.curve);
    const svg = add(box, "svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" });
    up.forEach(([height, words]) => {
      add(svg, "path", { class: "grid", d: `M${x(0)},${y(height)}H${x(1)}` });
      add(svg, "text", { class: "up", x: x(0) - 6, y: y(height) + 4 }, words);
    });
    across.forEach(([place, words]) => add(svg, "text", { class: "across", x: x(place), y: HEIGHT - 6 }, words));
    add(svg, "path", { class: "size", d: `M${x(own[0])},${y(0)}V${y(1)}` });
    lines.forEach(({ method, points }) => {
      add(svg, "polyline", { class: `line ${method}`, points: points.map(([a, b]) => `${x(a)},${y(b)}`).join(" ") });
      points.forEach(point => dot(svg, point, method, 2.5));
    });
    dot(svg, own, "size", 5);
    box.replaceChildren(svg);
    box.drawn = box.dataset.curve;
  }

  function drawAll() {
    document.querySelectorAll("[data-curve]").forEach(box => { if (box.drawn !== box.dataset.curve) draw(box); });
  }

  let watching = false;
  window.circuits.follow(view => {
    document.getElementById("how-good").hidden = !view.circuit;
    const pane = document.getElementById("unit-evidence");
    if (watching || !pane) return;
    watching = true;
    // Dash makes the pane after the scripts have heard of the view.
    new MutationObserver(drawAll).observe(pane, { childList: true, subtree: true, attributeFilter: ["data-curve"] });
    drawAll();
  });
})();
