/* The parts of the wall, made once and never by Dash, so that typing and scrolling are not disturbed: tools, a line that
   sums up, the grid, its tiles, and the large picture beside the tile under the pointer. */
(function () {
  "use strict";

  const ORDERS = [
    ["here", "activation here", "Strongest in this photo first"],
    ["attribution", "attribution", "From the largest positive attribution to the largest negative one"],
    ["number", "number", "By channel"],
  ];
  const make = (name, className, text) => {
    const element = document.createElement(name);
    element.className = className || "";
    if (text !== undefined) element.textContent = text;
    return element;
  };

  /* Fills an empty element; the parts by name. */
  function openWall(wall) {
    const parts = {};
    const tools = make("div", "tools wall-tools");
    tools.setAttribute("role", "toolbar");
    tools.setAttribute("aria-label", "Wall of units");
    parts.layer = make("select", "button");
    parts.layer.setAttribute("aria-label", "Layer");
    parts.order = make("div", "segments");
    parts.order.setAttribute("role", "group");
    parts.order.setAttribute("aria-label", "Sorted by");
    ORDERS.forEach(([name, label, title]) => {
      const button = make("button", "", label);
      button.type = "button";
      button.title = title;
      button.dataset.order = name;
      parts.order.append(button);
    });
    parts.filter = make("input", "button");
    parts.filter.type = "search";
    parts.filter.placeholder = "Number or name";
    parts.filter.setAttribute("aria-label", "Show only units with this number or name");
    const save = make("button", "button", "Save picture");
    save.type = "button";
    save.title = "The units on the screen, as PNG";
    save.dataset.save = "screen";
    tools.append(parts.layer, parts.filter, save, make("span", "grow"), parts.order);
    parts.summary = make("p", "wall-summary");
    parts.summary.setAttribute("role", "status");
    parts.grid = make("div", "wall-grid");
    parts.grid.setAttribute("role", "group");
    parts.grid.setAttribute("aria-label", "Units. Arrow keys move between them, Enter chooses.");
    parts.zoom = make("div", "wall-zoom");
    parts.zoom.hidden = true;
    parts.zoom.append(make("img"), make("span"));
    parts.zoom.setAttribute("aria-hidden", "true");
    wall.append(tools, parts.summary, parts.grid, parts.zoom);
    return parts;
  }

  function newTile(channel) {
    const button = make("button", "unit-card");
    button.type = "button";
    button.dataset.channel = channel;
    button.tabIndex = -1;
    const image = make("img");
    image.alt = "";
    image.decoding = "async";
    image.loading = "lazy";
    image.draggable = false;
    const frame = make("span", "frame");
    frame.dataset.state = "unknown";
    frame.append(image);
    const facts = make("span", "did numbers");
    facts.append(make("span", "here"), make("span", "share"));
    button.append(frame, make("span", "name"), facts);
    return button;
  }

  /* Shows the picture of a tile large beside it; with none, hides it. */
  function zoomTile(box, button) {
    const image = button && button.querySelector("img");
    if (!image || !image.getAttribute("src")) {
      box.hidden = true;
      return;
    }
    const tile = button.getBoundingClientRect();
    const side = 208;
    const right = tile.right + 6 + side < window.innerWidth - 8 ? tile.right + 6 : tile.left - side - 6;
    box.firstChild.src = image.getAttribute("src");
    box.lastChild.textContent = button.querySelector(".name").textContent;
    box.style.left = `${Math.round(right)}px`;
    box.style.top = `${Math.round(Math.min(Math.max(8, tile.top - 40), window.innerHeight - side - 44))}px`;
    box.hidden = false;
  }

  window.circuits = Object.assign(window.circuits || {}, { wallParts: { ORDERS, make, openWall, newTile, zoomTile } });
})();
