/* The search field: a combobox whose list comes from the server. Enter asks why, Shift Enter does the second thing
   that a result offers; the same by clicking. Made here and never by Dash, so that typing is not disturbed. */
(function () {
  "use strict";

  const PAUSE = 90;
  const KINDS = { class: "class", difference: "why not", unit: "unit", neuron: "neuron" };
  const make = (name, className, text) => {
    const element = document.createElement(name);
    element.className = className;
    if (text) element.textContent = text;
    return element;
  };

  let field = null;
  let list = null;
  let said = null;
  let results = [];
  let chosen = -1;
  let timer = 0;
  let request = null;
  /* The text whose results are shown; Enter on another one waits for its own. */
  let shownFor = "";
  let impatient = null;

  function begin() {
    const box = document.getElementById("search");
    if (field || !box) return;
    field = make("input", "search-field");
    field.type = "text";
    field.autocomplete = "off";
    field.spellcheck = false;
    field.placeholder = "Find a class or unit …";
    field.title = "Press / to come here";
    for (const [name, value] of Object.entries({
      role: "combobox", "aria-label": "Find a class, a unit or a layer", "aria-expanded": "false",
      "aria-controls": "search-list", "aria-autocomplete": "list", "aria-describedby": "search-keys",
    })) field.setAttribute(name, value);
    const keys = make("span", "spoken", "Arrow keys choose, Enter explains, Shift Enter takes the second action, Escape closes.");
    keys.id = "search-keys";
    list = make("div", "search-list");
    list.id = "search-list";
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "Search results");
    list.hidden = true;
    said = make("p", "search-said small muted");
    said.setAttribute("role", "status");
    const hint = make("kbd", "search-hint", "/");
    hint.setAttribute("aria-hidden", "true");
    box.append(field, hint, keys, list, said);
    field.addEventListener("input", ask);
    field.addEventListener("keydown", key);
    field.addEventListener("focus", () => { if (field.value.trim()) ask(); });
    field.addEventListener("blur", close);
    // The field keeps the focus while a result is pressed.
    list.addEventListener("mousedown", event => event.preventDefault());
    list.addEventListener("click", press);
    list.addEventListener("mousemove", event => {
      const option = event.target.closest("[role=option]");
      if (option && Number(option.dataset.place) !== chosen) choose(Number(option.dataset.place));
    });
  }

  /* ---- asking ---- */

  function ask() {
    clearTimeout(timer);
    impatient = null;
    if (request) request.abort();
    if (!field.value.trim()) { close(); return; }
    timer = setTimeout(fetchResults, PAUSE);
  }

  async function fetchResults() {
    const text = field.value.trim();
    const mine = new AbortController();
    request = mine;
    const address = new URLSearchParams({ session: window.circuits.session, text });
    try {
      const answer = await fetch(`find?${address}`, { signal: mine.signal });
      if (!answer.ok) throw new Error(answer.statusText);
      const found = (await answer.json()).results;
      if (request === mine && document.activeElement === field) show(found, text);
    } catch (error) {
      if (error.name === "AbortError" || request !== mine) return;
      close();
      said.textContent = "The server does not answer, so nothing was searched.";
    }
  }

  /* ---- the list ---- */

  function show(found, text) {
    results = found;
    shownFor = text;
    list.replaceChildren(...found.map(option));
    list.hidden = !found.length;
    field.setAttribute("aria-expanded", String(Boolean(found.length)));
    if (found.length) list.scrollIntoView({ block: "nearest" });
    said.textContent = found.length
      ? "" : `Nothing found for “${text}”. Try a class, a layer, or a unit such as conv4:17.`;
    choose(found.length ? 0 : -1);
    if (impatient !== null && impatient.text === text) act(results[chosen], impatient.other);
    impatient = null;
  }

  function option(result, place) {
    const row = make("div", "search-option");
    row.id = `search-option-${place}`;
    row.setAttribute("role", "option");
    row.dataset.place = place;
    row.title = result.reason || result.question;
    if (result.reason) row.setAttribute("aria-disabled", "true");
    const words = make("span", "search-words");
    words.append(make("span", "search-label", result.label), make("span", "small muted", result.reason || result.detail));
    row.append(words, make("span", "search-kind", KINDS[result.kind]));
    if (result.other) {
      const other = make("span", "search-other", result.other.label);
      other.title = `Shift Enter: ${result.other.label}`;
      row.append(other);
    }
    row.setAttribute("aria-label", spoken(result));
    return row;
  }

  function spoken(result) {
    const parts = [result.label, KINDS[result.kind], result.reason || result.detail];
    if (result.other) parts.push(`Shift Enter: ${result.other.label}`);
    return parts.filter(Boolean).join(", ");
  }

  function choose(place) {
    chosen = place;
    Array.from(list.children).forEach((row, index) => row.setAttribute("aria-selected", String(index === place)));
    if (place < 0) field.removeAttribute("aria-activedescendant");
    else {
      field.setAttribute("aria-activedescendant", list.children[place].id);
      list.children[place].scrollIntoView({ block: "nearest" });
    }
  }

  function close() {
    clearTimeout(timer);
    if (request) request.abort();
    request = null;
    results = [];
    shownFor = "";
    list.hidden = true;
    list.replaceChildren();
    said.textContent = "";
    field.setAttribute("aria-expanded", "false");
    choose(-1);
  }

  /* ---- doing ---- */

  function act(result, other) {
    if (!result) return;
    const { send, toast, focusTarget } = window.circuits;
    if (other && result.other) focusTarget(send(result.other.action, result.other.payload));
    else if (result.reason) { toast({ kind: "info", text: result.reason }); return; }
    else focusTarget(send("root", { target: result.subject }));
    field.value = "";
    close();
    // Keys are for the graph again, whose target takes the focus once it is there.
    field.blur();
  }

  function press(event) {
    const row = event.target.closest("[role=option]");
    if (row) act(results[Number(row.dataset.place)], Boolean(event.target.closest(".search-other")));
  }

  function key(event) {
    const last = results.length - 1;
    if (event.key === "ArrowDown" && results.length) choose(chosen < last ? chosen + 1 : 0);
    else if (event.key === "ArrowDown") ask();
    else if (event.key === "ArrowUp" && results.length) choose(chosen > 0 ? chosen - 1 : last);
    else if (event.key === "Enter" && shownFor === field.value.trim()) act(results[chosen], event.shiftKey);
    else if (event.key === "Enter") impatient = { text: field.value.trim(), other: event.shiftKey };
    else if (event.key === "Escape" && !list.hidden) close();
    else if (event.key === "Escape" && field.value) { field.value = ""; close(); }
    else if (event.key === "Escape") field.blur();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  document.addEventListener("keydown", event => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || !field) return;
    if (event.target.closest("input, textarea, select, dialog, [contenteditable]")) return;
    event.preventDefault();
    field.focus();
    field.select();
  });

  window.circuits.follow(begin);
})();
