/* What a term means, in a note beside it: while it is pointed at, has the focus, or was tapped; Escape closes it. */
(function () {
  "use strict";

  const GAP = 6;
  const tip = Object.assign(document.createElement("div"), { id: "term-tip", className: "term-tip", hidden: true });
  tip.setAttribute("role", "tooltip");
  let asked = null;
  let home = "";

  const termOf = event => (event.target instanceof Element ? event.target.closest(".term") : null);

  function hide() {
    if (!asked) return;
    asked.classList.remove("asked");
    asked.removeAttribute("aria-describedby");
    tip.hidden = true;
    asked = null;
  }

  function show(term) {
    if (term === asked) return;
    hide();
    asked = term;
    home = term.closest("[id]").id;
    term.classList.add("asked");
    term.setAttribute("aria-describedby", tip.id);
    tip.textContent = term.dataset.term;
    if (!tip.isConnected) document.body.append(tip);
    tip.hidden = false;
    place();
  }

  /* Under the term, or over it where there is no room; it goes along when the pane is scrolled. */
  function place() {
    if (!asked) return;
    const line = asked.getClientRects()[0], { width, height } = tip.getBoundingClientRect();
    if (!line) return;
    const below = line.bottom + GAP + height < innerHeight - GAP;
    tip.style.left = `${Math.max(GAP, Math.min(line.left, innerWidth - width - GAP))}px`;
    tip.style.top = `${below ? line.bottom + GAP : Math.max(GAP, line.top - GAP - height)}px`;
  }

  document.addEventListener("pointerover", event => {
    const term = termOf(event);
    if (term) show(term);
    else if (asked && asked !== document.activeElement && !tip.contains(event.target)) hide();
  });
  document.addEventListener("focusin", event => {
    const term = termOf(event);
    if (term) show(term);
    else hide();
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("click", event => { if (termOf(event)) show(termOf(event)); });
  document.addEventListener("scroll", place, true);
  document.addEventListener("keydown", event => {
    const term = termOf(event);
    if (event.key === "Escape" && asked) hide();
    else if (term && (event.key === "Enter" || event.key === " ")) show(term);
    else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);
  /* Of a pane that is made anew the note goes on to the term that stands where the old one stood. */
  function renew() {
    if (!asked || asked.isConnected) return;
    const { dataset: { term }, textContent } = asked;
    const terms = document.getElementById(home)?.querySelectorAll(".term") ?? [];
    const same = [...terms].find(other => other.dataset.term === term && other.textContent === textContent);
    hide();
    if (same) show(same);
  }
  new MutationObserver(renew).observe(document.documentElement, { childList: true, subtree: true });
})();
