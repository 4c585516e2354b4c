/* Files of the circuit: the links of the menu, and drawings as pixels. */
(function () {
  "use strict";

  const { toast, follow, shut } = window.circuits;

  function offerFiles(some) {
    const menu = document.getElementById("export-menu");
    if (!menu) return;
    menu.querySelectorAll("a[data-export]").forEach(link => { link.href = `export/${window.circuits.link}/${link.dataset.export}`; });
    menu.querySelector("summary").setAttribute("aria-disabled", String(!some));
    if (!some) menu.open = false;
  }

  const nameOf = answer => (/filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition") || "") || [])[1];

  async function fetched(path) {
    const answer = await fetch(`export/${window.circuits.link}/${path}`, { cache: "no-store" }).catch(() => null);
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

  /* Drawings show what the page shows, in the same rows. */
  function asShown(path) {
    if (!/\.(html|svg)\b/.test(path)) return path;
    return `${path}&${new URLSearchParams(window.circuits.graphShows())}`;
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
    const path = item.dataset.export.startsWith("circuit") ? asShown(item.dataset.export) : item.dataset.export;
    if (item.dataset.made === "png") exportPng(path);
    else exportFile(path);
  });

  /* What is on screen: the graph, or the wall. */
  async function savePicture() {
    const shown = page === "layers" ? document.querySelector(".wall-grid") : document.getElementById("graph");
    const png = await window.circuits.capture(shown).catch(() => null);
    if (png) keep(png, names.picture);
    else toast({ kind: "error", text: "This browser could not draw the picture; export SVG or PNG instead." });
  }

  document.addEventListener("click", event => {
    const item = event.target.closest("[data-save]");
    if (!item) return;
    shut(item.closest("details"), true);
    savePicture();
  });

  /* The address of this view: whoever opens it gets a copy, and changes nothing here. */
  async function copyLink() {
    const address = location.href;
    try {
      await navigator.clipboard.writeText(address);
    } catch (refused) {  // another address than this machine's, without encryption, has no clipboard
      const field = document.createElement("textarea");
      field.value = address;
      document.body.append(field);
      field.select();
      const copied = document.execCommand("copy");
      field.remove();
      if (!copied) { toast({ kind: "error", text: `This browser lets no page copy; the link is ${address}` }); return; }
    }
    const local = /^(localhost|127\.|\[::1\])/.test(location.host);
    toast({ kind: "info", text: `Link copied.${local ? " It works on this machine only; send a file to others." : ""}` });
  }

  document.addEventListener("click", event => {
    const item = event.target.closest("[data-copy-link]");
    if (!item) return;
    shut(item.closest("details"), true);
    copyLink();
  });

  let page = "";
  let names = {};
  follow(view => {
    page = view.page;
    names = view.files;
    offerFiles(Boolean(view.circuit));
  });
})();
