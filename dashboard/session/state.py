"""What one person has done so far, as a value that is never changed, only replaced."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from circuits.image.photo import Photo
from circuits.naming.names import UnitName
from circuits.network.predict import Prediction
from circuits.tracing.circuit import Circuit
from circuits.units import is_residual

HISTORY = 50
PHOTOS = 24
_WARM = 3
"""Steps of the history whose circuits keep the activations of their photos; those of others are computed again."""


@dataclass(frozen=True)
class Choices:
    """How the next circuit is to be found; the words are those of `circuits.trace`.

    Args:
        depth: levels below the target.
        top: units below each, unless there is a budget, or the units are groups, of which all are shown.
        signs: of the units that are shown.
        mode: of attribution.
        groups: how many a layer has; 0 for channels.
        units: a budget for the whole circuit; 0 for `top` below each.
        baseline: what shares are measured from, `zero` or `mean`.
    """

    depth: int = 2
    top: int = 5
    signs: str = "positive"
    mode: str = "sum"
    groups: int = 0
    units: int = 0
    baseline: str = "zero"

    @property
    def top_asked(self) -> int | None:
        """What `trace` is given as `top`."""
        return None if self.groups or self.units else self.top

    @property
    def mode_asked(self) -> str | None:
        """What `trace` is given as `mode`: groups and budgets go by what a unit does for the target."""
        return None if self.units or (self.groups and self.mode == "sum") else self.mode


@dataclass(frozen=True)
class Looking:
    """How gradient pictures are made; the words are those of `circuits.evidence.gradient_picture`."""

    method: str = "guided"
    start: str = "peak"

    def among(self, methods: Sequence[str]) -> "Looking":
        """The same, with the plain gradient where a network has not the method."""
        return self if self.method in methods else replace(self, method="gradient")


PAGES = ("circuit", "layers", "compare", "atlas")
STRONGEST = 30
"""The largest share, in percent, up to which edges can be hidden."""


@dataclass(frozen=True)
class Showing:
    """What the middle of the page shows, and how.

    Args:
        page: one of `PAGES`.
        weak: edges with a smaller share, in percent of the upper unit's gross attribution, are hidden.
        layer: whose units are on the wall; the one below the top if "".
        order: how the wall is sorted: `here`, `attribution` or `number`.
        unit: address of the unit that was chosen on another page than the circuit's and is not in the circuit, or "".
        of: number of the class that the atlas's page shows; "" for the list of all.
        map: the layer of which it shows a map instead, or "".
        spread: how units are placed on the map, one of `circuits.atlas.unit_map.METHODS`.
    """

    page: str = "circuit"
    weak: float = 0
    layer: str = ""
    order: str = "here"
    unit: str = ""
    of: str = ""
    map: str = ""
    spread: str = "tsne"


@dataclass(frozen=True)
class Writing:
    """Something written on a unit of a network: by its fingerprint and its name, and what was known before and after.

    Args:
        fingerprint: of the network.
        network: what it is called.
        before: what was known of the unit before somebody began to write.
        after: what is known now.
    """

    fingerprint: str
    network: str
    before: UnitName
    after: UnitName


@dataclass(frozen=True, eq=False)
class Work:
    """What undo goes back to.

    Args:
        photo: the photo, or `None` before there is one.
        predictions: the network's answers to it, most likely first.
        circuit: the circuit on the page.
        selected: id of the chosen node, or "".
        locked: why this circuit cannot be expanded, or "" if it can.
        came_from: id of the unit above from which the chosen one was reached, or "".
        edge: ids of the lower and the upper unit of the chosen edge, which is shown instead of the chosen unit.
        folded: ids of the units whose near-duplicates are folded into them.
        spot: a place in the crop, (x, y) as shares of it, of which the person asks what fires there.
        network: which of the page's networks it is about, by its label; the first one if "".
        writing: what was written last on a unit of a network.
        behind: what is shown of the photo, to go back to, while the circuit is that of a class over many photos.
    """

    photo: Photo | None = None
    predictions: tuple[Prediction, ...] = ()
    circuit: Circuit | None = None
    selected: str = ""
    locked: str = ""
    came_from: str = ""
    edge: tuple[str, str] | None = None
    folded: frozenset[str] = frozenset()
    spot: tuple[float, float] | None = None
    network: str = ""
    writing: Writing | None = None
    behind: "Work | None" = None

    @property
    def of_class(self) -> bool:
        """Whether the circuit is that of a class over many photos, and not of the photo."""
        return self.circuit is not None and self.circuit.collection is not None


def _cold(work: Work) -> Work:
    if work.behind is not None:
        work = replace(work, behind=_cold(work.behind))
    circuit = work.circuit
    return work if circuit is None or circuit.cache is None else replace(work, circuit=replace(circuit, cache=None))


@dataclass(frozen=True, eq=False)
class Typing:
    """What was written last about a unit; what is written next while the field is not left is the same step of undo.

    Args:
        edit: tells one stay in a field from another.
        circuit: as it was written.
        writing: what was written, if it belongs to a network.
    """

    edit: str
    circuit: Circuit | None
    writing: Writing | None = None


@dataclass(frozen=True)
class Scoring:
    """A circuit that a person wants scored.

    Args:
        key: tells it from others; a circuit that was changed has another one.
        strip: over all photos of the strip, and not in its own alone.
        baseline: of the scores that are shown, what ablated units are set to: `zero` or `mean`; "" for what the
            circuit's shares are measured from.
        stopped: the person cancelled it.
        all_photos: also in photos of the strip that the network puts in another class.
    """

    key: str
    strip: bool = False
    baseline: str = ""
    stopped: bool = False
    all_photos: bool = False


@dataclass(frozen=True)
class Request:
    """Something that the library is to work out: its kind, see `RequestType`, and what of."""

    number: int
    kind: str
    payload: Any
    choices: Choices = Choices()


@dataclass(frozen=True, eq=False)
class Session:
    """One person's work, its history, and what is being worked out.

    Args:
        work: what the page shows.
        past: what undo brings back, newest last.
        future: what redo brings back, newest last.
        requests: what is being worked out, in order.
        requested: number of the last request.
        paused: the person cancelled the rendering of pictures.
        refined: finished pictures are wanted, however long they take.
        choices: settings for the next circuit.
        looking: how gradient pictures are made.
        showing: what the middle of the page shows.
        photos: the strip, in the order in which they were taken.
        spot_layer: the layer that is asked what fires at a spot.
        beside: the circuit that the one on the page is compared with.
        found: it is not the beginning, but was kept or copied from another session.
        expansions: how single units are expanded, by id, where that was chosen for them.
        more: units whose further pictures are shown, each with the kind of picture; chosen last comes last.
        typing: what was written last.
        scoring: which circuit is to be scored.
        marked: ids of the units that are to be put under one name.
    """

    work: Work = Work()
    past: tuple[Work, ...] = ()
    future: tuple[Work, ...] = ()
    requests: tuple[Request, ...] = ()
    requested: int = 0
    paused: bool = False
    refined: bool = False
    choices: Choices = Choices()
    looking: Looking = Looking()
    showing: Showing = Showing()
    photos: tuple[Photo, ...] = ()
    spot_layer: str = ""
    beside: Circuit | None = None
    found: bool = False
    expansions: tuple[tuple[str, Choices], ...] = ()
    more: tuple[tuple[str, str], ...] = ()
    typing: Typing | None = None
    scoring: Scoring | None = None
    marked: tuple[str, ...] = ()

    def changed(self, work: Work) -> "Session":
        """This session with other work, and the step noted for undo."""
        past = (*self.past, self.work)[-HISTORY:]
        warm = _WARM if work.network == self.work.network else 0
        cold = len(past) - warm
        return replace(self.with_work(work), past=(*map(_cold, past[:cold]), *past[cold:]), future=())

    def with_work(self, work: Work) -> "Session":
        """This session with other work; what speaks of units goes if that is about another network."""
        if work.network == self.work.network:
            return replace(self, work=work)
        showing = replace(self.showing, layer="", unit="", of="", map="")
        return replace(
            self, work=work, showing=showing, spot_layer="", expansions=(), more=(), typing=None, scoring=None
        )  # fmt: skip

    def is_waiting(self, kind: str, payload: object = None) -> bool:
        """Whether a request of a kind is being worked out: of this payload, or of any if `None`."""
        return any(each.kind == kind and payload in (None, each.payload) for each in self.requests)


STRIP = 12
"""Photos in the strip; the one taken longest ago goes."""
_KEY = 16


def key_of(photo: Photo) -> str:
    """What the strip calls a photo, whichever part of it is shown."""
    return photo.sha256[:_KEY]


def photos_of(session: Session) -> tuple[Photo, ...]:
    """The strip: the photos that were taken, newest last, among them the one that is shown, as it is shown."""
    shown = session.work.photo
    if shown is None:
        return session.photos
    if all(photo.sha256 != shown.sha256 for photo in session.photos):
        return (*session.photos, shown)[-STRIP:]
    return tuple(newer(photo, shown) for photo in session.photos)


def newer(old: Photo, new: Photo) -> Photo:
    """Of two views of one photo the newer; a whole photo is kept for one of which only the crop is at hand."""
    if new.sha256 != old.sha256:
        return old
    return replace(old, window=new.window) if old.whole and not new.whole else new


def usual_expansion(session: Session) -> Choices:
    """How units are expanded for which nothing else was chosen; of groups all are shown, as when they were found."""
    circuit = session.work.circuit
    if circuit is None or not circuit.dictionaries:
        return session.choices
    return replace(session.choices, top=circuit.settings.top_at(0), signs=circuit.settings.signs)


def expansion_of(session: Session, name: str) -> Choices:
    """How many units are shown below a unit, and of which signs, when it is expanded.

    Args:
        session: whose circuit.
        name: id of the unit's node.
    """
    chosen, circuit = dict(session.expansions).get(name), session.work.circuit
    if circuit is None or name not in circuit.nodes or not circuit.nodes[name].expanded:
        return chosen or usual_expansion(session)
    edges = [edge for edge in circuit.edges_into(name, discarded=True) if not is_residual(edge.source)]
    inhibited = any(edge.attribution < 0 for edge in edges)
    # A unit has fewer below it than were asked for where no more of them excite it.
    if chosen is not None and len(edges) <= chosen.top and (chosen.signs == "both" or not inhibited):
        return chosen
    signs = "both" if inhibited else circuit.settings.signs
    return replace(session.choices, top=max(1, len(edges)), signs=signs)
