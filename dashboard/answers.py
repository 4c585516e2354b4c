"""What the library answers about a unit or an edge, as values that the panes are made from, and pictures as WebP."""

from collections.abc import Mapping
from dataclasses import dataclass

from circuits.units import is_residual
from dashboard.webp import WebP


@dataclass(frozen=True)
class Part:
    """A unit's part in the value of the unit above: its node id or address, name and attribution."""

    name: str
    label: str
    attribution: float


@dataclass(frozen=True)
class Breakdown:
    """What a unit's value is made of: parts + rest + bias = value (exactly so, if `exact`).

    Args:
        parts: the units named, strongest first; of a layer of groups what is in no group is one of them.
        rest: what the other units of the layer add up to.
        rest_count: how many those are; `None` if not known.
        bias: what no unit of the layer accounts for.
        bias_name: `bias`, or `remainder` where the books do not close exactly.
        value: the sum.
        coverage: share of the gross attribution that the parts hold, 0 to 1.
        gross: sum of all magnitudes.
        expanded: the parts are units of the circuit; otherwise they are what expanding would find.
        residual: what is in no group of the layer below; `None` where its units are channels.
    """

    parts: tuple[Part, ...]
    rest: float
    rest_count: int | None
    bias: float
    bias_name: str
    value: float
    coverage: float
    gross: float
    exact: bool
    expanded: bool
    residual: float | None = None

    @property
    def named(self) -> int:
        """How many units are named, beside what is in no group."""
        return sum(not is_residual(part.name) for part in self.parts)


@dataclass(frozen=True, eq=False)
class Inspection:
    """What the page says of the chosen unit beyond what its node says, as far as that takes no time.

    Args:
        breakdown: what its value is made of, if it is expanded.
        frozen: why it cannot be expanded, or "".
        in_target_units: the attributions are in units of the target, not of the unit's value.
        methods: how gradient pictures of the network can be made.
        most: units that can be shown below it, in the circuit of a class as many as the atlas keeps; `None` if any.
    """

    breakdown: Breakdown | None
    frozen: str
    in_target_units: bool
    methods: tuple[str, ...]
    most: int | None = None


VARIANTS = {"negative": "Minimising image", "diverse": "Four diverse images"}
"""Kinds of further pictures of a unit, and what the page calls them."""


@dataclass(frozen=True)
class Variant:
    """A further picture of a unit.

    Args:
        key: its content address.
        activation: what the unit reaches in it; `None` until it is drawn.
    """

    key: str
    activation: float | None


@dataclass(frozen=True)
class Spot:
    """A place where a unit fired.

    Args:
        position: (row, column) of the layer.
        value: the activation there.
        left: middle of what it sees, as a share of the crop's width.
        top: as a share of its height.
        patch: what it sees, or what is around it; `None` if that is all of the photo.
    """

    position: tuple[int, int]
    value: float
    left: float
    top: float
    patch: WebP | None


@dataclass(frozen=True)
class Places:
    """Where a unit fired most.

    Args:
        spots: highest first, at places that differ.
        whole: every position sees all of the photo, so that there is nothing to cut out.
        around: every position sees nearly all of it, and patches are what is around the places.
    """

    spots: tuple[Spot, ...]
    whole: bool
    around: bool = False


@dataclass(frozen=True)
class ClassTokenLooks:
    """Where the class token looks in one block of a transformer.

    Args:
        layer: of the block's hidden units in the class token.
        mean: over the heads, over the photo; `None` if the network has no attention of a class token there.
        heads: each head, over the photo, with its share of weight that goes to the patches.
    """

    layer: str
    mean: WebP | None
    heads: tuple[tuple[WebP, float], ...]


@dataclass(frozen=True)
class Signed:
    """A signed map over the photo.

    Args:
        webp: the map, teal excites and orange inhibits.
        total: its sum.
        strongest: its largest magnitude.
    """

    webp: WebP
    total: float
    strongest: float


@dataclass(frozen=True)
class ClassPushes:
    """The classes whose logits a unit pushes most, each with its label and by how much, the strongest first."""

    up: tuple[tuple[str, float], ...]
    down: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class SaliencyPicture:
    """A gradient picture.

    Args:
        webp: the picture; grey where it is zero.
        around: (row, column) of the position that it was cut out around; `None` if it is the whole crop.
        empty: it is zero everywhere.
        at_limit: it started where the unit is at the upper limit of its rectifier, which no small change moves.
    """

    webp: WebP
    around: tuple[int, int] | None
    empty: bool
    at_limit: bool = False


@dataclass(frozen=True)
class Relative:
    """A unit through the unit above it, both around the place where the upper one fired most.

    Args:
        upper: id of the upper unit.
        child: the lower unit, by the pixels through which it moves the upper one.
        parent: the upper unit by itself.
    """

    upper: str
    child: SaliencyPicture
    parent: SaliencyPicture


@dataclass(frozen=True)
class EdgeShown:
    """Where an edge comes from and where it arrives.

    Args:
        lower: over the photo, at the lower unit's positions.
        upper: over the photo, at the upper unit's positions.
        scalar: the upper unit has no places, as it is one value, or of tokens that are no patches.
        from_scalar: the lower one has none.
    """

    lower: Signed
    upper: Signed
    scalar: bool
    from_scalar: bool = False


@dataclass(frozen=True)
class ShownExemplar:
    """A photo of a collection.

    Args:
        webp: the part that the unit sees there.
        name: of the file.
        group: its class, if its folder names one.
        value: what the unit did there.
    """

    webp: WebP
    name: str
    group: str
    value: float


@dataclass(frozen=True)
class CollectionExemplars:
    """What a unit fires on in a collection of photos.

    Args:
        groups: exemplars by kind, strongest first: `most`, `slightly_positive`, `slightly_negative`, `least`.
        photos: how many the collection has.
        quantiles: percent and highest activation of a photo, from the lowest to the highest.
        here: the highest activation in this photo.
        above: percent of the photos whose highest activation is lower.
        classes: the classes of the most activating photos with their counts, most frequent first.
        missing: how many exemplars' files are gone.
        command: what leaves them out, if the index is the person's own.
        free: the scores are those that ship with the network, without their photos; the exemplars are of so many free
            photos instead.
    """

    groups: Mapping[str, tuple[ShownExemplar, ...]]
    photos: int
    quantiles: tuple[tuple[float, float], ...]
    here: float
    above: float
    classes: tuple[tuple[str, int], ...]
    missing: int = 0
    command: str = ""
    free: int | None = None


@dataclass(frozen=True, eq=False)
class InPhoto:
    """What the units of a circuit did in its photo, small enough for a node of the graph; by node id.

    Args:
        patches: the part of the photo that the unit saw where it fired most; all of it for a unit without places.
        maps: its activation, over the photo.
    """

    patches: Mapping[str, WebP]
    maps: Mapping[str, WebP]


@dataclass(frozen=True)
class NoCollection:
    """There is no index of exemplars for this network.

    Args:
        coming: the folder of photos that is being indexed; "" if none is.
    """

    coming: str = ""


@dataclass(frozen=True)
class Failure:
    """Something could not be found out.

    Args:
        sentence: says why.
        query: what it was, to be tried again; "" if it cannot be.
    """

    sentence: str
    query: str = ""


Groups = tuple[tuple[str, ...], ...]
"""Ids of units that fire in nearly the same places, the strongest of each group first."""


@dataclass(frozen=True)
class Alike:
    """Near-duplicates among the units of a circuit; there may be none."""

    groups: Groups
