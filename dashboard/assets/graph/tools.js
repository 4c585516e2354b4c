/* What stands over and under the graph: the switch of what all units show, the zoom, the legend. */
(function () {
  "use strict";

  const LOOK = "circuits-look";

  /* look(kind): have all units show it; fit(), zoomBy(factor), foldAll(): what buttons do. */
  function openTools({ look, foldAll, fit, zoomBy }) {
    /* Their picture, their patch of the photo, or their heat map. */
    function lookAt(kind) {
      sessionStorage.setItem(LOOK, kind);
      look(kind);
      document.querySelectorAll("#look button").forEach(button => {
        button.setAttribute("aria-pressed", String(button.dataset.look === kind));
      });
    }

    /* Of means over many photos there are no patches and no places. */
    window.circuits.follow(view => document.querySelectorAll("#look button:not([data-look=picture])").forEach(button => {
      button.disabled = Boolean(view.means);
      button.title = view.means ? view.locked : button.dataset.title || button.title;
    }));
    document.querySelectorAll("#look button").forEach(button => { button.dataset.title = button.title; });
    lookAt(sessionStorage.getItem(LOOK) || "picture");
    document.addEventListener("click", event => {
      const menu = event.target.closest(".menu.from-left .menu-item") && event.target.closest("details");
      if (menu) {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
      const tool = event.target.closest("[data-zoom], [data-graph], [data-look]");
      if (!tool) return;
      if (tool.dataset.look) lookAt(tool.dataset.look);
      else if (tool.dataset.graph) foldAll();
      else if (tool.dataset.zoom === "fit") fit();
      else zoomBy(Number(tool.dataset.zoom));
    });
  }

  /* The legend tells of what is there. */
  function explain({ nodes, edges }) {
    const there = {
      inhibits: edges.some(edge => edge.inhibits && !edge.residual), residual: edges.some(edge => edge.residual), disagrees: edges.some(edge => edge.disagrees),
      cancels: edges.some(edge => edge.marks.includes("±")), saturates: edges.some(edge => edge.marks.includes("∫")),
      alike: nodes.some(node => node.alike),
    };
    Object.entries(there).forEach(([name, is]) => { document.querySelector(`#legend .${name}`).hidden = !is; });
  }

  window.circuits = Object.assign(window.circuits || {}, { openTools, explain });
})();
