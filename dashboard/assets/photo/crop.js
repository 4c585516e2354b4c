/* The choice of the crop: the whole photo in a dialog, with a frame of the network's shape over what it sees. The frame
   is dragged, resized by a handle or a slider, and moved with the arrow keys; plus and minus change its size. */
(function () {
  "use strict";

  const LEAST = 8;
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const clamp = (value, low, high) => Math.min(Math.max(value, low), Math.max(low, high));
  const make = (name, className, text) => {
    const element = document.createElement(name);
    element.className = className;
    if (text) element.textContent = text;
    return element;
  };

  function button(text, className, pressed) {
    const made = make("button", `button ${className}`.trim(), text);
    made.type = "button";
    made.onclick = pressed;
    return made;
  }

  /* photo: key, name, width, height, aspect, window, moved; see panels.py. */
  function open(photo) {
    const [left, top, right] = photo.window;
    const most = Math.min(photo.width, photo.height * photo.aspect);
    const least = Math.min(most, LEAST * Math.min(1, photo.aspect));
    const frame = { left, top, width: Math.min(right - left, most) };
    const high = () => frame.width / photo.aspect;

    const box = make("dialog", "cropper");
    box.setAttribute("aria-labelledby", "cropper-title");
    const title = make("h2", "", "Move the crop");
    title.id = "cropper-title";
    const hint = make("p", "small muted", "Drag the frame, or move it with the arrow keys (Shift: far); + and − change its size.");
    hint.id = "cropper-hint";
    const stage = make("div", "cropper-stage");
    stage.style.setProperty("--shape", photo.width / photo.height);
    const image = make("img", "");
    image.src = `whole/${window.circuits.link}/${photo.key}.webp`;
    image.alt = `${photo.name}, all of it`;
    image.draggable = false;
    image.onerror = () => stage.classList.add("failed");
    const seen = make("div", "cropper-frame");
    seen.tabIndex = 0;
    seen.setAttribute("role", "application");
    seen.setAttribute("aria-label", "The frame around what the network sees");
    seen.setAttribute("aria-describedby", "cropper-hint cropper-where");
    const handle = make("span", "cropper-handle");
    handle.setAttribute("aria-hidden", "true");
    seen.append(handle);
    stage.append(image, seen);

    const sizing = make("label", "cropper-size");
    const slider = make("input", "");
    slider.type = "range";
    slider.min = "0";
    slider.max = "1000";
    slider.setAttribute("aria-describedby", "cropper-where");
    sizing.append("Size", slider);
    const where = make("p", "small numbers");
    where.id = "cropper-where";
    where.setAttribute("role", "status");
    const use = button("Use this crop", "main", () => finish([frame.left, frame.top, frame.left + frame.width, frame.top + high()].map(side => Number(side.toFixed(2)))));
    const back = button("Default crop", "", () => finish(null));
    back.disabled = !photo.moved;
    back.title = photo.moved ? "The centre, as the network's preprocessing cuts it out" : "This is the default crop, unless you move it";
    const cancel = button("Cancel", "", () => box.close());
    const buttons = make("div", "buttons");
    buttons.append(use, back, cancel);
    box.append(title, hint, stage, sizing, where, buttons);

    function draw() {
      frame.width = clamp(frame.width, least, most);
      frame.left = clamp(frame.left, 0, photo.width - frame.width);
      frame.top = clamp(frame.top, 0, photo.height - high());
      seen.style.left = `${(100 * frame.left) / photo.width}%`;
      seen.style.top = `${(100 * frame.top) / photo.height}%`;
      seen.style.width = `${(100 * frame.width) / photo.width}%`;
      seen.style.height = `${(100 * high()) / photo.height}%`;
      // Equal steps of the slider are equal factors.
      slider.value = String(most > least ? Math.round((1000 * Math.log(frame.width / least)) / Math.log(most / least)) : 1000);
      slider.setAttribute("aria-valuetext", `${Math.round(frame.width)} pixels wide`);
      where.textContent = `${Math.round(frame.width)} × ${Math.round(high())} of ${photo.width} × ${photo.height} pixels, ` +
        `from ${Math.round(frame.left)} across and ${Math.round(frame.top)} down`;
    }

    /* To another width around the middle of the frame. */
    function resize(width) {
      const wanted = clamp(width, least, most);
      const grown = wanted - frame.width;
      frame.left -= grown / 2;
      frame.top -= grown / photo.aspect / 2;
      frame.width = wanted;
      draw();
    }

    function finish(chosen) {
      box.close();
      window.circuits.send("crop", { window: chosen });
    }

    let grip = null;
    seen.addEventListener("pointerdown", event => {
      if (event.button) return;
      const scale = photo.width / stage.getBoundingClientRect().width;
      grip = { x: event.clientX, y: event.clientY, scale, sizes: event.target === handle, from: { ...frame } };
      seen.setPointerCapture(event.pointerId);
      seen.focus();
      event.preventDefault();
    });
    seen.addEventListener("pointermove", event => {
      if (!grip) return;
      const across = (event.clientX - grip.x) * grip.scale;
      const down = (event.clientY - grip.y) * grip.scale;
      if (grip.sizes) {
        // The upper left corner stays, and the frame inside the photo.
        const room = Math.min(photo.width - grip.from.left, (photo.height - grip.from.top) * photo.aspect);
        frame.width = clamp(grip.from.width + Math.max(across, down * photo.aspect), least, room);
      } else {
        frame.left = grip.from.left + across;
        frame.top = grip.from.top + down;
      }
      draw();
    });
    const release = () => { grip = null; };
    seen.addEventListener("pointerup", release);
    seen.addEventListener("pointercancel", release);
    seen.addEventListener("keydown", event => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const pace = (event.shiftKey ? 0.1 : 0.01) * Math.max(photo.width, photo.height);
      if (ARROWS[event.key]) {
        frame.left += ARROWS[event.key][0] * pace;
        frame.top += ARROWS[event.key][1] * pace;
        draw();
      } else if (event.key === "+" || event.key === "=") resize(frame.width * 1.05);
      else if (event.key === "-") resize(frame.width / 1.05);
      else if (event.key === "Enter") use.click();
      else return;
      event.preventDefault();
    });
    slider.addEventListener("input", () => resize(least * Math.exp((Number(slider.value) / 1000) * Math.log(most / least))));
    box.addEventListener("close", () => box.remove());
    document.body.append(box);
    box.showModal();
    draw();
    seen.focus();
  }

  document.addEventListener("click", event => {
    const opener = event.target.closest("#move-crop");
    if (opener && !opener.disabled) open(JSON.parse(opener.dataset.photo));
  });
})();
