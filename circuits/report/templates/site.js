const root = document.body.dataset.root;
const drawing = document.querySelector("svg.map");
if (drawing) {
  const links = lightUp(drawing);
  beginAt(drawing.querySelector("a.node.root") || [...links.values()][0]);
}

const input = document.getElementById("search");
const found = document.getElementById("found");
const told = document.getElementById("told");
const MOST = 40;
let entries = null;

/** A text as it is compared: without accents and capitals. */
const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

/** Everything that can be found by its words; units that nobody named are found by their addresses alone. */
function entriesOf(index) {
  const bare = new Map(Object.entries(index.bare).map(([at, channels]) => [Number(at), new Set(channels)]));
  const unitAt = (at, channel) => {
    const [layer, folder] = index.layers[at];
    const [name, guess] = index.named[at]?.[channel] || ["", ""];
    const picture = bare.get(at)?.has(channel) ? "" : `pictures/${folder}/${channel}.webp`;
    return { words: plain(`${name} ${guess}`), label: name || `${layer}:${channel}`, sub: name ? `${layer}:${channel}` : guess || "unit", page: `units/${folder}/${channel}.html`, picture };
  };
  const top = index.layers.length - 1;
  const classes = index.classes.map(([number, label, photos]) => ({
    words: plain(label), label, sub: `class ${number}, ${photos} photo${photos === 1 ? "" : "s"}`, page: `classes/${number}.html`,
    picture: unitAt(top, number).picture,
  }));
  const named = Object.entries(index.named).flatMap(([at, units]) => Object.keys(units).map((channel) => unitAt(Number(at), Number(channel))));
  const layers = index.layers.map(([name, folder, channels]) => ({ words: plain(name), label: name, sub: `layer of ${channels}`, page: `layers/${folder}.html`, picture: "" }));
  return { index, unitAt, all: [...classes, ...named, ...layers] };
}

/** How well words fit what is asked for: whole, from their beginning, from that of a word, or somewhere; -1 if not. */
function fit(words, asked) {
  const at = words.indexOf(asked);
  if (at < 0) return -1;
  if (at === 0) return words.length === asked.length ? 0 : 1;
  return /[\p{L}\p{N}]/u.test(words[at - 1]) ? 3 : 2;
}

/** Units whose address, or the beginning of it, is asked for: conv7:257, conv7 257, 257. */
function addressed(asked) {
  const parts = asked.match(/^(.*?)[\s:/]*(\d+)$/);
  if (!parts) return [];
  const layers = entries.index.layers.map(([name, , channels], at) => [plain(name), channels, at]);
  const channel = Number(parts[2]);
  const fits = layers.filter(([name, channels]) => channel < channels && (parts[1] === "" || name.includes(parts[1])));
  fits.sort((one, other) => (other[0] === parts[1]) - (one[0] === parts[1]));
  return fits.map(([, , at]) => entries.unitAt(at, channel));
}

function search(asked) {
  const scored = entries.all.map((entry, order) => [fit(entry.words, asked), entry.words.length, order, entry]);
  const words = scored.filter(([score]) => score >= 0);
  const score = (row) => Number(row[3].sub.match(/\? ([\d.]+)/)?.[1] || 0);
  words.sort((one, other) => one[0] - other[0] || one[1] - other[1] || score(other) - score(one) || one[2] - other[2]);
  const byAddress = addressed(asked);
  const exact = words.filter(([score]) => score === 0).map((row) => row[3]);
  const others = words.filter(([score]) => score > 0).map((row) => row[3]);
  const pages = new Map([...exact, ...byAddress, ...others].map((entry) => [entry.page, entry]));
  return [...pages.values()];
}

function resultOf(entry) {
  const link = document.createElement("a");
  link.href = root + entry.page;
  const picture = document.createElement(entry.picture ? "img" : "span");
  picture.className = "pic";
  if (entry.picture) {
    picture.src = root + entry.picture;
    picture.alt = "";
    picture.loading = "lazy";
  }
  const name = document.createElement("span");
  name.className = "name";
  name.textContent = entry.label.length > 120 ? `${entry.label.slice(0, 119)}\u2026` : entry.label;
  const sub = document.createElement("span");
  sub.className = "sub";
  sub.textContent = entry.sub;
  name.append(sub);
  link.append(picture, name);
  const row = document.createElement("li");
  row.append(link);
  return row;
}

function show() {
  const asked = plain(input.value.trim());
  found.hidden = !asked || !entries;
  told.textContent = "";
  if (found.hidden) return;
  const results = search(asked);
  const list = document.createElement("ul");
  list.append(...results.slice(0, MOST).map(resultOf));
  const said = document.createElement("p");
  said.textContent = results.length > MOST ? `${MOST} of ${results.length}; type more to narrow it down.` : "Nothing found.";
  found.replaceChildren(...(results.length ? [list] : []), ...(results.length && results.length <= MOST ? [] : [said]));
  told.textContent = results.length === 1 ? "1 result" : `${results.length} results`;
}

/** The index is loaded when somebody begins to search, so that pages stay light. */
function load() {
  if (load.begun) return;
  load.begun = true;
  const script = document.createElement("script");
  script.src = `${root}assets/search-index.js`;
  script.addEventListener("load", () => {
    entries = entriesOf(window.siteIndex);
    show();
  });
  document.head.append(script);
}

const close = () => {
  found.hidden = true;
};

input.closest(".search").hidden = false;
input.addEventListener("focus", load);
input.addEventListener("input", () => {
  load();
  show();
});
input.addEventListener("focus", show);
document.addEventListener("keydown", (event) => {
  const links = [...found.querySelectorAll("a")];
  const at = links.indexOf(document.activeElement);
  const typing = /^(input|textarea|select)$/i.test(document.activeElement?.tagName || "");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    input.focus();
    input.select();
  } else if (found.hidden || !input.closest(".search").contains(document.activeElement)) {
    return;
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    const next = at + (event.key === "ArrowDown" ? 1 : -1);
    if (next < 0) input.focus();
    else links[next]?.focus();
  } else if (event.key === "Enter" && at < 0 && links.length) {
    links[0].click();
  } else if (event.key === "Escape") {
    input.focus();
    close();
  }
});
document.addEventListener("pointerdown", (event) => {
  if (!input.closest(".search").contains(event.target)) close();
});
input.closest(".search").addEventListener("focusout", (event) => {
  if (event.relatedTarget && !input.closest(".search").contains(event.relatedTarget)) close();
});
