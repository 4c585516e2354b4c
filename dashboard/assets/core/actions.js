/* What a person does, on its way to the server: a numbered queue, files, toasts, theme.

   Every element with data-action sends that action, with data-payload, JSON, as its payload. The whole queue goes along
   each time and the server applies the numbers that it has not seen, so an answer that Dash drops loses nothing. */
(function () {
  "use strict";

  const FILE_LIMIT = 11 * 2 ** 20;
  const hex = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), b => b.toString(16).padStart(2, "0")).join("");

  /* The session that the address names, if it is not this tab's own: the page begins as a copy of it. An address has
     the link of a session, by which it can be read; its own name, by which it can be changed, stays in this tab. */
  const named = (/^#view=([^&]+)/.exec(location.hash) || [])[1];
  const own = sessionStorage.getItem("circuits-session");
  const link = sessionStorage.getItem("circuits-link");
  const asked = new URLSearchParams(location.hash.slice(1)).get("class") || "";
  const shared = named && named !== own && named !== link ? named : "";
  const session = /^[0-9a-f]{32}$/.test(own || "") && !shared ? own : hex();
  sessionStorage.setItem("circuits-session", session);
  const tab = hex();
  let queue = [];
  let number = 0;
  let files = 0;
  const STRIP = 12;
  /* Milliseconds after which a file is sent again: to a busy server, and to one that did not answer. */
  const AGAIN_AFTER = 500;
  const ASK_AGAIN = 3000;

  function send(kind, payload = {}) {
    queue.push({ number: ++number, kind, payload });
    const { shows: books = "" } = (document.getElementById("unit-books") || { dataset: {} }).dataset;
    const born = window.circuits.born || "";
    window.dash_clientside.set_props("actions", { data: { session, tab, born, books, queue: queue.slice() } });
    return number;
  }

  function acknowledge(seen) {
    queue = queue.filter(action => action.number > seen);
  }

  document.addEventListener("click", event => {
    const button = event.target.closest("[data-action]");
    if (button && !button.disabled && button.getAttribute("aria-disabled") !== "true") {
      window.circuits.send(button.dataset.action, JSON.parse(button.dataset.payload || "{}"));
    }
  });

  document.addEventListener("keydown", event => {
    if (event.target.closest("textarea, select, dialog, input")) return;
    const command = event.ctrlKey || event.metaKey;
    if (command && !event.altKey && event.key.toLowerCase() === "z") {
      event.preventDefault();
      send(event.shiftKey ? "redo" : "undo");
    } else if (command && event.key.toLowerCase() === "y") {
      event.preventDefault();
      send("redo");
    } else if (event.key === "Escape") {
      const open = document.querySelectorAll("#toasts .toast");
      if (open.length) open[open.length - 1].remove();
      else send("select");
    }
  });

  /* ---- files: chosen, dropped anywhere, or pasted ---- */

  function take(kind, name, contents) {
    if (contents.length > (FILE_LIMIT * 4) / 3) {
      const limit = FILE_LIMIT / 2 ** 20;
      toast({ kind: "error", text: `${name || "The file"} is larger than ${limit} MiB, the most this page takes.` });
      return null;
    }
    return { session, tab, kind, name: name || "pasted photo", contents };
  }

  /* One after the other: the server takes the files of a page in their order. */
  const waiting = [];

  function hand(file) {
    if (file && waiting.push({ ...file, number: ++files }) === 1) next();
  }

  function next(after = 0) {
    setTimeout(() => window.dash_clientside.set_props("file", { data: { ...waiting[0] } }), after);
  }

  /* All that were dropped or pasted at once, as far as the strip has room for them. */
  async function readAll(some) {
    // In their order: several readers at once end in any.
    for (const file of fitting(some)) await read(file);
  }

  function fitting(some) {
    const all = Array.from(some);
    if (all.length > STRIP) toast({ text: `The strip holds ${STRIP} photos: the first ${STRIP} of these ${all.length} files are taken.` });
    return all.slice(0, STRIP);
  }

  /* As what it is to be taken, if not as what its name says. */
  function read(file, as = "") {
    if (!file) return Promise.resolve();
    if (file.size > FILE_LIMIT) {
      take("photo", file.name, { length: Infinity });
      return Promise.resolve();
    }
    const kind = as || (isCircuit(file.name) ? "circuit" : "photo");
    const reader = new FileReader();
    reader.onload = () => hand(take(kind, file.name, reader.result));
    reader.onerror = () => toast({ kind: "error", text: `${file.name} could not be read by the browser.` });
    return new Promise(resolve => {
      reader.onloadend = resolve;
      reader.readAsDataURL(file);
    });
  }

  const isCircuit = name => /\.json$/i.test(name || "");

  /* The upload field is emptied at once, so that the same file can be chosen again. */
  const chosen = field => (contents, name) => {
    if (!contents) return;
    window.dash_clientside.set_props(field, { contents: null });
    const names = [name].flat();
    fitting([contents].flat()).forEach((each, place) => {
      hand(take(isCircuit(names[place]) || field === "circuit-upload" ? "circuit" : "photo", names[place], each));
    });
  };

  /* A hint for the file dialog only: Dash's own `accept` would drop other files without a word. */
  document.addEventListener("pointerdown", event => {
    const field = event.target.closest("#photo-upload, #circuit-upload");
    const input = field && field.querySelector("input");
    if (input) input.accept = field.id === "photo-upload" ? "image/*" : ".json,application/json";
  }, true);

  document.addEventListener("paste", event => {
    const { files: pasted = [] } = event.clipboardData || {};
    if (pasted.length) { event.preventDefault(); readAll(pasted); }
  });
  const carries = event => Array.from((event.dataTransfer || {}).types || []).includes("Files");
  window.addEventListener("dragover", event => {
    if (carries(event)) { event.preventDefault(); document.body.classList.add("dropping"); }
  });
  window.addEventListener("dragleave", event => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
  window.addEventListener("drop", event => {
    document.body.classList.remove("dropping");
    if (!carries(event) || event.target.closest("#photo-upload, #circuit-upload")) return;
    event.preventDefault();
    readAll(event.dataTransfer.files);
  });

  function received(answer) {
    if (!answer || answer.tab !== tab || !waiting.length || answer.number !== waiting[0].number) return;
    if (answer.again) {
      next(AGAIN_AFTER);
      return;
    }
    done();
    send("refresh");
  }

  function done() {
    waiting.shift();
    if (waiting.length) next();
  }

  /* ---- toasts ---- */

  let shown = 0;

  function code(words) {
    const made = document.createElement("code");
    made.textContent = words;
    return made;
  }

  function toast(message) {
    const box = document.getElementById("toasts");
    if (!box) return;
    const text = document.createElement("span");
    // Commands stand between backticks.
    text.append(...message.text.split("`").map((part, place) => place % 2 ? code(part) : part));
    // The same sentence again takes the place of the old one.
    box.querySelectorAll(".toast").forEach(old => { if (old.firstChild.textContent === text.textContent) old.remove(); });
    const item = document.createElement("div");
    item.className = "toast " + (message.kind || "info");
    item.setAttribute("role", message.kind === "error" ? "alert" : "status");
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = "×";
    close.setAttribute("aria-label", "Dismiss");
    close.onclick = () => item.remove();
    item.append(text, close);
    box.append(item);
    while (box.children.length > 4) box.firstChild.remove();
    setTimeout(() => item.remove(), message.kind === "error" ? 20000 : 6000);
  }

  function showToasts(messages) {
    (messages || []).forEach(message => {
      if (message.number <= shown) return;
      shown = message.number;
      toast(message);
    });
  }

  /* A failed callback would be a silent line in the console; here it becomes a sentence. */
  const plainFetch = window.fetch;
  window.fetch = async function (resource, options) {
    const ours = String((resource && resource.url) || resource).includes("_dash-update-component");
    const isFile = ours && String((options || {}).body || "").startsWith('{"output":"received.data"');
    try {
      const answer = await plainFetch.call(this, resource, options);
      if (ours && answer.status >= 400) toast({ kind: "error", text: failureText(answer.status) });
      if (isFile && answer.status >= 400) done();
      if (ours) window.circuits.back();
      return answer;
    } catch (error) {
      if (ours) window.circuits.gone();
      if (isFile) next(ASK_AGAIN);
      throw error;
    }
  };

  function failureText(status) {
    if (status === 413) return "The file is too large for the server.";
    if (status === 403) return "The server refused the request; open the address that its terminal shows.";
    return `The server could not do that (status ${status}); its terminal says why.`;
  }

  /* ---- the focus: Dash makes a pane anew, so it is given back to what does the same, or else to the pane ---- */

  let held = null;
  document.addEventListener("focusin", event => {
    const pane = event.target.closest(".pane");
    const { id, dataset: { action, payload } } = event.target;
    const named = id ? `#${CSS.escape(id)}` : ":not(*)";
    const doing = action ? `[data-action="${action}"][data-payload="${CSS.escape(payload || "")}"]` : named;
    // Fields of the left pane are left on purpose; whatever is in the right one may be made anew at any time.
    held = pane && (action || pane.id === "unit") ? { pane, doing } : null;
  });
  document.addEventListener("pointerdown", event => { if (!event.target.closest("[data-action]")) held = null; });

  /* A field that a person has done with is left for good. */
  function leave(field) {
    held = null;
    field.blur();
  }

  function keepFocus() {
    const observer = new MutationObserver(() => {
      if (!held || document.activeElement !== document.body) return;
      (held.pane.querySelector(held.doing) || held.pane).focus({ preventScroll: true });
    });
    document.querySelectorAll(".pane").forEach(pane => observer.observe(pane, { childList: true, subtree: true }));
  }

  /* ---- theme ---- */

  const system = () => (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  document.documentElement.dataset.theme = localStorage.getItem("circuits-theme") || system();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    if (!localStorage.getItem("circuits-theme")) document.documentElement.dataset.theme = system();
  });

  function theme(clicks) {
    if (clicks) {
      const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
      document.documentElement.dataset.theme = next;
      localStorage.setItem("circuits-theme", next);
    }
  }

  function start() {
    keepFocus();
    send("open", { session: shared });
    // The address of a class of the atlas; keep.js writes it.
    if (asked) send("atlas-class", { of: asked });
  }

  document.addEventListener("click", event => {
    const opener = event.target.closest("[data-enlarge]");
    if (!opener) return;
    const box = document.createElement("dialog");
    box.className = "lightbox";
    const image = document.createElement("img");
    image.src = opener.querySelector("img").src;
    image.alt = opener.dataset.enlarge;
    const caption = document.createElement("p");
    caption.textContent = opener.dataset.enlarge;
    box.append(image, caption);
    box.addEventListener("click", () => box.close());
    box.addEventListener("close", () => box.remove());
    document.body.append(box);
    box.showModal();
  });

  window.addEventListener("pagehide", () => navigator.sendBeacon("leave", session));
  window.addEventListener("pageshow", event => { if (event.persisted) send("refresh"); });

  /* Other scripts follow the view: each function is called with every view that is drawn. */
  const followers = [];
  const follow = told => followers.push(told);
  const tell = view => followers.forEach(told => told(view));

  window.circuits = Object.assign(window.circuits || {}, { send, acknowledge, showToasts, toast, read, follow, tell, leave, session, shared });
  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.circuits = {
    start, theme, received, photo: chosen("photo-upload"), circuit: chosen("circuit-upload"),
  };
})();
