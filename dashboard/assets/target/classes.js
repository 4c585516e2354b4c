/* All classes of the network, as the search shows them while nothing is written: by probability, or by name. */
(function () {
  "use strict";

  const ORDERS = { chance: "by probability", name: "by name" };
  let order = "chance";

  /* What the search shows of a class; the same form as what the server finds. */
  function result(told, number) {
    const label = told.labels[number];
    const against = told.held !== null && told.held !== number && !told.reason;
    return {
      kind: "class", label, detail: told.words[number] || "", subject: String(number), question: `Why ${label}?`,
      reason: told.reason,
      other: against ? { label: "why not?", action: "root", payload: { target: `${told.held} - ${number}` } } : null,
    };
  }

  /* Numbers of the classes in the order that was chosen; without probabilities in their own. */
  function sorted(told) {
    const numbers = told.labels.map((label, number) => number);
    const { labels, chances } = told;
    if (order === "name") {
      const names = new Intl.Collator("en", { numeric: true }).compare;
      return numbers.sort((one, two) => names(labels[one], labels[two]) || one - two);
    }
    return chances.length ? numbers.sort((one, two) => chances[two] - chances[one] || one - two) : numbers;
  }

  /* What the server tells of all classes of a session. */
  async function fetchClasses(session, signal) {
    const answer = await fetch(`classes?${new URLSearchParams({ session })}`, { signal });
    if (!answer.ok) throw new Error(answer.statusText);
    return answer.json();
  }

  window.circuits.classes = {
    ORDERS,
    fetch: fetchClasses,
    results: told => sorted(told).map(number => result(told, number)),
    get order() { return order; },
    set order(chosen) { order = chosen; },
  };
})();
