"""What the search field finds: classes by label or number, units and neurons by address, layers by name.

1. A text with a colon, and the name of a layer, mean units first; any other text means classes first.
2. Classes: a label or synonym that is the text, then those that begin with it, then those of which every word of the
   text begins a word, then those that contain it; among equals the more probable first.
3. `17` is also that unit of every layer; `conv4:` and `conv4` are the units of the layer that are strongest here;
   `conv4:1` also those whose number begins so; `conv4:17@3,4` is the neuron; `cat - dog` the difference of two classes.
4. What a person has called a unit is found as labels are, after it what an atlas suggests to call it, and after that
   what an encoder of pictures and words finds, if there is one.

Nothing here runs the network: numbers come from the circuit's own run and from the predictions, where they are.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from circuits.atlas.atlas import Atlas
from circuits.atlas.suggestion import Suggestion
from circuits.errors import CircuitsError
from circuits.naming.search import rank_of
from circuits.naming.store import names_of
from circuits.network.network import Network
from circuits.report.text import chance, number, question_parts
from circuits.tracing.run import ForwardCache
from circuits.units import Unit
from dashboard.library import Library
from dashboard.session.questions import against, explained
from dashboard.session.selection import network_of, why_not_asked
from dashboard.session.state import Session

LIMIT = 12
_CLASSES_BESIDE_UNITS = 8
_LONGEST = 120
_UNIT = re.compile(r"(?P<layer>[^:@]+):\s*(?P<channel>\d*)(?:@(?P<row>\d*)(?:,(?P<column>\d*))?)?")


@dataclass(frozen=True)
class Other:
    """A second thing to do with what was found."""

    label: str
    action: str
    payload: Mapping[str, str]


@dataclass(frozen=True)
class Result:
    """Something that was found.

    Args:
        kind: `class`, `difference`, `unit` or `neuron`.
        label: what it is called.
        detail: its probability, or its activation in this photo, if that is known.
        subject: the target to ask why of.
        question: what that asks, in words.
        reason: why it cannot be asked, or "".
        other: what else can be done with it.
    """

    kind: str
    label: str
    detail: str
    subject: str
    question: str
    reason: str = ""
    other: Other | None = None

    def facts(self) -> dict[str, Any]:
        """The result as JSON for the page."""
        return asdict(self)


def find(session: Session, library: Library, text: str) -> list[Result]:
    """What a text finds, the likeliest first; at most `LIMIT`.

    Args:
        session: whose photo and circuit.
        library: the library.
        text: what was typed.
    """
    text = " ".join(text[:_LONGEST].split())
    if not text:
        return []
    search = _Search(session, library)
    units = [search.unit(unit) for unit in _first(search.units(text), LIMIT)]
    classes = [search.of_class(channel) for channel in _first(search.classes(text), LIMIT)]
    if " - " in text:
        return [*search.differences(text), *classes][:LIMIT]
    if ":" in text or any(text.casefold() == layer.casefold() for layer in search.network.layers):
        return [*units, *classes][:LIMIT]
    return [*(classes[:_CLASSES_BESIDE_UNITS] if units else classes), *units][:LIMIT]


def all_classes(session: Session, library: Library) -> dict[str, Any]:
    """Every class of the network in the order of its numbers, for the list that the browser sorts and draws.

    Returns:
        Their labels; their probabilities in this photo, in full for the order and in words, where they are known; the
        class that is explained, against which others can be held; and why none can be explained, or "".
    """
    work, network = session.work, network_of(session, library)
    source = None if work.locked else work.circuit or work.photo
    chances = library.chances(source) if source is not None and network.labels else ()
    held = explained(work.circuit) if not work.locked else None
    return {
        "labels": [network.label(number) for number in range(len(network.labels))],
        "chances": [float(f"{each:.6g}") for each in chances],
        "words": [chance(each) for each in chances],
        "held": None if held is None else held[0],
        "reason": why_not_asked(session, library),
    }


class _Search:
    """The network, and what is known of the photo without asking it."""

    def __init__(self, session: Session, library: Library) -> None:
        self.session = session
        self.reason = why_not_asked(session, library)
        self.network: Network = network_of(session, library)
        self.top = self.network.layers[-1]
        self.names = names_of(self.network.sha256)
        self.atlas = library.atlas
        self.suggested = _suggested(library.atlas)
        self.chances = {row.index: row.probability for row in session.work.predictions}
        circuit = session.work.circuit
        run = circuit.cache if circuit is not None and not session.work.locked else None
        self.run = run if isinstance(run, ForwardCache) and run.network.sha256 == self.network.sha256 else None
        if self.run is not None and self.top in self.run.activations:
            logits = self.run.activations[self.top].sum((0, 2, 3))
            self.chances = dict(enumerate(self.network.probabilities(logits).tolist()))

    def classes(self, text: str) -> Iterator[int]:
        """Numbers of the classes that a text means, the likeliest first."""
        wanted, count = text.casefold(), len(self.network.labels)
        if wanted.isdecimal() and int(wanted) < count:
            yield int(wanted)
        ranked = []
        for channel, label in enumerate(self.network.labels):
            rank = rank_of(label, wanted)
            if rank is not None and str(channel) != wanted:
                ranked.append((rank, -self.chances.get(channel, 0.0), channel))
        yield from (channel for _, _, channel in sorted(ranked))

    def units(self, text: str) -> Iterator[Unit]:
        """The units that a text means, the likeliest first; classes are not among them."""
        below = self.network.layers[::-1] if not self.network.labels else self.network.layers[-2::-1]
        if text.isdecimal():
            yield from (Unit(name, int(text)) for name in below if int(text) < self.network.layer(name).channels)
            return
        found = _UNIT.fullmatch(text)
        if found is not None:
            for layer in _named(below, found["layer"]):
                yield from self._in_layer(layer, found["channel"], found["row"], found["column"])
        elif ":" not in text:
            layers = _named(below, text)
            for layer in layers:
                yield from self._strongest(layer, LIMIT if len(layers) == 1 else 1)
            yield from self._called(text.casefold())

    def _called(self, wanted: str) -> Iterator[Unit]:
        """The units that somebody has called so, then those that an atlas suggests, and those that an encoder finds."""
        named = {unit: said.name for unit, said in self.names.items() if said.name}
        ranks = {unit: rank_of(name, wanted) for unit, name in named.items()}
        yield from self._ranked((rank, 0.0, unit) for unit, rank in ranks.items() if rank is not None)
        ranks = {unit: rank_of(each.label, wanted) for unit, each in self.suggested.items() if unit not in named}
        found = {unit: (rank, -self.suggested[unit].auc, unit) for unit, rank in ranks.items() if rank is not None}
        yield from self._ranked(found.values())
        known = named.keys() | found.keys()
        like = {unit: each for unit, each in _like(self.atlas, wanted).items() if unit not in known}
        self.suggested |= like
        yield from self._ranked((0, -each.auc, unit) for unit, each in like.items())

    def _ranked(self, found: Iterable[tuple[int, float, Unit]]) -> Iterator[Unit]:
        return (unit for _, _, unit in sorted(found) if unit.layer in self.network.layers)

    def _in_layer(self, layer: str, channel: str, row: str | None, column: str | None) -> Iterator[Unit]:
        found = self.network.layer(layer)
        if not channel:
            yield from self._strongest(layer, LIMIT)
            return
        exact = int(channel)
        if exact < found.channels:
            at = (int(row), int(column)) if row and column else None
            if at is not None and at[0] < found.height and at[1] < found.width:
                yield Unit(layer, exact, at)
            yield Unit(layer, exact)
        if row is None:
            longer = (n for n in range(found.channels) if n != exact and str(n).startswith(channel))
            yield from (Unit(layer, n) for n in longer)

    def _strongest(self, layer: str, count: int) -> list[Unit]:
        """Units of a layer by their highest activation in the photo; by number where that is not known."""
        channels = range(self.network.layer(layer).channels)
        if self.run is None or layer not in self.run.activations:
            return [Unit(layer, channel) for channel in channels[:count]]
        highest = self.run.activations[layer][0].amax((1, 2))
        order = highest.argsort(descending=True, stable=True)[:count].tolist()
        return [Unit(layer, channel) for channel in order]

    def differences(self, text: str) -> list[Result]:
        """The difference of the classes that both sides mean most likely."""
        left, _, right = text.partition(" - ")
        plus, minus = next(self.classes(left.strip()), None), next(self.classes(right.strip()), None)
        if plus is None or minus is None or plus == minus:
            return []
        labels = f"{self.network.label(plus)} - {self.network.label(minus)}"
        question = "".join(question_parts("difference", Unit(self.top, plus), labels))
        detail = " and ".join(filter(None, (self._chance(plus), self._chance(minus))))
        return [Result("difference", labels, detail, against(plus, minus), question, self.reason)]

    def of_class(self, channel: int) -> Result:
        """A class as a result."""
        label, held = self.network.label(channel), explained(self.session.work.circuit)
        other = None
        if held is not None and held[0] != channel and not self.session.work.locked:
            other = Other("why not?", "root", {"target": against(held[0], channel)})
        question = "".join(question_parts("class", Unit(self.top, channel), label))
        return Result("class", label, self._chance(channel), str(channel), question, self.reason, other)

    def unit(self, unit: Unit) -> Result:
        """A unit or neuron as a result."""
        circuit, name = self.session.work.circuit, str(unit)
        kind = "unit" if unit.position is None else "neuron"
        reason = self.reason
        if not reason and self.network.below(unit.layer) is None:
            reason = f"{unit.layer} is the lowest layer; only the image is below it."
        inside = circuit is not None and name in circuit.visible
        other = Other("show", "select", {"unit": name}) if inside else None
        called, suggested = self.names.of(unit).name, self.suggested.get(unit)
        details = [self._activation(unit), suggested.sentence if suggested is not None and not called else ""]
        question = "".join(question_parts(kind, unit, name))
        return Result(
            kind, f"{name} {called}".rstrip(), "; ".join(filter(None, details)), name, question, reason, other
        )

    def _chance(self, channel: int) -> str:
        return chance(self.chances[channel]) if channel in self.chances else ""

    def _activation(self, unit: Unit) -> str:
        if self.run is None or unit.layer not in self.run.activations:
            return ""
        heat = self.run.activations[unit.layer][0, unit.channel]
        if unit.position is not None:
            return f"activation {number(float(heat[unit.position]))} there"
        return f"activation up to {number(float(heat.max()))} here"


def _suggested(atlas: Atlas | None) -> dict[Unit, Suggestion]:
    """What the atlas suggests; nothing where its file is damaged, of which the pane of a unit tells."""
    with suppress(CircuitsError):
        return {} if atlas is None else dict(atlas.suggested)
    return {}


def _like(atlas: Atlas | None, text: str) -> Mapping[Unit, Suggestion]:
    """What an encoder finds, if there is one; one that fails finds nothing."""
    with suppress(CircuitsError):
        return {} if atlas is None or atlas.search is None else atlas.search(text)
    return {}


def _named(layers: tuple[str, ...], text: str) -> list[str]:
    """The layers that a text names: the one of that name, else those that begin with it, else those that contain it."""
    wanted = text.strip().casefold()
    exact = [name for name in layers if name.casefold() == wanted]
    begins = [name for name in layers if name.casefold().startswith(wanted)]
    return exact or begins or [name for name in layers if len(wanted) > 1 and wanted in name.casefold()]


def _first(found: Iterator[Any], count: int) -> list[Any]:
    return [each for each, _ in zip(found, range(count), strict=False)]
