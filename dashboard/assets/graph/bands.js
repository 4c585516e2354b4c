/* The names of the layers, beside their rows. They live in screen space, so that they stay readable at any zoom. */
(function () {
  "use strict";

  /* Pixels between two rows below which their names make themselves small. */
  const TIGHT = 54;

  /* box: where they go. */
  function openBands(box) {
    let rows = [];
    let drawn = "";

    function band(row) {
      const label = document.createElement("div");
      label.className = "band";
      label.title = row.title;
      const detail = document.createElement("span");
      detail.className = "detail";
      detail.textContent = row.detail;
      label.append(row.layer, detail);
      if (row.closed) {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = "expand all";
        button.dataset.action = "level";
        button.dataset.payload = JSON.stringify({ layer: row.layer });
        const units = row.closed === 1 ? "the unit" : `the ${row.closed} units`;
        button.title = `Expand ${units} of ${row.layer} that ${row.closed === 1 ? "is" : "are"} not expanded (Shift E)`;
        button.setAttribute("aria-label", `expand all, ${row.closed} in ${row.layer}`);
        label.append(button);
      }
      return label;
    }

    /* fallback(): takes the focus if the button that had it is gone. */
    function draw(fresh, fallback) {
      rows = fresh;
      const text = JSON.stringify(rows.map(row => [row.layer, row.detail, row.closed]));
      if (text === drawn) return;
      drawn = text;
      const active = document.activeElement;
      const held = box.contains(active) ? active.dataset.payload : null;
      box.replaceChildren(...rows.map(band));
      if (held === null) return;
      const again = [...box.querySelectorAll("button")].find(button => button.dataset.payload === held);
      if (again) again.focus();
      else fallback();
    }

    function seenFrom({ y, zoom }) {
      let least = Infinity;
      rows.forEach((row, index) => {
        const middle = y + ((row.y + row.bottom) / 2) * zoom;
        const label = box.children[index];
        label.style.transform = `translateY(${Math.round(middle)}px) translateY(-50%)`;
        if (index) least = Math.min(least, ((row.y + row.bottom - rows[index - 1].y - rows[index - 1].bottom) / 2) * zoom);
      });
      box.classList.toggle("tight", least < TIGHT);
    }

    /* shown: names of layers that have a unit left. */
    function leave(shown) {
      rows.forEach((row, index) => { box.children[index].hidden = !shown.has(row.layer); });
    }

    return { draw, seenFrom, leave };
  }

  window.circuits = Object.assign(window.circuits || {}, { openBands });
})();
