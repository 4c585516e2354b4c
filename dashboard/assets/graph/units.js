/* The units of the circuit: a button for each, made once and changed only where something changed. */
(function () {
  "use strict";

  const HALF = window.circuits.SIDE / 2;
  /* What a unit shows, by what the person wants to see: never nothing while there is something. */
  const SHOWS = {
    picture: tile => (tile.picture ? ["picture", tile.picture] : ["patch", tile.patch]),
    patch: tile => (tile.patch ? ["patch", tile.patch] : ["picture", tile.picture]),
    heat: tile => (tile.heat ? ["heat", tile.heat] : ["picture", tile.picture]),
  };

  function make(name, className, ...children) {
    const element = document.createElement(name);
    element.className = className;
    element.append(...children);
    return element;
  }

  /* world: where they go. */
  function openUnits(world) {
    const units = new Map();
    let wanted = "picture";

    function add(id) {
      const image = make("img", "");
      image.alt = "";
      image.decoding = "async";
      image.loading = "lazy";
      image.draggable = false;
      const parts = {
        image, frame: make("span", "frame", image), shown: make("span", "shown"), name: make("span", "name"),
        share: make("span", "share"), sets: make("span", "in-sets"), pin: make("span", "pin"), alike: make("span", "alike"), plus: make("span", "plus"),
      };
      const { frame, shown, plus, name, share, sets, pin, alike } = parts;
      const button = make("button", "unit new", frame, shown, plus, make("span", "words", name, share), sets, pin, alike);
      button.type = "button";
      plus.textContent = "+";
      plus.title = "Expand: show what is below this unit (e)";
      parts.pin.title = "Locked in place; press to release (p)";
      button.dataset.id = id;
      world.append(button);
      requestAnimationFrame(() => button.classList.remove("new"));
      const unit = { button, ...parts, was: {}, node: null, tile: null };
      units.set(id, unit);
      return unit;
    }

    /* Calls change(value) only if the value is another one than before. */
    function set(unit, name, value, change) {
      if (unit.was[name] === value) return;
      unit.was[name] = value;
      change(value);
    }

    const flag = (unit, name, on) => set(unit, name, Boolean(on), value => unit.button.classList.toggle(name, value));
    const text = (unit, part, value) => set(unit, part, value, words => { unit[part].textContent = words; });

    function place(unit, { x, y }) {
      set(unit, "place", `translate(${x - HALF - 4}px,${y - HALF}px)`, way => { unit.button.style.transform = way; });
    }

    function say(unit, share, inhibits) {
      text(unit, "share", share);
      flag(unit, "inhibits", inhibits);
    }

    function words(unit) {
      const { node } = unit;
      const said = unit.tile ? unit.tile.said : "";
      set(unit, "title", said ? `${node.title}\n${said}` : node.title, all => { unit.button.title = all; });
      set(unit, "spoken", said ? `${node.spoken}, ${said}` : node.spoken, all => {
        unit.button.setAttribute("aria-label", all);
      });
    }

    function drawOne(node) {
      const unit = units.get(node.id) || add(node.id);
      unit.node = node;
      text(unit, "name", node.label);
      text(unit, "shown", node.shown ? `▾ ${node.shown}` : "");
      text(unit, "sets", (node.sets || []).join(", "));
      flag(unit, "in-set", (node.sets || []).length);
      text(unit, "alike", node.alike ? `≈ ${node.alike}` : "");
      set(unit, "alikeTitle", node.folded ? "Unfold (f)" : "Fold into one (f)", hint => { unit.alike.title = hint; });
      say(unit, node.share, node.inhibits);
      for (const name of ["root", "expanded", "closed", "named", "residual"]) flag(unit, name, node[name]);
      flag(unit, "pinned", node.place);
      flag(unit, "stack", node.folded);
      words(unit);
    }

    /* nodes: all that there are; tiles: what they show, by id. */
    function draw(nodes, tiles) {
      const kept = new Set(nodes.map(node => node.id));
      units.forEach((unit, id) => {
        if (kept.has(id)) return;
        unit.button.remove();
        units.delete(id);
      });
      nodes.forEach(node => {
        drawOne(node);
        if (tiles.has(node.id)) show(node.id, tiles.get(node.id));
      });
    }

    /* A unit's picture, or what stands for it. */
    function show(id, tile) {
      const unit = units.get(id);
      if (!unit || unit.tile === tile) return;
      unit.tile = tile;
      const [kind, address] = tile.state === "dead" && wanted === "picture" ? ["picture", ""] : SHOWS[wanted](tile);
      set(unit, "picture", address, picture => {
        // One picture takes another's place at once, without a blank between.
        unit.image.decoding = unit.image.hasAttribute("src") ? "sync" : "async";
        if (picture) unit.image.src = picture;
        else unit.image.removeAttribute("src");
      });
      showSecond(unit, kind === "picture" && tile.second ? tile.second : "");
      set(unit, "kind", address ? kind : "", shows => { unit.frame.dataset.shows = shows; });
      set(unit, "state", tile.state, state => { unit.frame.dataset.state = state; });
      set(unit, "drawn", tile.drawn, drawn => { unit.frame.style.setProperty("--drawn", drawn); });
      words(unit);
    }

    /* The picture of a difference's second class, beside that of the first. */
    function showSecond(unit, address) {
      set(unit, "second", address, picture => {
        if (unit.beside) unit.beside.remove();
        unit.beside = picture ? Object.assign(make("img", "second"), { alt: "", src: picture, draggable: false }) : null;
        if (unit.beside) unit.frame.append(unit.beside);
        unit.frame.classList.toggle("two", Boolean(picture));
      });
    }

    /* look: picture, patch or heat. */
    function lookAt(look) {
      wanted = look;
      units.forEach(({ tile }, id) => {
        if (!tile) return;
        units.get(id).tile = null;
        show(id, tile);
      });
    }

    function choose(selected, busy) {
      const working = new Set(busy);
      units.forEach((unit, id) => {
        flag(unit, "selected", id === selected);
        set(unit, "pressed", String(id === selected), value => { unit.button.setAttribute("aria-pressed", value); });
        flag(unit, "busy", working.has(id));
      });
    }

    const mark = marked => {
      const among = new Set(marked);
      units.forEach((unit, id) => flag(unit, "marked", among.has(id)));
    };
    const button = id => units.get(id).button;
    const move = (id, where) => place(units.get(id), where);

    /* The bottom of the words of others, of those that begin above the words of a unit, between two columns of the screen. */
    function lowestWords({ button, name }, from, to) {
      const under = name.getBoundingClientRect().top;
      const boxes = [...units.values()].filter(other => other.button !== button && !other.button.hidden)
        .map(other => other.name.parentElement.getBoundingClientRect());
      const above = boxes.filter(({ left, right, top }) => left < to && right > from && top < under - 1);
      return Math.max(0, ...above.map(({ bottom }) => bottom + 2));
    }

    let large = "";
    /* The unit whose picture is enlarged, upwards from its words, as far as there is room in a box of the screen. */
    function enlarge(id, times, box) {
      if (units.has(large)) flag(units.get(large), "large", false);
      large = units.has(id) && units.get(id).frame.dataset.shows ? id : "";
      if (!large) return;
      const unit = units.get(large);
      const { left, right, bottom, width, height } = unit.frame.getBoundingClientRect();
      const most = Math.max(1, Math.min(times, (bottom - box.top - 4) / height));
      const out = (most - 1) * width;
      const grow = Math.max(1, (bottom - Math.max(bottom - most * height, lowestWords(unit, left - out, right + out))) / height);
      const from = left - out / 2 < box.left ? "0%" : right + out / 2 > box.right ? "100%" : "50%";
      unit.frame.style.setProperty("--grow", grow);
      unit.frame.style.setProperty("--from", from);
      flag(unit, "large", true);
    }

    const tell = (id, share, inhibits) => units.has(id) && say(units.get(id), share, inhibits);
    const tellOwn = id => units.has(id) && say(units.get(id), units.get(id).node.share, units.get(id).node.inhibits);
    /* Ids of units that are over the veil. */
    let raised = new Set();
    function raise(near) {
      raised.forEach(id => units.has(id) && !near.has(id) && flag(units.get(id), "near", false));
      near.forEach(id => units.has(id) && flag(units.get(id), "near", true));
      raised = near;
    }
    /* left: ids that are not hidden. */
    const leave = left => units.forEach((unit, id) => {
      set(unit, "hidden", !left.has(id), hidden => { unit.button.hidden = hidden; });
    });
    /* The one stop for Tab. */
    const stopAt = stop => units.forEach((unit, id) => {
      set(unit, "stop", id === stop ? 0 : -1, index => { unit.button.tabIndex = index; });
    });

    return { draw, show, lookAt, choose, mark, button, move, enlarge, tell, tellOwn, raise, leave, stopAt };
  }

  window.circuits = Object.assign(window.circuits || {}, { openUnits });
})();
