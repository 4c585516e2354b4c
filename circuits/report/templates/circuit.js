const text = document.getElementById("circuit").textContent;
const file = JSON.parse(text);
const map = document.querySelector("svg.map");
const details = document.getElementById("details");
const drawn = lightUp(map);
const nodes = new Map(file.nodes.filter((node) => drawn.has(node.id)).map((node) => [node.id, node]));
const edges = file.edges.filter((edge) => nodes.has(edge.source) && nodes.has(edge.target));
edges.sort((one, other) => one.rank - other.rank);

const into = (id) => edges.filter((edge) => edge.target === id);
const isResidual = (id) => id.endsWith("/rest");
const called = (node) => node.name || node.label;
const outOf = (id) =>
  edges.filter((edge) => edge.source === id).sort((one, other) => Math.abs(other.attribution) - Math.abs(one.attribution));

function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

function number(value, signed = false) {
  const size = Math.abs(value);
  const text = size >= 1000 ? size.toFixed(0) : size.toPrecision(3);
  if (size === 0) return "0";
  return (value < 0 ? "\u2212" : signed ? "+" : "") + text;
}

function percent(share) {
  if (share > 0 && share < 0.005) return "< 1 %";
  return share >= 0.995 && share < 1 ? "> 99 %" : `${Math.round(share * 100)} %`;
}

/** One row of a bar chart around zero: a label, a bar from zero to the value, and the number. */
function bar(label, value, low, high, kind) {
  const span = high - low || 1;
  const fill = make("i", kind || (value < 0 ? "against" : ""));
  fill.style.left = `${((Math.min(value, 0) - low) / span) * 100}%`;
  fill.style.width = `${(Math.abs(value) / span) * 100}%`;
  const track = make("div", "bar", fill);
  if (low < 0) {
    const zero = make("b");
    zero.style.left = `${(-low / span) * 100}%`;
    track.append(zero);
  }
  return [label, track];
}

function bookBars(node) {
  const closing = ["bias", "base", "remainder"].find((name) => name in node);
  const hasGroups = "residual" in node;
  const shown = into(node.id).filter((edge) => !isResidual(edge.source));
  const sum = node.shown + node.rest + (node.residual || 0) + node[closing];
  const rows = [
    [`shown (${shown.length})`, node.shown],
    ["rest", node.rest],
    ...(hasGroups ? [["not in any group", node.residual]] : []),
    [closing, node[closing]],
    ["value", sum, "whole"],
  ];
  const low = Math.min(0, ...rows.map((row) => row[1]));
  const high = Math.max(0, ...rows.map((row) => row[1]));
  const chart = make("div", "bars");
  for (const [label, value, kind] of rows)
    chart.append(...bar(make("span", "", label), value, low, high, kind), make("span", "number", number(value, !kind)));
  return chart;
}

/** The same rules as the library's `Edge.disagrees`, `.cancels` and `.saturates`. */
function doubtsOf(edge) {
  const differ = (one, other) => {
    const [small, large] = [Math.abs(one), Math.abs(other)].sort((a, b) => a - b);
    return one * other < 0 || large > 2 * small;
  };
  const said = [];
  const ablated = file.graph.settings.baseline === "mean" ? edge.ablation_mean : edge.ablation;
  if (ablated !== undefined && differ(edge.attribution, ablated)) said.push("\u2260 ablation disagrees");
  if (!("positive" in edge && "negative" in edge)) return said;
  const net = edge.positive + edge.negative;
  if (Math.abs(net) < 0.1 * (edge.positive - edge.negative))
    said.push(`\u00b1 parts cancel: ${number(edge.positive, true)} and ${number(edge.negative, true)}`);
  if ("integrated" in edge && differ(net, edge.integrated))
    said.push(
      `\u222b ${Math.abs(edge.integrated) > Math.abs(net) ? "saturated" : "past a threshold"}: ` +
        `integrated ${number(edge.integrated, true)}`,
    );
  return said;
}

/** How well the attributions below a unit agree with ablation, a line for each baseline. */
function agreements(node) {
  const shown = into(node.id).map((edge) => edge.source);
  return (node.measured || []).map((found) => {
    const said = [];
    if ("spearman" in found)
      said.push(
        `rank correlation ${found.spearman.toFixed(2).replace("-", "\u2212")} over ${found.sampled || found.units} units` +
          (found.sampled ? `, a random sample of ${found.units}` : ""),
      );
    const same = (found.together || []).length === shown.length && shown.every((id) => found.together.includes(id));
    if (same && "error" in found) said.push(`attributions off by ${percent(Math.round(found.error * 1000) / 1000)}`);
    if (same && "joint" in found) said.push(`all together ${number(found.joint, true)}`);
    const head = found.baseline === "zero" ? "Set to zero: " : `Set to their mean over ${found.source || "photos"}: `;
    return make("p", "agreement", make("b", "", head), `${said.join("; ")}.`);
  });
}

