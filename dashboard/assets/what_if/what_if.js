/* What if: the chosen unit made weaker, stronger or silent, and what the network says then, while the slider moves.
   While something is changed the graph says so too: in a line over it, and on the units.
   One request is under way at most; what was set meanwhile is asked for next, and nothing in between. */
(function () {
  "use strict";

  const MOST = 2;
  const STEP = 0.05;
  let parts = null;
  let told = { stamp: "", unit: "", label: "", places: [], at: false, refused: "" };
  /* What is changed, by unit: { label, place: [words, row, column] or null, factor }. */
  let changes = new Map();
  /* The choice of place for units that are not changed, by unit. */
  const wanted = new Map();
  let stamp = "";
  let asking = false;
  let again = false;
  let effects = [];

  function make(tag, properties, ...children) {
    const { data, aria, ...rest } = properties || {};
    const element = Object.assign(document.createElement(tag), rest);
    Object.entries(aria || {}).forEach(([name, value]) => element.setAttribute(`aria-${name}`, value));
    Object.assign(element.dataset, data || {});
    element.append(...children);
    return element;
  }

  const times = factor => (factor === 0 ? "off" : `× ${Number(factor.toFixed(2))}`);
  const percent = part => (part > 0 && part < 0.001 ? "< 0.1 %" : `${(100 * part).toFixed(1)} %`);
  const key = place => (place ? place.slice(1).join(",") : "");

  /* ---- what is asked, and what comes back ---- */

  function address(unit, place) {
    return place ? `${unit}@${key(place)}` : unit;
  }

  async function ask() {
    if (asking) {
      again = true;
      return;
    }
    asking = true;
    again = false;
    parts.effects.setAttribute("aria-busy", "true");
    const asked = stamp;
    const list = Array.from(changes, ([unit, { place, factor }]) => ({ unit: address(unit, place), factor }));
    try {
      const answer = await fetch("what-if", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ session: window.circuits.session, stamp: asked, changes: list }),
      });
      const found = await answer.json();
      if (asked === stamp && changes.size) take(found, answer.status);
    } catch {
      say("The server does not answer; the change is shown when it does.", true);
    }
    asking = false;
    if (again && changes.size) ask();
    else parts.effects.setAttribute("aria-busy", "false");
  }

  function take(found, status) {
    if (found.refused) {
      if (status !== 409) say(found.refused, true);
      return;
    }
    effects = found.effects;
    parts.effects.dataset.milliseconds = found.milliseconds;
    drawEffects();
    ghosts();
  }

  /* ---- what is set ---- */

  function current() {
    return changes.get(told.unit) || { place: wanted.get(told.unit) || null, factor: 1 };
  }

  function set(factor) {
    const place = current().place;
    // Back at 1 it is no change any more, but the slider may be on its way through.
    changes.set(told.unit, { label: told.label, place, factor });
    changed();
  }

  function drop(unit) {
    changes.delete(unit);
    changed();
  }

  function changed() {
    drawControls();
    drawList();
    mark();
    if (changes.size) ask();
    else clear();
  }

  function reset() {
    changes = new Map();
    changed();
  }

  function clear() {
    effects = [];
    say("", false);
    parts.effects.replaceChildren();
    ghosts();
  }

  /* ---- drawing ---- */

  function build(box) {
    const slider = make("input", {
      type: "range", id: "what-if-slider", min: "0", max: String(MOST), step: String(STEP), value: "1",
      oninput: event => set(Number(event.target.value)),
    });
    const output = make("output", { htmlFor: "what-if-slider", className: "numbers" });
    const label = make("label", { htmlFor: "what-if-slider", className: "what-if-unit" });
    const off = make("button", { type: "button", className: "button small", textContent: "Off", onclick: () => set(0) });
    const back = make("button", {
      type: "button", className: "button small", textContent: "Reset", onclick: () => drop(told.unit),
    });
    const scope = make("select", { id: "what-if-scope", onchange: choosePlace, aria: { label: "Where it is changed" } });
    const ticks = make("div", { className: "ticks", aria: { hidden: "true" } },
      make("span", { textContent: "off" }), make("span", { textContent: "unchanged" }), make("span", { textContent: "double" }));
    const control = make("div", { className: "what-if-control" },
      make("div", { className: "what-if-line" }, label, output), slider, ticks,
      make("div", { className: "what-if-line" }, scope, make("span", { className: "grow" }), off, back));
    const refused = make("p", { className: "small muted" });
    const list = make("ul", { className: "what-if-list", aria: { label: "Changed units" } });
    const shown = make("div", { className: "effects" });
    const status = make("p", { className: "small what-if-said", role: "status" });
    const heading = make("summary", {}, make("h2", { className: "section-title", id: "what-if-title", textContent: "What if" }));
    const details = make("details", { open: true, className: "what-if-box", role: "group", aria: { labelledby: "what-if-title" } },
      heading, refused, control, list, shown, status);
    box.append(details);
    return { box, slider, output, label, off, back, scope, control, refused, list, effects: shown, status };
  }

  function choosePlace(event) {
    const place = told.places.find(each => key(each) === event.target.value) || null;
    wanted.set(told.unit, place);
    const own = changes.get(told.unit);
    if (own) changes.set(told.unit, { ...own, place });
    changed();
  }

  function drawControls() {
    const can = Boolean(told.unit) && !told.refused;
    const { place, factor } = current();
    parts.control.hidden = !can;
    parts.refused.hidden = !told.refused;
    parts.refused.textContent = told.refused;
    if (!can) return;
    if (Number(parts.slider.value) !== factor) parts.slider.value = String(factor);
    parts.slider.setAttribute("aria-valuetext", factor === 0 ? "switched off" : `times ${Number(factor.toFixed(2))}`);
    parts.slider.style.setProperty("--at", `${(100 * factor) / MOST}%`);
    parts.output.textContent = times(factor);
    parts.label.textContent = told.label;
    parts.off.setAttribute("aria-pressed", String(factor === 0));
    parts.back.disabled = !changes.has(told.unit);
    drawScope(place);
  }

  /* The place that is chosen stays in the choice, whatever is known of the others by now. */
  function drawScope(place) {
    const known = place && !told.places.some(each => key(each) === key(place)) ? [place, ...told.places] : told.places;
    const whole = told.at ? "this position only" : "whole map";
    const options = [["", whole], ...known.map(each => [key(each), `${each[0]}: row ${each[1]}, column ${each[2]}`])];
    const written = JSON.stringify(options);
    if (parts.scope.dataset.written !== written) {
      parts.scope.dataset.written = written;
      parts.scope.replaceChildren(...options.map(([value, words]) => make("option", { value, textContent: words })));
    }
    parts.scope.value = key(place);
    parts.scope.hidden = options.length === 1 && !told.at;
  }

  function drawList() {
    const alone = changes.size === 1 && changes.has(told.unit);
    parts.list.replaceChildren(...(alone ? [] : Array.from(changes, ([unit, { label, place, factor }]) => {
      const words = place ? `${label}, row ${place[1]}, column ${place[2]}` : label;
      const close = make("button", {
        type: "button", className: "button round small", textContent: "×", onclick: () => drop(unit),
        aria: { label: `Reset ${label}` },
      });
      return make("li", {}, make("span", { textContent: words, className: "grow" }),
        make("span", { textContent: times(factor), className: "numbers" }), close);
    })));
    if (changes.size > 1) {
      parts.list.append(make("li", {}, make("span", { className: "grow" }), make("button", {
        type: "button", className: "button small", textContent: "Reset all", onclick: reset,
      })));
    }
  }

  function drawEffects() {
    const most = Math.max(...effects.flatMap(each => [each.before, each.after]), 1e-9);
    const bar = (part, kind) => {
      const line = make("i", { className: kind });
      line.style.width = `${(100 * part) / most}%`;
      return line;
    };
    parts.effects.replaceChildren(...effects.map(each => make("div", { className: "effect", data: { class: each.class } },
      make("span", { className: "label", textContent: each.label, title: each.label }),
      make("span", { className: "numbers", textContent: `${percent(each.before)} → ${percent(each.after)}` }),
      make("span", { className: "two", aria: { hidden: "true" } }, bar(each.before, "before"), bar(each.after, "after")))));
    const [first] = [...effects].sort((one, other) => other.after - one.after);
    const before = [...effects].sort((one, other) => other.before - one.before)[0];
    const same = first.class === before.class;
    // A probability near 100 % hardly moves; the logit says what was lost.
    const logit = ` Logit of ${before.label}: ${before.logits.map(value => value.toFixed(2).replace("-", "−")).join(" → ")}.`;
    say((same ? `It still predicts ${first.label}, ${percent(first.before)} before and ${percent(first.after)} now.`
      : `It now predicts ${first.label}, ${percent(first.after)}, and no longer ${before.label}.`) + logit, false);
  }

  function say(words, failed) {
    if (parts.status.textContent !== words) parts.status.textContent = words;
    parts.status.classList.toggle("failed", failed);
  }

  /* ---- on the graph ---- */

  /* "1 unit off, 2 units changed" */
  function inForce() {
    const real = Array.from(changes.values()).filter(({ factor }) => factor !== 1);
    const off = real.filter(({ factor }) => factor === 0).length;
    const count = (number, what) => (number ? [`${number} unit${number === 1 ? "" : "s"} ${what}`] : []);
    return [...count(off, "off"), ...count(real.length - off, "changed")].join(", ");
  }

  function line() {
    const found = document.getElementById("what-if-line");
    if (found) return found;
    const words = make("span", { className: "words" });
    const back = make("button", { type: "button", className: "link", textContent: "Reset", onclick: reset });
    const made = make("p", { id: "what-if-line", hidden: true, role: "status" }, words, " · ", back);
    document.querySelector(".stage .story .told").append(made);
    return made;
  }

  /* The line over the graph, and the units that are changed; the graph may make its buttons anew at any time. */
  function mark() {
    const said = inForce();
    const over = line();
    over.hidden = !said;
    over.querySelector(".words").textContent = `What if: ${said}`;
    document.querySelectorAll(".unit[data-id]").forEach(button => {
      const own = changes.get(button.dataset.id);
      const factor = own ? own.factor : 1;
      const state = factor === 1 ? "" : factor === 0 ? "off" : "scaled";
      if (state) Object.assign(button.dataset, { whatIf: state, factor: times(factor), whole: own.place ? "" : "whole" });
      else ["whatIf", "factor", "whole"].forEach(name => delete button.dataset[name]);
    });
  }

  /* Marks in the list of predictions: where each bar would end. The server may make the list anew at any time. */
  function ghosts() {
    const after = new Map(effects.map(each => [String(each.class), each]));
    document.querySelectorAll(".prediction[data-class]").forEach(row => {
      const found = after.get(row.dataset.class);
      if (found) {
        row.style.setProperty("--what-if", `${100 * found.after}%`);
        row.dataset.whatIf = percent(found.after);
        row.querySelector(".numbers").dataset.then = `→ ${percent(found.after)}`;
      } else {
        delete row.dataset.whatIf;
        delete row.querySelector(".numbers").dataset.then;
      }
    });
  }

  function watch() {
    const list = document.getElementById("predictions");
    if (list) new MutationObserver(ghosts).observe(list, { childList: true, subtree: true });
  }

  window.circuits.followPane(({ what_if: chosen }) => {
    const box = document.getElementById("what-if");
    if (!box || !chosen) return;
    if (!parts) {
      parts = build(box);
      watch();
    }
    told = chosen;
    if (told.stamp !== stamp) {
      stamp = told.stamp;
      wanted.clear();
      if (changes.size) reset();
    }
    if (told.locked && changes.size) reset();
    box.hidden = !told.unit && !changes.size;
    if (changes.has(told.unit)) changes.get(told.unit).label = told.label;
    drawControls();
    drawList();
    mark();
  });

  window.circuits.follow(() => { if (parts && changes.size) requestAnimationFrame(mark); });
})();
