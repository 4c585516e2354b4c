/* Where the units of a circuit go: a band for each layer, wrapped as the window's shape wants it, and holding still.

   A unit has a slot in its band: a column, counted from the middle, and a line. Slots are given anew to another circuit,
   to another window, and when weak edges are hidden, so that no gap is left; units keep their order in that. When a
   circuit grows its units keep their slots, and new ones take free ones beside and below them.

   Lengths are in pixels at zoom 1; x = 0 is the middle, y = 0 the target's centre. */
(function () {
  "use strict";

  /* A picture, the words under it at the smallest zoom, and the distances between columns, lines and bands. */
  const SIDE = 96;
  const WORDS = 68;
  const STEP = 122;
  const LINE = SIDE + WORDS + 14;
  const BAND = SIDE + WORDS + 52;
  /* A picture of 56 pixels is the smallest that is legible; circuits that do not fit then are scrolled. */
  const LEGIBLE = 56 / SIDE;
  const LARGEST = 1.1;
  /* Nearer than this, across and down, two units cover each other. */
  const CLEAR = [112, SIDE + WORDS - 20];

  /* bands: numbers of units; wrap: the most in a line; gives [width, height]. */
  function size(bands, wrap) {
    const heights = bands.map(count => Math.ceil(count / wrap));
    const width = Math.max(...bands.map((count, band) => Math.ceil(count / heights[band])));
    const lines = heights.reduce((sum, height) => sum + height - 1, 0);
    return [width * STEP, lines * LINE + (bands.length - 1) * BAND + SIDE + WORDS];
  }

  /* The wrap and the zoom at which bands are largest in a pane [width, height], and how many columns it then has. */
  function fitting(bands, [width, height]) {
    let best = { wrap: 1, zoom: 0 };
    for (let wrap = Math.max(1, ...bands); wrap >= 1; wrap -= 1) {
      const [across, down] = size(bands, wrap);
      const zoom = Math.min(width / across, height / down, LARGEST);
      // Wider rows, which leave less room unused, unless others are clearly larger.
      if (zoom > best.zoom * 1.08) best = { wrap, zoom };
    }
    const zoom = Math.max(LEGIBLE, best.zoom);
    const columns = Math.max(1, Math.floor(width / (zoom * STEP)));
    return { zoom, columns, wrap: best.zoom < LEGIBLE ? columns : best.wrap };
  }

  /* Slots for a band of units in their order, column by column, so that neighbours stay neighbours. */
  function pack(names, wrap, slots) {
    const height = Math.ceil(names.length / wrap);
    const middle = (Math.ceil(names.length / height) - 1) / 2;
    names.forEach((name, index) => slots.set(name, { column: Math.floor(index / height) - middle, line: index % height }));
  }

  /* Slots for the units of a band that have none, beside those that have, no farther out than the columns of the pane. */
  function append(names, known, columns, slots) {
    const key = ({ column, line }) => `${column} ${line}`;
    const taken = new Map();
    const fresh = [];
    // One that comes back has its old slot, unless another one stands there now.
    [...names.filter(name => known.has(name)), ...names.filter(name => !known.has(name))].forEach(name => {
      const slot = slots.get(name);
      if (slot && !taken.has(key(slot))) taken.set(key(slot), slot);
      else fresh.push(name);
    });
    if (!taken.size) { pack(names, columns, slots); return; }
    const columnsTaken = [...taken.values()].map(slot => Math.abs(slot.column));
    const shift = columnsTaken[0] % 1;
    const farthest = Math.max((columns - 1) / 2, ...columnsTaken);
    const free = [];
    for (let line = 0; free.length < fresh.length; line += 1) {
      for (let out = shift; out <= farthest; out += 1) {
        for (const column of out ? [-out, out] : [0]) {
          if (free.length < fresh.length && !taken.has(key({ column, line }))) free.push({ column, line });
        }
      }
    }
    free.sort((one, other) => one.column - other.column || one.line - other.line);
    fresh.forEach((name, index) => slots.set(name, free[index]));
  }

  const covers = (one, other) => Math.abs(one.x - other.x) < CLEAR[0] && Math.abs(one.y - other.y) < CLEAR[1];

  /* Units that a person locked go where they were put; one that would be covered goes to the nearest free place of its line. */
  function around(nodes, places) {
    const locked = nodes.filter(node => node.place);
    if (!locked.length) return;
    locked.forEach(({ id, place: [x, y] }) => places.set(id, { ...places.get(id), x, y, locked: true }));
    const taken = locked.map(({ id }) => places.get(id));
    const others = nodes.filter(node => !node.place).map(({ id }) => places.get(id));
    const covered = others.filter(place => taken.some(each => covers(place, each)));
    taken.push(...others.filter(place => !covered.includes(place)));
    covered.forEach(place => {
      const from = place.x;
      for (let step = 1; taken.some(each => covers(place, each)); step += 1) {
        // By halves to the right and to the left, in turn.
        place.x = from + (Math.ceil(step / 2) * (step % 2 ? 1 : -1) * STEP) / 2;
      }
      taken.push(place);
    });
  }

  /* bands: names of the units of each layer, from the top; places of all, with the heights of their bands. */
  function placed(bands, slots) {
    const places = new Map();
    const rows = [];
    let y = 0;
    bands.forEach(names => {
      const lines = Math.max(...names.map(name => slots.get(name).line));
      const bottom = y + lines * LINE;
      rows.push({ y, bottom, columns: [] });
      names.forEach(name => {
        const { column, line } = slots.get(name);
        places.set(name, { x: column * STEP, y: y + line * LINE, top: y, bottom });
      });
      y = bottom + BAND;
    });
    return { places, rows };
  }

  function openArrangement() {
    /* Slots of all units that there were, and of those that are shown if some are hidden. */
    let full = new Map();
    let some = null;
    let known = new Set();
    let fit = { zoom: 1, columns: 6, wrap: 6 };
    let told = {};

    const within = (one, other) => [...one].every(name => other.has(name));
    /* Names of the units of each layer in the order given. */
    function banded(nodes) {
      const bands = new Map();
      nodes.forEach(({ id, layer }) => {
        if (!bands.has(layer)) bands.set(layer, []);
        bands.get(layer).push(id);
      });
      return [...bands.values()];
    }

    /* In the order in which they stand. */
    function inOrder(names) {
      const at = name => full.get(name) || { column: 1e9, line: 0 };
      return names.slice().sort((one, other) => at(one).column - at(other).column || at(one).line - at(other).line);
    }

    /* Slots anew, for what is shown in a pane. */
    function repack(bands, shown, pane) {
      fit = fitting(shown.map(names => names.length), pane);
      // In the order given where nothing stands yet: equal places leave the order as it is.
      const order = bands.map(inOrder);
      full = new Map();
      order.forEach(names => pack(names, fit.wrap, full));
    }

    /* nodes: all units, row after row, each in its order; left: ids of those that are shown; pane: [width, height] of the
       window; another: it is another circuit; again: slots are to be given anew. `moved` says whether they were. */
    function arrange(nodes, left, pane, { circuit, limit, again }) {
      const now = new Set(nodes.map(node => node.id));
      const another = circuit !== told.circuit || !(within(known, now) || within(now, known));
      const moved = another || again || limit !== told.limit;
      const bands = banded(nodes);
      const shown = banded(nodes.filter(node => left.has(node.id)));
      if (another) full = new Map();
      if (another || again) repack(bands, shown, pane);
      else bands.forEach(names => append(names, known, fit.columns, full));
      if (left.size === nodes.length) some = null;
      else if (moved || !some) {
        fit = fitting(shown.map(names => names.length), pane);
        some = new Map();
        shown.forEach(names => pack(inOrder(names), fit.wrap, some));
      } else shown.forEach(names => append(names, known, fit.columns, some));
      known = now;
      told = { circuit, limit };
      const found = placed(shown, some || full);
      around(nodes.filter(node => left.has(node.id)), found.places);
      const rowAt = new Map(found.rows.map(row => [row.y, row]));
      found.places.forEach(({ x, top, locked }) => { if (!locked) rowAt.get(top).columns.push(x); });
      return { ...found, another, moved, zoom: fit.zoom };
    }

    return { arrange };
  }

  window.circuits = Object.assign(window.circuits || {}, { openArrangement, SIDE, WORDS, STEP, LEGIBLE });
})();
