"""What the page is told of an atlas, ready to be shown."""

from dataclasses import dataclass

from circuits.atlas.facts import AtlasLink, AtlasUnit, Mean, ServedClass
from circuits.atlas.suggestion import Suggestion
from dashboard.webp import WebP


@dataclass(frozen=True, eq=False)
class UnitInAtlas:
    """What the atlas says of a unit.

    Args:
        missing: why it says nothing, in a sentence, or "".
        overall: what it does in all photos.
        classes: what it does for each class, those that it serves most first.
        suggested: a name that was found for it, with how well that fits, if there is one.
        unsuggested: why what was suggested cannot be read, in a sentence, or "".
        is_class: it stands for a class itself, which is then the only one among the classes.
        made_of: the units below that its activation is made of most, whatever the class; none where that is not known.
        gross: of its activation, which is what all of them add up to without their signs.
    """

    missing: str
    overall: AtlasUnit | None = None
    classes: tuple[ServedClass, ...] = ()
    suggested: Suggestion | None = None
    unsuggested: str = ""
    is_class: bool = False
    made_of: tuple[AtlasLink, ...] = ()
    gross: float = 0.0


@dataclass(frozen=True)
class ClassRow:
    """A layer of a class's page.

    Args:
        layer: its name.
        units: those that contribute most to the class.
        selectivity: of each of them.
    """

    layer: str
    units: tuple[AtlasUnit, ...]
    selectivity: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class ClassPage:
    """What the atlas says of a class.

    Args:
        logit: of the class in its photos.
        rows: a layer each, from the top.
        photos: some of them, as the network sees them; none where they are not at hand.
    """

    logit: Mean
    rows: tuple[ClassRow, ...]
    photos: tuple[WebP, ...]


@dataclass(frozen=True)
class UnitMap:
    """Where the units of a layer lie on the map.

    Args:
        layer: the layer.
        places: of each unit, across and up, 0 to 1.
        photos: on how many the map rests.
        missing: why there is none, in a sentence, or "".
    """

    layer: str
    places: tuple[tuple[float, float], ...] = ()
    photos: int = 0
    missing: str = ""
