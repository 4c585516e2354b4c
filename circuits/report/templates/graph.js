"use strict";

/** Lets a drawn circuit light up what the unit that is pointed at belongs to; its units' links, by their addresses. */
function lightUp(map) {
  const links = new Map([...map.querySelectorAll("a.node")].map((link) => [link.dataset.id, link]));
  const light = (id) => {
    map.classList.toggle("dim", id !== null);
    const near = new Set([id]);
    for (const path of map.querySelectorAll(".edge, .doubt")) {
      const touches = id !== null && (path.dataset.source === id || path.dataset.target === id);
      path.classList.toggle("lit", touches);
      if (touches) near.add(path.dataset.source).add(path.dataset.target);
    }
    for (const [other, link] of links) link.classList.toggle("lit", near.has(other));
  };
  for (const [id, link] of links) {
    link.addEventListener("pointerenter", () => light(id));
    link.addEventListener("pointerleave", () => light(null));
  }
  return links;
}

/** A window that is too narrow for the drawing begins at its target, not at the names of its layers. */
function beginAt(link) {
  const across = link.closest(".scroll");
  const target = link.getBoundingClientRect();
  across.scrollLeft += target.x + target.width / 2 - across.getBoundingClientRect().x - across.clientWidth / 2;
}
