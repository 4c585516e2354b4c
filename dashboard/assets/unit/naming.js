/* Name and note of the chosen unit. The fields are made here and never by the server, so that no update disturbs
   somebody who types. What is written is sent on Enter, when the field is left, and after a pause; all that is written
   before the field is left is one step of undo. */
(function () {
  "use strict";

  const PAUSE = 900;
  const FIELDS = [
    { kind: "name", tag: "input", label: "Name", most: 80, hint: "Such as “dog head”" },
    { kind: "note", tag: "textarea", label: "Note", most: 2000, hint: "Kept for this network, and in the circuit file" },
  ];
  let edits = 0;

  function make(tag, properties) {
    return Object.assign(document.createElement(tag), properties);
  }

  /* One field: shows what is kept unless somebody is writing in it, and sends what they wrote to the unit it was for. */
  function field({ kind, tag, label, most, hint }) {
    const input = make(tag, { id: `unit-${kind}`, maxLength: most, placeholder: hint, autocomplete: "off" });
    const row = make("label", { className: `naming-field of-${kind}` });
    row.append(make("span", { textContent: label }), input);
    if (tag === "textarea") input.rows = 1;
    let unit = "";
    let kept = "";
    let edit = "";
    let timer = 0;
    let sent = 0;

    const written = () => (kind === "name" ? input.value.trim().replace(/\s+/g, " ") : input.value.trimEnd());

    function save() {
      clearTimeout(timer);
      if (!unit || written() === kept) return;
      kept = written();
      sent = window.circuits.send(kind, { edit, unit, text: kept });
    }

    function begin() {
      edit = `${window.circuits.session.slice(0, 6)}-${kind}-${++edits}`;
    }

    input.addEventListener("focus", begin);
    input.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(save, PAUSE);
    });
    input.addEventListener("blur", () => {
      save();
      if (kind === "name") input.value = kept;
    });
    input.addEventListener("keydown", event => {
      event.stopPropagation();
      if (event.key === "Escape") {
        input.value = kept;
        window.circuits.leave(input);
      } else if (event.key === "Enter" && (kind === "name" || event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        save();
        if (kind === "note") window.circuits.leave(input);
      }
    });

    function show(told, seen) {
      const other = told.id !== unit;
      if (other) {
        save();
        unit = told.id;
        begin();
      } else if (seen < sent || (document.activeElement === input && written() !== kept)) {
        // The answer is older than what was written last.
        return;
      }
      kept = told[kind];
      if (other || written() !== kept) input.value = kept;
    }

    function leave() {
      save();
      unit = "";
    }

    return { row, show, leave };
  }

  let fields = null;

  window.circuits.followPane(({ naming: told, seen }) => {
    const box = document.getElementById("naming");
    if (!box) return;
    if (!fields) {
      fields = FIELDS.map(field);
      box.append(...fields.map(each => each.row));
    }
    box.hidden = !told;
    fields.forEach(each => (told ? each.show(told, seen) : each.leave()));
  });
})();
