"""What the explorer finds out about one unit, as values that the panes are made from."""

from dataclasses import dataclass

from PIL import Image


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
    """What the page says of the chosen unit beyond what its node says.

    Args:
        heat: where it fired, over the photo; `None` if there is no photo of this network.
        breakdown: what its value is made of; `None` at the lowest layer, or if it is not known.
        frozen: why it cannot be expanded, or "".
        in_target_units: the attributions are in units of the target, not of the unit's value.
    """

    heat: Image.Image | None
    breakdown: Breakdown | None
    frozen: str
    in_target_units: bool
