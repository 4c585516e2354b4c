/* What outlives a moment: the view in the address, a copy of the circuit in the browser, files, and a lost server.

   1. The address ends in #view=<session>. Opened elsewhere, the page begins as a copy of that session.
   2. A few seconds after a change the circuit is fetched as JSON and put into the browser's own store.
   3. A server that was started again without the session gets an offer to take that copy back.
   4. While the server does not answer, a line on top says so, and the page asks every three seconds. */
(function () {
  "use strict";

  const SAVED = "circuits-saved-";
  const MOST_SAVED = 3;
  const MOST_CHARACTERS = 1.5e6;
  const SAVE_AFTER = 3000;
  const ASK_EVERY = 3000;
  const { session, send, toast, read, follow, shared } = window.circuits;

  function make(tag, text, classes = "") {
    const element = document.createElement(tag);
    element.className = classes;
    element.textContent = text;
    return element;
  }

  /* ---- the address ---- */

  const inAddress = () => (/^#view=(.*)$/.exec(location.hash) || [])[1];
  const write = () => history.replaceState(null, "", `#view=${session}`);
  write();
  window.addEventListener("hashchange", () => {
    const other = inAddress();
    if (other && other !== session) location.reload();
    else write();
  });

  /* ---- the copy in the browser ---- */

  const names = () => Object.keys(localStorage).filter(key => key.startsWith(SAVED));

  function saved(name) {
    try {
      return JSON.parse(localStorage.getItem(SAVED + name));
    } catch (damaged) {
      return null;
    }
  }

  function save(record) {
    const text = JSON.stringify(record);
    if (text.length > MOST_CHARACTERS) return false;
    const age = key => (saved(key.slice(SAVED.length)) || { at: 0 }).at;
    const others = names().filter(key => key !== SAVED + record.name).sort((one, other) => age(other) - age(one));
    others.splice(MOST_SAVED - 1).forEach(key => localStorage.removeItem(key));
    for (;;) {
      try {
        localStorage.setItem(SAVED + record.name, text);
        return true;
      } catch (full) {
        if (!others.length) return false;
        localStorage.removeItem(others.pop());
      }
    }
  }

  let waiting = 0;
  let newest = "";

  async function autosave(view) {
    const answer = await fetch(`export/${session}/circuit.json`, { cache: "no-store" }).catch(() => null);
    if (!answer || !answer.ok) return;
    const root = view.nodes.find(node => node.root);
    const label = root ? root.label : "circuit";
    save({ name: session, born: view.status.born, revision: view.revision, label, at: Date.now(), json: await answer.text() });
  }

  function changed(view) {
    // Only another circuit is another file, not another unit that is chosen.
    const state = `${view.status.born}/${view.status.replaced}`;
    const begun = view.revision > 0 || view.status.found;
    if (!view.circuit) clearTimeout(waiting);
    if (state === newest || !view.circuit || !begun) return;
    newest = state;
    clearTimeout(waiting);
    waiting = setTimeout(() => autosave(view), SAVE_AFTER);
  }

  /* ---- a server that was started again ---- */

  function offer(record) {
    const box = document.getElementById("toasts");
    if (!box || box.querySelector(".restore")) return;
    const item = make("div", "", "toast restore");
    item.setAttribute("role", "alert");
    const words = "The server was started again and does not have your circuit any more. This browser kept";
    const button = make("button", "Restore the circuit", "button main");
    const close = make("button", "×");
    close.setAttribute("aria-label", "Dismiss");
    for (const each of [button, close]) each.type = "button";
    button.onclick = () => {
      item.remove();
      read(new File([record.json], "autosave.json", { type: "application/json" }));
    };
    close.onclick = () => item.remove();
    item.append(make("span", `${words} ${record.label}, of ${new Date(record.at).toLocaleTimeString()}.`), button, close);
    box.append(item);
  }

  follow(view => {
    const { born, found } = view.status;
    const before = window.circuits.born;
    window.circuits.born = born;
    if (born !== before && !found) {
      const record = saved(session) || (shared && saved(shared));
      if (record && record.born !== born) offer(record);
      else if (before) toast({ text: "The server was started again and does not have your session any more." });
    }
    // What is drawn is still the old server's.
    if (before && born !== before) send("open");
    changed(view);
    offerFiles(Boolean(view.circuit));
  });

  /* ---- a server that does not answer ---- */

  let timer = 0;

  function gone() {
    if (timer) return;
    document.body.classList.add("offline");
    const port = location.port ? ` --port ${location.port}` : "";
    const line = make("div", "", "banner");
    line.id = "offline";
    line.setAttribute("role", "alert");
    const words = make("span", "The server does not answer. Start it again with ");
    words.append(make("code", `circuits explore${port}`), " and this page goes on by itself.");
    line.append(words, make("span", "Asking again every 3 seconds …", "small"));
    document.body.prepend(line);
    timer = setInterval(ask, ASK_EVERY);
  }

  async function ask() {
    const answer = await fetch("alive", { cache: "no-store" }).catch(() => null);
    if (!timer || !answer) return;
    if (answer.ok) back();
    else if (answer.status === 403) {
      const words = "The server was started again under another address; open the one that its terminal shows.";
      document.querySelector("#offline span").textContent = words;
    }
  }

  function back() {
    if (!timer) return;
    clearInterval(timer);
    timer = 0;
    document.body.classList.remove("offline");
    document.getElementById("offline").remove();
    toast({ text: "Connected again." });
    send("open");
  }

  document.addEventListener("click", event => {
    if (!timer || !event.target.closest("[data-action], [data-export]")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);

  /* ---- files ---- */

  function offerFiles(some) {
    const menu = document.getElementById("export-menu");
    if (!menu) return;
    menu.querySelectorAll("a[data-export]").forEach(link => { link.href = `export/${session}/${link.dataset.export}`; });
    menu.querySelector("summary").setAttribute("aria-disabled", String(!some));
    if (!some) menu.open = false;
  }

  const nameOf = answer => (/filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition") || "") || [])[1];

  async function fetched(path) {
    const answer = await fetch(`export/${session}/${path}`, { cache: "no-store" }).catch(() => null);
    if (answer && answer.ok) return answer;
    const why = answer ? "The server has no circuit of this page; reload it." : "The server does not answer.";
    toast({ kind: "error", text: `The file could not be made. ${why}` });
    return null;
  }

  function keep(blob, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name || "circuit";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }

  async function exportFile(path) {
    const answer = await fetched(path);
    if (answer) keep(await answer.blob(), nameOf(answer));
  }

  /* The drawing as pixels, two for each of its own, or fewer where a canvas would be too large. */
  async function exportPng(path) {
    const answer = await fetched(path);
    if (!answer) return;
    const image = new Image();
    const address = URL.createObjectURL(await answer.blob());
    image.src = address;
    await image.decode();
    const { width, height } = image;
    const scale = Math.min(2, 16000 / Math.max(width, height), Math.sqrt(1.6e8 / (width * height)));
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    URL.revokeObjectURL(address);
    const png = await new Promise(done => canvas.toBlob(done, "image/png"));
    if (png) keep(png, nameOf(answer).replace(/svg$/, "png"));
    else toast({ kind: "error", text: "This browser could not draw the picture; save the SVG instead." });
  }

  document.addEventListener("click", event => {
    const item = event.target.closest("[data-export]");
    if (!item || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    shut(item.closest("details"), true);
    if (item.dataset.made === "png") exportPng(item.dataset.export);
    else exportFile(item.dataset.export);
  });

  /* ---- menus ---- */

  const open = () => document.querySelector("details.menu[open]");

  function shut(menu, focus = false) {
    if (!menu) return;
    menu.open = false;
    if (focus) menu.querySelector("summary").focus();
  }

  document.addEventListener("click", event => {
    const summary = event.target.closest("details.menu > summary");
    if (summary && summary.getAttribute("aria-disabled") === "true") event.preventDefault();
    document.querySelectorAll("details.menu[open]").forEach(menu => { if (!menu.contains(event.target)) shut(menu); });
  });

  document.addEventListener("focusin", event => { if (open() && !open().contains(event.target)) shut(open()); });

  document.addEventListener("keydown", event => {
    const menu = open();
    if (!menu) return;
    if (event.key === "Escape") shut(menu, true);
    else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && menu.contains(event.target)) {
      const items = Array.from(menu.querySelectorAll(".menu-item"));
      const step = event.key === "ArrowDown" ? 1 : -1;
      const from = items.indexOf(document.activeElement);
      items[from < 0 ? (step > 0 ? 0 : items.length - 1) : (from + step + items.length) % items.length].focus();
    } else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);

  Object.assign(window.circuits, { gone, back, exportPng, exportFile });
})();
