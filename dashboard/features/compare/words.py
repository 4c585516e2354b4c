"""What two circuits share, and what only one of them has, in words."""

from circuits.report.text import many, method_in_words, methods_differ
from circuits.tracing.circuit import Circuit
from circuits.tracing.compare import ALIKE, Comparison
from dashboard.session.questions import subject_of


def in_words(left: Circuit, right: Circuit, found: Comparison) -> str:
    """The result of a comparison in a sentence, and a second one where the shares cannot be compared."""
    if not found.same_network:
        return (
            f"These circuits are from two networks, {left.network.name} and {right.network.name}, whose channels do "
            "not correspond, so they are listed side by side and not matched."
        )
    units = _part(len(found.shared), len(found.left), len(found.right), "unit", found.unit_index)
    edges = _part(len(found.shared_edges), len(found.left_edges), len(found.right_edges), "edge", found.edge_index)
    warning = ""
    if methods_differ(left, right):
        warning = (
            f" They were traced with different methods, {method_in_words(left)} and {method_in_words(right)}, so their "
            "shares cannot be compared."
        )
    how = f" Groups are matched by their directions: cosine at least {ALIKE}." if left.dictionaries else ""
    special = _special(left, right) if _photo_and_class(left, right) else ""
    return f"{_both(left, right)} share {units} and {edges}.{special}{how}{warning}"


def _photo_and_class(left: Circuit, right: Circuit) -> bool:
    """Whether one is of a photo, and the other of all photos of the same class, or of the same unit over all photos."""
    return left.root == right.root and (left.collection is None) != (right.collection is None)


def _special(left: Circuit, right: Circuit) -> str:
    """What it means that only the photo shows a unit: the others may have it beyond the strongest that are shown."""
    usual = right if left.collection is None else left
    all_photos = "all photos together" if usual.target.kind == "unit" else "its class"
    top = usual.settings.top
    strongest = f"the {top} strongest" if isinstance(top, int) and top > 1 else "the strongest"
    return (
        f" Only the units shown are compared: what only the photo shows is not among {strongest} below a unit for "
        f"{all_photos}, and may still count there."
    )


def _only(circuit: Circuit, side: str, other: Circuit) -> str:
    """The title over what only one of them shows."""
    if not _photo_and_class(circuit, other):
        return f"Only {side}"
    if circuit.collection is None:
        return "Only this photo"
    return "Only all photos together" if circuit.target.kind == "unit" else "Only the class"


def _part(shared: int, left: int, right: int, what: str, index: float) -> str:
    """How many are in both, of how many in either."""
    return f"{shared} of {many(shared + left + right, what)} (Jaccard index {index:.2f})"


def _both(left: Circuit, right: Circuit) -> str:
    """Two circuits by what tells them apart."""
    names, photos = ["".join(subject_of(each)) for each in (left, right)], (left.photo_info, right.photo_info)
    if photos[0].sha256 == photos[1].sha256:
        if names[0] == names[1]:
            return f"These two circuits for {names[0]} in the photo {photos[0].name}"
        return f"In the photo {photos[0].name}, the circuits for {names[0]} and for {names[1]}"
    if left.collection is None and right.collection is None:
        if names[0] == names[1]:
            return f"The circuits for {names[0]} in the photos {photos[0].name} and {photos[1].name}"
        return f"The circuits for {names[0]} in the photo {photos[0].name} and for {names[1]} in {photos[1].name}"
    other = "" if names[0] == names[1] else f"for {names[1]} "
    return f"The circuits for {names[0]} {_where(left)} and {other}{_where(right)}"


def _where(circuit: Circuit) -> str:
    """Which photos a circuit is about."""
    return (
        f"in the photo {circuit.photo_info.name}" if circuit.collection is None else f"over {circuit.photo_info.name}"
    )
