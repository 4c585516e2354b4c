/* The search field: a combobox whose list comes from the server. Enter asks why, Shift Enter does the second thing
   that a result offers; the same by clicking. Opened while nothing is written, it lists all classes; of a long list only
   the rows in sight are made. Made here and never by Dash, so that typing is not disturbed. */
(function () {
  "use strict";

  const PAUSE = 90;
  /* Pixels of a row of the list of classes, as in target.css; rows that are made beyond those in sight. */
  const ROW = 30, SPARE = 8, PAGE = 9;
  const KINDS = { class: "class", difference: "why not", unit: "unit", neuron: "neuron" };
  const make = (name, className, text) => {
    const element = document.createElement(name);
    element.className = className;
    if (text) element.textContent = text;
    return element;
  };

  let field = null;
  let panel = null;
  let orders = null;
  let list = null;
  let rows = null;
  /* What is told of all classes, while they are what is listed. */
  let told = null;
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
    const keys = make("span", "spoken", "Arrow keys choose, Enter explains, Shift Enter takes the second action, Escape "
      + "closes. Arrow down while nothing is written lists all classes; left and right change their order.");
    keys.id = "search-keys";
    list = make("div", "search-list");
    list.id = "search-list";
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "Search results");
    rows = make("div", "search-rows");
    rows.setAttribute("role", "presentation");
    list.append(rows);
    orders = make("div", "search-orders segments");
    orders.setAttribute("role", "group");
    orders.setAttribute("aria-label", "Order of the classes");
    panel = make("div", "search-panel");
    panel.append(orders, list);
    panel.hidden = true;
    said = make("p", "search-said small muted");
    said.setAttribute("role", "status");
    const hint = make("kbd", "search-hint", "/");
    hint.setAttribute("aria-hidden", "true");
    const all = make("button", "search-all", "▾");
    all.type = "button";
    all.tabIndex = -1;
    all.title = "All classes";
    all.setAttribute("aria-label", "All classes");
    box.append(field, hint, all, keys, panel, said);
    field.addEventListener("input", ask);
    field.addEventListener("click", () => { if (panel.hidden && !field.value.trim()) listAll(); });
    all.addEventListener("mousedown", event => event.preventDefault());
    all.addEventListener("click", () => {
      field.focus();
      if (told) { close(); return; }
      field.value = "";
      listAll();
    });
    field.addEventListener("keydown", key);
    field.addEventListener("focus", () => { if (field.value.trim()) ask(); });
    field.addEventListener("blur", close);
    // The field keeps the focus while a result is pressed.
    panel.addEventListener("mousedown", event => event.preventDefault());
    orders.addEventListener("click", event => {
      const button = event.target.closest("button");
      if (button) sort(button.dataset.order);
    });
    list.addEventListener("scroll", () => { if (told) draw(); });
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
    if (!field.value.trim()) { if (panel.hidden) close(); else listAll(); return; }
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

  async function listAll() {
    clearTimeout(timer);
    if (request) request.abort();
    const mine = new AbortController();
    request = mine;
    try {
      const found = await window.circuits.classes.fetch(window.circuits.session, mine.signal);
      if (request !== mine || document.activeElement !== field || field.value.trim()) return;
      show(window.circuits.classes.results(found), "", found);
    } catch (error) {
      if (error.name === "AbortError" || request !== mine) return;
      close();
      said.textContent = "The server does not answer, so the classes cannot be listed.";
    }
  }

  /* List the classes in another order, by probability or by name. */
  function sort(order) {
    window.circuits.classes.order = order;
    list.scrollTop = 0;
    show(window.circuits.classes.results(told), "", told);
  }

  function showOrders() {
    const { ORDERS, order } = window.circuits.classes;
    orders.hidden = !told || !told.chances.length;
    orders.replaceChildren(...Object.entries(ORDERS).map(([name, words]) => {
      const button = make("button", "", words);
      button.type = "button";
      button.tabIndex = -1;
      button.dataset.order = name;
      button.setAttribute("aria-pressed", String(name === order));
      return button;
    }));
  }

  /* The rows in sight, of a list of one height each; those that are there stay. */
  function draw() {
    const first = Math.max(0, Math.floor(list.scrollTop / ROW) - SPARE);
    const end = Math.min(results.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + SPARE);
    const there = new Map(Array.from(rows.children, row => [Number(row.dataset.place), row]));
    for (const [place, row] of there) if (place < first || place >= end) row.remove();
    for (let place = first; place < end; place++) {
      if (there.has(place)) continue;
      const row = option(results[place], place);
      row.style.top = `${place * ROW}px`;
      row.setAttribute("aria-setsize", results.length);
      row.setAttribute("aria-posinset", place + 1);
      row.setAttribute("aria-selected", String(place === chosen));
      rows.append(row);
    }
  }

  function show(found, text, all = null) {
    results = found;
    shownFor = text;
    told = all;
    panel.hidden = !found.length;
    list.classList.toggle("all", Boolean(all));
    rows.style.height = all ? `${found.length * ROW}px` : "";
    rows.replaceChildren(...(all ? [] : found.map(option)));
    showOrders();
    if (all) draw();
    field.setAttribute("aria-expanded", String(Boolean(found.length)));
    if (found.length) panel.scrollIntoView({ block: "nearest" });
    said.textContent = all && !found.length ? "This network names no classes. Try a layer, or a unit such as conv4:17." : found.length
      ? "" : `Nothing found for “${text.length > 80 ? `${text.slice(0, 80)}…` : text}”. Try a class, a layer, or a unit such as conv4:17.`;
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
    if (told && place >= 0) {
      if (place * ROW < list.scrollTop) list.scrollTop = place * ROW;
      if ((place + 1) * ROW > list.scrollTop + list.clientHeight) list.scrollTop = (place + 1) * ROW - list.clientHeight;
      draw();
    }
    Array.from(rows.children).forEach(row => row.setAttribute("aria-selected", String(Number(row.dataset.place) === place)));
    const row = rows.querySelector(`[data-place="${place}"]`);
    if (!row) { field.removeAttribute("aria-activedescendant"); return; }
    field.setAttribute("aria-activedescendant", row.id);
    if (!told) row.scrollIntoView({ block: "nearest" });
  }

  function close() {
    clearTimeout(timer);
    if (request) request.abort();
    request = null;
    results = [];
    shownFor = "";
    told = null;
    panel.hidden = true;
    rows.replaceChildren();
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
    else if (event.key === "ArrowDown" && !field.value.trim()) listAll();
    else if (event.key === "ArrowDown") ask();
    else if (told && event.key === "PageDown") choose(Math.min(last, chosen + PAGE));
    else if (told && event.key === "PageUp") choose(Math.max(0, chosen - PAGE));
    else if (told && event.key === "Home") choose(0);
    else if (told && event.key === "End") choose(last);
    else if (told && (event.key === "ArrowLeft" || event.key === "ArrowRight")) sort(event.key === "ArrowLeft" ? "chance" : "name");
    else if (event.key === "ArrowUp" && results.length) choose(chosen > 0 ? chosen - 1 : last);
    else if (event.key === "Enter" && shownFor === field.value.trim()) act(results[chosen], event.shiftKey);
    else if (event.key === "Enter") impatient = { text: field.value.trim(), other: event.shiftKey };
    else if (event.key === "Escape" && !panel.hidden) close();
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
