/* What is on screen as pixels: an element is copied with the styles that it has now, pictures and all, into an SVG that
   the browser draws. Nothing outside the page is asked for. */
(function () {
  "use strict";

  /* Pixels for each of the screen, fewer where that would be too many. */
  const FINE = 2;
  const MOST = 3.2e7;
  const STYLES = [
    "align-items", "align-content", "align-self", "background-clip", "background-color", "background-image", "background-position",
    "background-repeat", "background-size", "border-bottom", "border-left", "border-right", "border-top", "border-radius", "box-shadow",
    "box-sizing", "clip-path", "color", "column-gap", "row-gap", "display", "dominant-baseline", "fill", "flex-basis", "flex-direction",
    "flex-grow", "flex-shrink", "flex-wrap", "font-family", "font-feature-settings", "font-size", "font-style", "font-variant-numeric",
    "font-weight", "grid-auto-rows", "grid-template-columns", "grid-template-rows", "grid-column-start", "grid-column-end", "height", "justify-self",
    "inset", "justify-content", "justify-items", "letter-spacing", "line-height", "margin", "max-width", "min-width", "min-height",
    "object-fit", "opacity", "order", "overflow", "padding", "paint-order", "place-items", "position", "rotate", "scale", "stroke",
    "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "stroke-width", "text-align", "text-anchor", "text-decoration-line",
    "text-overflow", "text-transform", "transform", "transform-origin", "translate", "vertical-align", "visibility", "white-space",
    "width", "word-break", "overflow-wrap", "z-index", "filter",
  ];
  const LEFT_OUT = "script, title, input[type=file], .wide, .spoken, .wall-zoom, .plus, .band button";

  const styled = style => STYLES.map(name => `${name}:${style.getPropertyValue(name)}`).join(";");

  /* An address as a data URI; "" if it cannot be had. */
  async function inline(address) {
    if (address.startsWith("data:")) return address;
    const answer = await fetch(address).catch(() => null);
    if (!answer || !answer.ok) return "";
    const reader = new FileReader();
    const blob = await answer.blob();
    return new Promise(done => {
      reader.onload = () => done(reader.result);
      reader.readAsDataURL(blob);
    });
  }

  /* What stands before or after an element without being in the page. */
  function pseudo(element, which) {
    const style = getComputedStyle(element, which);
    const content = style.getPropertyValue("content");
    if (["none", "normal"].includes(content) || style.display === "none") return [];
    const span = document.createElement("span");
    span.textContent = content.replace(/^"|"$/g, "");
    span.setAttribute("style", styled(style));
    return [span];
  }

  /* A copy of an element with its styles; of what lies outside `box` only its room. waiting: promises of its pictures. */
  function copy(element, box, waiting) {
    const style = getComputedStyle(element);
    if (style.display === "none" || element.matches(LEFT_OUT)) return null;
    const isCanvas = element.tagName === "CANVAS";
    const twin = isCanvas ? document.createElement("img") : element.cloneNode(false);
    [...twin.attributes].forEach(({ name }) => {
      if (/^(id|class|on.*|data-.*|srcset|loading|decoding|title)$/.test(name)) twin.removeAttribute(name);
    });
    twin.setAttribute("style", styled(style));
    const { left, top, right, bottom, width, height } = element.getBoundingClientRect();
    const away = width && height && (right < box.left || left > box.right || bottom < box.top || top > box.bottom);
    if (away && !element.namespaceURI.endsWith("svg")) return twin;
    if (isCanvas) twin.src = element.toDataURL();
    if (element.tagName === "IMG") {
      twin.removeAttribute("src");
      if (element.currentSrc) waiting.push(inline(element.currentSrc).then(uri => { if (uri) twin.src = uri; }));
    }
    if (element.tagName === "INPUT") twin.setAttribute("value", element.value);
    twin.append(...pseudo(element, "::before"));
    element.childNodes.forEach(child => {
      const part = child.nodeType === Node.TEXT_NODE ? child.cloneNode() : child.nodeType === Node.ELEMENT_NODE ? copy(child, box, waiting) : null;
      if (part) twin.append(part);
    });
    twin.append(...pseudo(element, "::after"));
    // A copy cannot be scrolled; what is in it is moved instead.
    if (element.scrollTop || element.scrollLeft) {
      const moved = document.createElement("div");
      moved.setAttribute("style", `${twin.getAttribute("style")};position:relative;inset:${-element.scrollTop}px auto auto ${-element.scrollLeft}px;` +
        "width:100%;height:auto;margin:0;padding:0;border:0;overflow:visible;max-width:none");
      moved.append(...twin.childNodes);
      twin.append(moved);
    }
    return twin;
  }

  const drawn = async address => {
    const image = new Image();
    image.src = address;
    await image.decode();
    return image;
  };

  /* Gives a PNG of an element as it is seen. */
  async function capture(element) {
    const box = element.getBoundingClientRect();
    const waiting = [];
    const twin = copy(element, box, waiting);
    await Promise.all(waiting);
    Object.assign(twin.style, { position: "relative", inset: "0", margin: "0", width: `${box.width}px`, height: `${box.height}px`, overflow: "hidden" });
    const ground = document.createElement("div");
    ground.style.background = getComputedStyle(document.body).backgroundColor;
    ground.append(twin);
    const [wide, tall] = [Math.ceil(box.width), Math.ceil(box.height)];
    const scale = Math.min(FINE, Math.sqrt(MOST / (wide * tall)));
    const html = new XMLSerializer().serializeToString(ground);
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${wide * scale}" height="${tall * scale}" viewBox="0 0 ${wide} ${tall}">` +
      `<foreignObject width="${wide}" height="${tall}">${html}</foreignObject></svg>`;
    const image = await drawn(`data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`);
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(wide * scale);
    canvas.height = Math.round(tall * scale);
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    return new Promise(done => { canvas.toBlob(done, "image/png"); });
  }

  Object.assign(window.circuits, { capture });
})();
