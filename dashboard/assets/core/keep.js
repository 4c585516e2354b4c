/* What outlives a moment: the view in the address, a copy of the circuit in the browser, and a lost server.

   1. The address ends in #view=<link>, which the server tells. Opened elsewhere, the page begins as a copy. While a
      class of the atlas is shown it goes on with &class=<label>; #class=<label> alone opens it too.
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

  const inAddress = () => (/^#view=([^&]*)/.exec(location.hash) || [])[1];
  let link = shared ? "" : sessionStorage.getItem("circuits-link") || "";
  let ofClass = "";
  function write() {
    const parts = [link && `view=${link}`, ofClass && `class=${encodeURIComponent(ofClass)}`].filter(Boolean);
    const address = parts.length ? `#${parts.join("&")}` : location.pathname;
    if (address !== location.hash) history.replaceState(null, "", address);
  }
  write();
  window.addEventListener("hashchange", () => {
    const other = inAddress();
    const label = new URLSearchParams(location.hash.slice(1)).get("class");
    if (other && other !== link && other !== session) location.reload();
    else if (label && label !== ofClass) send("atlas-class", { of: label });
    else write();
  });

  function named(given) {
    if (given === link) return;
    link = given;
    sessionStorage.setItem("circuits-link", link);
    window.circuits.link = link;
    write();
  }

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
    const answer = await fetch(`export/${link}/circuit.json`, { cache: "no-store" }).catch(() => null);
    if (!answer || !answer.ok) return;
    const root = view.nodes.find(node => node.root);
    const label = root ? root.label : "circuit";
    save({ name: link, born: view.status.born, revision: view.revision, label, at: Date.now(), json: await answer.text() });
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
    named(view.status.link);
    if (ofClass !== (view.of_class || "")) {
      ofClass = view.of_class || "";
      if (ofClass) window.circuits.bring(document.getElementById("middle"));
      write();
    }
    const before = window.circuits.born;
    window.circuits.born = born;
    if (born !== before && !found) {
      const record = saved(link) || saved(session) || (shared && saved(shared));
      if (record && record.born !== born) offer(record);
      else if (before) toast({ text: "The server was started again and does not have your session any more." });
    }
    // What is drawn is still the old server's.
    if (before && born !== before) send("open");
    changed(view);
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
    words.append(make("code", `circuits explore${port}`), " and this page will reconnect.");
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

  Object.assign(window.circuits, { gone, back, link });
})();
