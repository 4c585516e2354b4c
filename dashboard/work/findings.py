"""What the explorer finds out about a unit or an edge, as values that the panes are made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field


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
        parts: the units named, strongest first.
        rest: what the other units of the layer add up to.
        rest_count: how many those are; `None` if not known.
        bias: what no unit of the layer accounts for.
        bias_name: `bias`, or `remainder` where the books do not close exactly.
        value: the sum.
        coverage: share of the gross attribution that the parts hold, 0 to 1.
        gross: sum of all magnitudes.
        expanded: the parts are units of the circuit; otherwise they are what expanding would find.
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


@dataclass(frozen=True, eq=False)
class Inspection:
    """What the page says of the chosen unit beyond what its node says, as far as that takes no time.

    Args:
        breakdown: what its value is made of, if it is expanded.
        frozen: why it cannot be expanded, or "".
        in_target_units: the attributions are in units of the target, not of the unit's value.
    """

    breakdown: Breakdown | None
    frozen: str
    in_target_units: bool


VARIANTS = {"negative": "What it is against", "diverse": "Four that differ"}
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
class Shot:
    """A picture made for the page, which it fetches by its content address.

    Args:
        key: sha256 of the bytes.
        data: the image, WebP.
    """

    key: str
    data: bytes = field(repr=False)

    @property
    def address(self) -> str:
        """Where the page fetches it."""
        return f"evidence/{self.key}.webp"


@dataclass(frozen=True)
class Spot:
    """A place where a unit fired.

    Args:
        position: (row, column) of the layer.
        value: the activation there.
        left: middle of what it sees, as a share of the crop's width.
        top: as a share of its height.
        patch: what it sees; `None` if that is all of the photo.
    """

    position: tuple[int, int]
    value: float
    left: float
    top: float
    patch: Shot | None


@dataclass(frozen=True)
class Places:
    """Where a unit fired most.

    Args:
        spots: highest first, at places that differ.
        whole: every position sees all of the photo, so that there is nothing to cut out.
    """

    spots: tuple[Spot, ...]
    whole: bool


@dataclass(frozen=True)
class Signed:
    """A signed map over the photo.

    Args:
        shot: the map, blue excites and orange inhibits.
        total: its sum.
        strongest: its largest magnitude.
    """

    shot: Shot
    total: float
    strongest: float


@dataclass(frozen=True)
class Glimpse:
    """A gradient picture.

    Args:
        shot: the picture; grey where it is zero.
        around: (row, column) of the position that it was cut out around; `None` if it is the whole crop.
        empty: it is zero everywhere.
    """

    shot: Shot
    around: tuple[int, int] | None
    empty: bool


@dataclass(frozen=True)
class Relative:
    """A unit through the unit above it, both around the place where the upper one fired most.

    Args:
        upper: id of the upper unit.
        child: the lower unit, by the pixels through which it moves the upper one.
        parent: the upper unit by itself.
    """

    upper: str
    child: Glimpse
    parent: Glimpse


@dataclass(frozen=True)
class EdgeShown:
    """Where an edge comes from and where it arrives.

    Args:
        lower: over the photo, at the lower unit's positions.
        upper: over the photo, at the upper unit's positions.
        scalar: the upper unit is one value, and so has no places.
    """

    lower: Signed
    upper: Signed
    scalar: bool


@dataclass(frozen=True)
class Exemplar:
    """A photo of a collection.

    Args:
        shot: the part that the unit sees there.
        name: of the file.
        group: its class, if its folder names one.
        value: what the unit did there.
    """

    shot: Shot
    name: str
    group: str
    value: float


@dataclass(frozen=True)
class Elsewhere:
    """What a unit fires on in a collection of photos.

    Args:
        groups: exemplars by kind, strongest first: `most`, `slightly_positive`, `slightly_negative`, `least`.
        photos: how many the collection has.
        quantiles: percent and highest activation of a photo, from the lowest to the highest.
        here: the highest activation in this photo.
        above: percent of the photos whose highest activation is lower.
        classes: the classes of the most activating photos with their counts, most frequent first.
        missing: how many exemplars' files are gone.
    """

    groups: Mapping[str, tuple[Exemplar, ...]]
    photos: int
    quantiles: tuple[tuple[float, float], ...]
    here: float
    above: float
    classes: tuple[tuple[str, int], ...]
    missing: int = 0


@dataclass(frozen=True)
class NoCollection:
    """There is no index of exemplars for this network."""


@dataclass(frozen=True)
class Failure:
    """Something could not be found out.

    Args:
        sentence: says why.
        topic: what it was, to be tried again; "" if it cannot be.
    """

    sentence: str
    topic: str = ""
