/* The strip of photos: it goes to the photo that was added or chosen, and fades where there are more. */
(function () {
  "use strict";

  let shown = "";

  function fade(list) {
    const most = list.scrollWidth - list.clientWidth;
    list.classList.toggle("more-before", list.scrollLeft > 2);
    list.classList.toggle("more-after", list.scrollLeft < most - 2);
  }

  /* Scrolls only its own list, not the pane. */
  function follow(list) {
    const photos = [...list.querySelectorAll(".photo-choice")];
    const chosen = photos.find(photo => photo.getAttribute("aria-pressed") === "true");
    const now = `${photos.length} ${photos.indexOf(chosen)}`;
    if (chosen && now !== shown) {
      const middle = chosen.offsetLeft + chosen.offsetWidth / 2 + chosen.parentElement.offsetLeft;
      list.scrollTo({ left: middle - list.clientWidth / 2, behavior: "instant" });
    }
    shown = now;
    fade(list);
  }

  let watched = null;
  window.circuits.follow(() => {
    const strip = document.getElementById("strip");
    if (!strip || strip === watched) return;
    watched = strip;
    const look = () => { if (strip.querySelector("ul")) follow(strip.querySelector("ul")); };
    new MutationObserver(look).observe(strip, { childList: true, subtree: true, attributeFilter: ["aria-pressed"] });
    strip.addEventListener("scroll", event => fade(event.target), true);
    look();
  });
})();
