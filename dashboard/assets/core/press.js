/* A button that Dash makes anew between press and release gets its click all the same.

   The browser gives a click only to what was under the pointer both times. An answer of the server that arrives in
   between puts another element there, one that does the same; the press was meant for it. A tap needs no help: the
   browser looks for its target when the finger leaves. */
(function () {
  "use strict";

  const PRESSABLE = "button, summary, a[href]";
  let pressed = null;

  /* What it does, or else what it says: two buttons alike in this are the same one to a person. */
  function doing(button) {
    const { action, arg } = button.dataset;
    return [button.tagName, button.id, action || button.textContent, arg || ""].join("\n");
  }

  document.addEventListener("pointerdown", event => {
    const button = event.button === 0 && event.pointerType !== "touch" && event.target.closest(PRESSABLE);
    pressed = button ? { origin: event.target, doing: doing(button) } : null;
  }, true);

  document.addEventListener("pointerup", event => {
    const { origin, doing: wanted } = pressed || {};
    pressed = null;
    if (!origin || origin.isConnected) return;
    const under = document.elementFromPoint(event.clientX, event.clientY);
    const button = under && under.closest(PRESSABLE);
    if (button && doing(button) === wanted) button.click();
  }, true);
})();
