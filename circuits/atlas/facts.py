"""What an atlas says: of a class, of a unit, of a link, each with how sure it is."""

from dataclasses import dataclass

from circuits.units import Unit

STRONGEST = 5
"""Links of a unit that a batch calls its strongest."""


@dataclass(frozen=True)
class Mean:
    """A mean over photos, and its standard error; NaN where it cannot be told, of a single photo or batch."""

    mean: float
    error: float


@dataclass(frozen=True)
class AtlasClass:
    """A class of an atlas: its number, what it is called, and how many photos of it there are."""

    number: int
    label: str
    photos: int


@dataclass(frozen=True)
class AtlasUnit:
    """What a unit does in the photos of a class, or of all classes.

    Args:
        unit: the unit.
        photos: how many.
        contribution: to the logit of the photo's class, Σ_hw a · ∂T/∂a.
        activation: mean over positions.
        peak: the highest activation over positions.
        fires: share of the photos in which its peak is above zero, 0 to 1.
        summit: in how many photos it is among the fewest units of its layer that hold 3 % of the peaks.
        total: sum of all of its links, of which some are kept; what is missing to the contribution is the bias.
        gross: sum of their magnitudes.
    """

    unit: Unit
    photos: int
    contribution: Mean
    activation: Mean
    peak: Mean
    fires: float
    summit: int
    total: float = 0.0
    gross: float = 0.0


@dataclass(frozen=True)
class AtlasLink:
    """What a unit below does for a class through a unit above; or, free of any class, for that unit's activation.

    Args:
        source: the unit below.
        target: the unit above.
        share: mean over the photos of E_ij, in units of the logit; of a class-free link of F_ij, in units of the
            target's activation.
        error: its standard error; NaN where one batch alone is there.
        consistency: share of the photos whose batch has it among the five strongest of the unit above, 0 to 1; 0 of
            one that inhibits, which is not counted.
        photos: how many.
    """

    source: Unit
    target: Unit
    share: float
    error: float
    consistency: float
    photos: int


@dataclass(frozen=True)
class ServedClass:
    """A class that a unit serves.

    Args:
        number: of the class.
        label: of the class.
        photos: of the class, on which the numbers rest.
        contribution: of the unit to its logit.
        selectivity: the contribution less its mean over all classes of the atlas.
        rank: of the class among all by the unit's contribution, 1 for the one that it serves most.
    """

    number: int
    label: str
    photos: int
    contribution: Mean
    selectivity: float
    rank: int
