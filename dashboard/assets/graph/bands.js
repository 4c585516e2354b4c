/* The names of the layers, beside their rows. They live in screen space, on ground of their own, so that they stay
   readable at any zoom and nothing covers them. */
(function () {
  "use strict";

  /* box: where they go; above, below: how far a row reaches beyond the middles of its units. */
  function openBands(box, above, below) {
    let rows = [];
    let drawn = "";

    function band(row) {
      const label = document.createElement("div");
      label.className = "band";
      label.title = row.title;
      const detail = document.createElement("span");
      detail.className = "detail";
      detail.textContent = row.detail;
      // A long name breaks after a dot rather than within a word.
      const parts = row.layer.split(/(?<=[.:])/);
      label.append(...parts.flatMap((part, index) => index ? [document.createElement("wbr"), part] : [part]), detail);
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

    /* fresh: rows from the top; fallback(): takes the focus if the button that had it
       is gone. Gives the width that the names need. */
    function draw(fresh, fallback) {
      const text = JSON.stringify(fresh.map(row => [row.layer, row.detail, row.closed]));
      if (text !== drawn) {
        drawn = text;
        const active = document.activeElement;
        const held = box.contains(active) ? active.dataset.payload : null;
        box.replaceChildren(...fresh.map(band));
        const again = [...box.querySelectorAll("button")].find(button => button.dataset.payload === held);
        if (again) again.focus();
        else if (held !== null) fallback();
      }
      return Math.max(0, ...[...box.children].map(label => label.offsetWidth));
    }

    /* The heights of the first and last line of each. */
    const place = heights => { rows = heights; };

    /* In the middle of what is seen of its row. */
    function seenFrom({ y, zoom }, height) {
      rows.forEach((row, index) => {
        const top = Math.max(0, y + (row.y - above) * zoom);
        const bottom = Math.min(height, y + (row.bottom + below) * zoom);
        const label = box.children[index];
        label.style.visibility = bottom - top < 20 ? "hidden" : "";
        label.style.transform = `translateY(${Math.round((top + bottom) / 2)}px) translateY(-50%)`;
      });
    }

    return { draw, place, seenFrom };
  }

  window.circuits = Object.assign(window.circuits || {}, { openBands });
})();
