/* The page of the atlas: the search among its classes, the picture beside the point of the map that is pointed at, and
   the address of a class: #class=<label> opens its page. */
(function () {
  "use strict";

  const GAP = 14;

  /* ---- classes ---- */

  function filter() {
    const wanted = field.value.trim().toLowerCase();
    const rows = [...document.querySelectorAll("#atlas [data-class-label]")];
    rows.forEach(row => { row.hidden = !row.dataset.classLabel.includes(wanted); });
    const none = document.getElementById("atlas-none");
    if (none) none.hidden = rows.some(row => !row.hidden);
    return rows.filter(row => !row.hidden);
  }

  /* The field is made here, once, so that Dash does not touch what is being typed. */
  let writing = false;
  const field = document.createElement("input");
  Object.assign(field, { id: "atlas-find", type: "search", className: "button", placeholder: "Find a class" });
  field.setAttribute("aria-label", "Find a class of the atlas");

  function addField() {
    const place = document.getElementById("atlas-search");
    if (!place || place.firstChild) return;
    place.append(field);
    if (writing) field.focus();
    writing = false;
  }

  field.addEventListener("input", () => {
    if (!document.querySelector("#atlas .classes")) {
      writing = true;
      window.circuits.send("atlas-class", { of: "" });
    }
    filter();
  });

  field.addEventListener("keydown", event => {
    const [first] = event.key === "Enter" && field.value.trim() ? filter() : [];
    if (!first) return;
    field.value = "";
    first.querySelector("button").click();
  });

  /* ---- cards, which lists carry as JSON: data-classes those of classes, data-cards those of units ---- */

  function make(tag, className, ...parts) {
    const element = document.createElement(tag);
    element.className = className;
    element.append(...parts);
    return element;
  }

  function classCard({ of, label, photos, picture }) {
    const image = make(picture ? "img" : "span", picture ? "" : "no-picture");
    if (picture) Object.assign(image, { loading: "lazy", alt: "", width: 44, height: 44, src: picture });
    const button = make("button", "class-card", image, make("span", "", make("b", "", label), make("span", "muted small", photos)));
    button.type = "button";
    Object.assign(button.dataset, { action: "atlas-class", payload: JSON.stringify({ of }) });
    const row = make("li", "", button);
    row.dataset.classLabel = label.toLowerCase();
    return row;
  }

  function unitCard(told) {
    const image = make("img", "");
    image.alt = "";
    image.hidden = !told.picture;
    if (told.picture) image.src = told.picture;
    const frame = make("span", "frame", image);
    frame.dataset.state = told.picture ? "ready" : "none";
    if (told.tile) frame.dataset.tile = told.tile;
    const shares = make("span", "shares numbers", make("span", "", told.contribution), make("span", "muted", told.selectivity));
    const button = make("button", "unit-card", frame, make("span", "name", told.name), shares);
    Object.assign(button, { type: "button", title: told.spoken });
    button.setAttribute("aria-label", told.spoken);
    Object.assign(button.dataset, { action: "unit", payload: JSON.stringify({ unit: told.unit }) });
    return make("li", "", button);
  }

  const CARDS = { classes: classCard, cards: unitCard };

  function fill() {
    document.querySelectorAll("#atlas [data-classes], #atlas [data-cards]").forEach(list => {
      const kind = list.dataset.classes ? "classes" : "cards";
      const told = list.dataset[kind];
      if (list.filled === told) return;
      list.filled = told;
      list.replaceChildren(...JSON.parse(told).map(CARDS[kind]));
    });
  }

  /* ---- the map ---- */

  const closeUp = () => document.getElementById("map-card");

  function showCard(event) {
    const box = closeUp();
    const [point] = event.points;
    if (!box || !point) return;
    const [unit, picture, name] = point.customdata;
    const words = document.createElement("span");
    words.textContent = name ? `${name} · ${unit}` : unit;
    const image = document.createElement("img");
    image.alt = "";
    image.src = picture;
    box.replaceChildren(...(picture ? [image] : []), words);
    box.hidden = false;
    const { clientX, clientY } = event.event;
    const { width, height } = box.getBoundingClientRect();
    const left = clientX + GAP + width > innerWidth ? clientX - GAP - width : clientX + GAP;
    box.style.left = `${Math.max(4, left)}px`;
    box.style.top = `${Math.max(4, Math.min(clientY - height / 2, innerHeight - height - 4))}px`;
  }

  function hideCard() {
    if (closeUp()) closeUp().hidden = true;
  }

  let listening = null;
  function listen() {
    const chart = document.querySelector("#atlas .js-plotly-plot");
    if (!chart || chart === listening || !chart.on) return;
    listening = chart;
    chart.on("plotly_hover", showCard);
    chart.on("plotly_unhover", hideCard);
    chart.on("plotly_click", event => window.circuits.send("unit", { unit: event.points[0].customdata[0] }));
  }

  /* ---- with every view ---- */

  let watched = null;
  window.circuits.follow(view => {
    if (view.page !== "atlas") hideCard();
    const box = document.getElementById("atlas");
    if (!box || box === watched) return;
    watched = box;
    const all = () => { addField(); fill(); filter(); listen(); };
    new MutationObserver(all).observe(box, { childList: true, subtree: true, attributeFilter: ["data-classes", "data-cards"] });
    all();
  });
})();
