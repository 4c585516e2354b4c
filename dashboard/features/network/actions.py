"""Go on with another network of the page; with one that is not loaded yet, as soon as it is.

The photo stays, and the target if the other network has a class of the same name; else what it predicts is explained.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from circuits.errors import InputError, listed
from circuits.network.network import Network
from circuits.tracing.circuit import Circuit
from circuits.units import Progress
from dashboard.library import Library
from dashboard.session.actions import ActionType, RequestType, requested
from dashboard.session.opening import OpenCircuit, Restore, Switch
from dashboard.session.questions import against, explained
from dashboard.session.showing import showing, work_of
from dashboard.session.state import Request, Session, Work
from dashboard.work.networks import Networks

Restored = Callable[[str, Library], Session | None]
"""The session of a link that was kept with a network, if there is one."""


def actions(networks: Networks) -> dict[str, ActionType]:
    """What a person can do about the network of the page."""

    def switch(session: Session, payload: Switch, library: Library) -> Session:
        if payload.network not in networks.labels:
            raise InputError(f"There is no network {payload.network!r} here; there is {listed(networks.labels)}.")
        if payload.network == library.name:
            return replace(session, requests=tuple(each for each in session.requests if each.kind != "network"))
        return requested(session, "network", payload, keep=())

    return {"network": ActionType(Switch, switch)}


def requests(networks: Networks, restored: Restored) -> dict[str, RequestType]:
    """What waits for a network."""

    def switched(session: Session, request: Request, library: Library, progress: Progress) -> Work:
        other = networks.open(request.payload.network).library
        progress(0, 1, "")  # it may have been cancelled meanwhile
        return _in_other(session, request, other, progress)

    def opened(session: Session, request: Request, library: Library, progress: Progress) -> Work:
        """A circuit on the page of the network that it is of; if none is, it can be looked at."""
        wish: OpenCircuit = request.payload
        return work_of(wish.circuit, _own(wish.labels, wish.circuit, progress) or library)

    def _own(labels: Sequence[str], circuit: Circuit, progress: Progress) -> Library | None:
        for label in labels:
            found = networks.open(label).library
            progress(0, 1, "")
            if found.network.sha256 == circuit.network.sha256:
                return found
        return None

    def kept(session: Session, request: Request, library: Library, progress: Progress) -> Session:
        wish: Restore = request.payload
        for label in wish.labels:
            other = networks.open(label).library
            progress(0, 1, "")
            if (found := restored(wish.link, other)) is not None:
                return found
        raise InputError("The view that was kept is of a network that is not here any more; this is a new one.")

    def loading(labels: Sequence[str]) -> str:
        label = next((each for each in labels if not networks.is_ready(each)), labels[0])
        return f"{'Showing the photo to' if networks.is_ready(label) else 'Loading'} {label}"

    def must_load(labels: Sequence[str]) -> bool:
        return not all(map(networks.is_ready, labels))

    def show(session: Session, request: Request, work: Work) -> Session:
        return showing(session, work, taken=isinstance(request.payload, OpenCircuit))

    def taken_back(session: Session, request: Request, found: Session) -> Session:
        return found

    return {
        "network": RequestType(
            lambda session, payload, library: loading([payload.network]), switched, show,
            independent=True, remark=_in_words, loads=lambda payload: must_load([payload.network]),
        ),
        "open-circuit": RequestType(
            lambda session, payload, library: loading(payload.labels), opened, show,
            independent=True, loads=lambda payload: must_load(payload.labels),
        ),
        "restore": RequestType(
            lambda session, payload, library: loading(payload.labels), kept, taken_back,
            independent=True, loads=lambda payload: must_load(payload.labels),
        ),
    }  # fmt: skip


def _in_other(session: Session, request: Request, other: Library, progress: Progress) -> Work:
    """What the page shows of its photo with another network."""
    photo, circuit = session.work.photo, session.work.circuit
    if photo is None:
        return Work(network=other.name)
    predictions = other.predict(photo)
    if circuit is None or not predictions:
        return Work(photo, predictions, network=other.name)
    target = same_target(circuit, other.network) or str(predictions[0].index)
    traced = other.trace(photo, target, request.choices, progress)
    other.seen(photo, traced)
    other.seen(photo, None)
    return Work(photo, traced.predictions, traced, traced.root, network=other.name)


def same_target(circuit: Circuit, network: Network) -> str:
    """The target of a circuit in another network that knows all of its classes by name, as actions write it; or ""."""
    classes = explained(circuit)
    if classes is None:
        return ""
    label = circuit.target.label
    plus, _, minus = label.partition(" - ")
    names = [label] if classes[1] is None else [plus, minus]
    found = [same_class(name, network) for name in names]
    if None in found or len(set(found)) != len(found):
        return ""
    return str(found[0]) if len(found) == 1 else against(int(found[0] or 0), int(found[1] or 0))


def same_class(label: str, network: Network) -> int | None:
    """Number of the class of that label, or else of the first that shares one of its names.

    Example:
        >>> from circuits import load_network
        >>> network = load_network()
        >>> same_class("Dog", network), same_class("ladybug, ladybird", network) == network.labels.index("ladybird")
        (1, True)
        >>> same_class("tabby, tabby cat", network) is None
        True
    """
    wanted = _names(label)
    fitting = [n for n, each in enumerate(network.labels) if wanted & _names(each)]
    exact = [n for n in fitting if network.labels[n].casefold() == label.casefold()]
    return next(iter(exact + fitting), None)


def _names(label: str) -> set[str]:
    return {name.strip().casefold() for name in label.split(",")}


def _in_words(before: Session, after: Session, request: Request) -> str:
    """What is explained now, and how much of the photo is seen; "" if nothing was."""
    old, new, label = before.work, after.work, request.payload.network
    if new.photo is None:
        return ""
    words = []
    if not new.predictions:
        words.append(f"{label} names no classes: choose one of its units to explain.")
    elif old.circuit is not None and new.circuit is not None:
        words.append(_target_in_words(old.circuit, new.circuit, label))
    if not new.photo.whole:
        words.append("It sees only the crop of the photo that is at hand; choose the photo again for all of it.")
    return " ".join(words)


def _target_in_words(old: Circuit, new: Circuit, label: str) -> str:
    asked, answered = old.target.label, new.target.label
    if explained(old) is None:
        return f"{asked} is a unit of {old.network.name}; explaining what {label} predicts instead, {answered}."
    if old.target.kind == new.target.kind and _names(asked) & _names(answered):
        return f"{label} knows {asked} too, which is still explained."
    return f"{label} has no class called {asked}; explaining what it predicts instead, {answered}."
