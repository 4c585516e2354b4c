/* Units under one name: the line over the graph with the sets that there are, and with a field for a name while units are
   marked. Its field is made once, so that typing is not disturbed. */
(function () {
  "use strict";

  const send = (kind, payload) => window.circuits.send(kind, payload);
  const make = (name, className, text = "") => Object.assign(document.createElement(name), { className, textContent: text });

  function openSets(box) {
    /* The set that is being changed, "" for a new one. */
    let before = "";
    let drawn = "";
    const list = make("span", "sets-list");
    const form = Object.assign(make("form", "sets-form"), { hidden: true });
    const count = make("b", "");
    const hint = make("span", "muted small", "Shift-click marks more units to name together.");
    const field = Object.assign(make("input", "button"), { type: "text", maxLength: 80, placeholder: "One name for them" });
    field.setAttribute("aria-label", "Name of the marked units");
    const keep = Object.assign(make("button", "button main", "Keep as a set"), { type: "submit" });
    const clear = Object.assign(make("button", "button", "Unmark"), { type: "button" });
    form.append(count, hint, field, keep, clear);
    box.append(list, form);

    function stop() {
      before = "";
      field.value = "";
    }

    form.addEventListener("submit", event => {
      event.preventDefault();
      send("name_set", { name: field.value, before });
      stop();
    });
    clear.addEventListener("click", () => { stop(); send("unmark"); });
    list.addEventListener("click", event => {
      const button = event.target.closest("button");
      if (!button) return;
      const { name } = button.parentElement.dataset;
      if (button.dataset.does === "drop") send("drop_set", { name });
      else {
        before = name;
        field.value = name;
        send("mark_set", { name });
      }
    });

    function chip({ name, units }) {
      const span = make("span", "set-chip");
      span.dataset.name = name;
      const change = Object.assign(make("button", "", `${name} · ${units.length}`), { type: "button" });
      change.title = "Mark its units, to add others, take some away, or change the name";
      const drop = Object.assign(make("button", "", "×"), { type: "button", title: "Remove the set; its units stay" });
      drop.dataset.does = "drop";
      drop.setAttribute("aria-label", `Remove the set ${name}`);
      span.append(change, drop);
      return span;
    }

    /* sets: [{ name, units }]; marked: ids. */
    return function draw(sets, marked) {
      const text = JSON.stringify(sets);
      if (text !== drawn) list.replaceChildren(...sets.map(chip));
      drawn = text;
      form.hidden = !marked.length;
      if (!marked.length) stop();
      count.textContent = `${marked.length} unit${marked.length === 1 ? "" : "s"} marked`;
      count.title = "Shift-click or Ctrl-click marks more units to name together";
      hint.hidden = marked.length > 1;
      box.hidden = !sets.length && !marked.length;
    };
  }

  window.circuits = Object.assign(window.circuits || {}, { openSets });
})();
