"""The links that an atlas keeps, read from either end: for a class, for the class of each photo, or free of any."""

from typing import TYPE_CHECKING

import torch

from circuits.atlas.facts import AtlasLink
from circuits.atlas.storage import CLASS_FREE, LINK_ARRAYS, LINKS, NOBODY
from circuits.errors import InputError

if TYPE_CHECKING:
    from circuits.atlas.atlas import Atlas


class KeptLinks:
    """The links of one kind.

    Args:
        atlas: the atlas.
        of: the class; if `None`, the class of each photo.
        class_free: those that are free of any class.

    Raises:
        UnknownError: if the class is not in the atlas.
        InputError: if the atlas was made without such links, or class-free ones are wanted of a class.
    """

    def __init__(self, atlas: "Atlas", of: str | int | None, *, class_free: bool) -> None:
        found, kind = None if of is None else atlas.find(of), CLASS_FREE if class_free else LINKS
        if class_free and found is not None:
            raise InputError(f"Class-free links are of no class; leave out {found.label}, or class_free.")
        arrays = atlas.arrays(None if found is None else found.number)
        if f"{kind}.source" not in arrays:
            raise InputError(_without(kind, atlas))
        self._atlas, self._photos = atlas, atlas.photos if found is None else found.photos
        self._source = arrays[f"{kind}.source"]
        self._numbers = [arrays[f"{kind}.{name}"] for name in LINK_ARRAYS[1:]]

    def below(self, place: int) -> tuple[AtlasLink, ...]:
        """Those to the unit at a place from units below it, those that excite first."""
        [columns] = torch.nonzero(self._source[place] != NOBODY, as_tuple=True)
        return self._at(torch.full_like(columns, place), columns)

    def above(self, place: int) -> tuple[AtlasLink, ...]:
        """Those from the unit at a place to units above it, strongest first."""
        found = self._at(*torch.nonzero(self._source == place, as_tuple=True))
        return tuple(sorted(found, key=lambda link: -abs(link.share)))

    def _at(self, rows: torch.Tensor, columns: torch.Tensor) -> tuple[AtlasLink, ...]:
        unit_at = self._atlas.unit_at
        numbers = (each[rows, columns].tolist() for each in (self._source, *self._numbers))
        return tuple(
            AtlasLink(unit_at(source), unit_at(row), share, error, consistency, self._photos)
            for row, source, share, error, consistency in zip(rows.tolist(), *numbers, strict=True)
        )


def _without(kind: str, atlas: "Atlas") -> str:
    """What is said where links of a kind are not in an atlas."""
    if kind == CLASS_FREE:
        return (
            f"The atlas in {atlas.folder} was made without class-free links; make one in another folder, with circuits "
            "atlas --class-free."
        )
    return (
        f"The atlas in {atlas.folder} is of an older version, without links over all classes; run circuits atlas "
        "again, which computes no photo anew."
    )