function edgeBars(list, other) {
  const low = Math.min(0, ...list.map((edge) => edge.attribution));
  const high = Math.max(0, ...list.map((edge) => edge.attribution));
  const chart = make("div", "bars");
  for (const edge of list) {
    const unit = nodes.get(edge[other]);
    const jump = make("button", "", called(unit));
    jump.type = "button";
    jump.addEventListener("click", () => choose(unit.id, true));
    const gross = nodes.get(edge.target).gross;
    const part = gross ? ` \u00b7 ${percent(Math.abs(edge.attribution) / gross)}` : "";
    const said = make("span", "number", number(edge.attribution, true) + part);
    if ("error" in edge) said.append(make("br"), make("span", "ablated", `\u00b1 ${number(edge.error)}`));
    if ("consistency" in edge)
      said.append(make("br"), make("span", "ablated", `among the top five in ${percent(edge.consistency)} of batches`));
    if ("ablation" in edge) said.append(make("br"), make("span", "ablated", `ablated ${number(edge.ablation, true)}`));
    if ("ablation_mean" in edge)
      said.append(make("br"), make("span", "ablated", `to its mean ${number(edge.ablation_mean, true)}`));
    chart.append(...bar(jump, edge.attribution, low, high), said);
    const doubts = doubtsOf(edge);
    if (doubts.length) chart.append(make("p", "warned", doubts.join("; ")));
  }
  return chart;
}

function figure(link, kind, caption) {
  const image = link.querySelector(`.${kind} image`);
  if (!image) return [];
  const picture = make("img");
  picture.src = image.getAttribute("href");
  picture.alt = caption;
  return [make("figure", "", picture, make("figcaption", "", caption))];
}

function choose(id, focus = false) {
  const node = nodes.get(id);
  const link = drawn.get(id);
  for (const other of drawn.values()) {
    other.classList.toggle("chosen", other === link);
    other.removeAttribute("aria-current");
  }
  link.setAttribute("aria-current", "true");
  if (focus) link.focus();
  const parts = [make("p", "name", called(node))];
  if (node.name && node.label !== node.id) parts.push(make("p", "quiet", node.label));
  if (called(node) !== node.id) parts.push(make("p", "quiet code", node.id));
  const pictures = [
    ...figure(link, "picture", "what it looks for"),
    ...figure(link, "patch", "where it fired most"),
    ...figure(link, "heat", "where it fired in this photo"),
  ];
  if (pictures.length) parts.push(make("div", "pictures", ...pictures));
  if (link.dataset.says) parts.push(make("p", "says", link.dataset.says));
  const error = "error" in node ? ` \u00b1 ${number(node.error)}` : "";
  const facts = make("dl", "facts", make("dt", "", "value"), make("dd", "", number(node.value) + error));
  if ("collection" in file.graph) facts.append(make("dt", "", "mean peak"), make("dd", "", number(node.max)));
  else if (node.max !== node.value)
    facts.append(make("dt", "", "highest"), make("dd", "", `${number(node.max)} at row ${node.peak[0]}, column ${node.peak[1]}`));
  if (node.expanded) facts.append(make("dt", "", "coverage"), make("dd", "", `${percent(node.coverage)} of the attribution below is shown`));
  parts.push(facts);
  if (node.note) parts.push(make("p", "remark", node.note));
  if (node.expanded) parts.push(make("h2", "", "Decomposition of its value"), bookBars(node));
  const below = into(id);
  if (below.length) parts.push(make("h2", "", "Contributions from the layer below"), edgeBars(below, "source"));
  const agreed = agreements(node);
  if (agreed.length) parts.push(make("h2", "", "Measured by ablation"), ...agreed);
  const above = outOf(id);
  if (above.length) parts.push(make("h2", "", "Contributions to the layer above"), edgeBars(above, "target"));
  details.replaceChildren(...parts);
  details.scrollTop = 0;
}

function step(id, key) {
  const order = [...drawn.keys()];
  const at = order.indexOf(id);
  if (key === "ArrowLeft") return order[at - 1];
  if (key === "ArrowRight") return order[at + 1];
  if (key === "ArrowUp") return outOf(id)[0]?.target;
  if (key === "ArrowDown") return into(id)[0]?.source;
  return undefined;
}

for (const [id, link] of drawn) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    choose(id);
    const under = details.getBoundingClientRect().top >= map.getBoundingClientRect().bottom;
    if (under) details.scrollIntoView({ block: "nearest" });
  });
  link.addEventListener("keydown", (event) => {
    const next = event.key.startsWith("Arrow") ? step(id, event.key) : undefined;
    if (next === undefined) return;
    event.preventDefault();
    choose(next, true);
  });
}

document.getElementById("save").addEventListener("click", () => {
  const link = make("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = document.getElementById("save").dataset.name;
  link.click();
  URL.revokeObjectURL(link.href);
});

/* What all units show: what is asked for, or else what comes first of what they have. */
function lookAt(wanted) {
  for (const link of drawn.values()) {
    const parts = [...link.querySelectorAll(".look")];
    const order = ["picture", "patch", "heat"].map((kind) => parts.find((part) => part.classList.contains(kind)));
    const shown = parts.find((part) => part.classList.contains(wanted)) || order.find(Boolean);
    for (const part of parts) part.setAttribute("visibility", part === shown ? "visible" : "hidden");
  }
  for (const button of looks) button.setAttribute("aria-pressed", String(button.dataset.look === wanted));
}

const looks = [...document.querySelectorAll("[data-look]")];
for (const button of looks) button.addEventListener("click", () => lookAt(button.dataset.look));
for (const group of document.querySelectorAll(".switch")) group.hidden = false;
details.hidden = false;
document.getElementById("save").hidden = false;
choose(file.graph.target.unit);

beginAt(drawn.get(file.graph.target.unit));
