"""What the page asks of pictures of units: those that exist, and how to make one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from PIL import Image

from circuits.groups.layer_direction import Subject
from circuits.units import Progress, Unit
from dashboard.answers import Variant
from dashboard.work.previews import OnPreview, OnVariant


class Gallery(Protocol):
    """Pictures of units: those that exist, and how to make one."""

    @property
    def sketch_part(self) -> float:
        """How much of the work of a picture a sketch of it is; 0 where pictures are not sketched first."""

    def key(self, unit: Subject) -> str:
        """Content address of the picture of a unit, or a direction: hexadecimal digits."""

    def file(self, key: str) -> Path | None:
        """The WebP file of a picture, or `None` if it is not made yet."""

    def activation(self, unit: Subject) -> float | None:
        """The activation that the picture reached, or `None` if there is none."""

    def zoom(self, unit: Subject) -> int:
        """How many of the picture's pixels, along a side, make one pixel for the network."""

    def dead(self, unit: Subject) -> bool:
        """Whether the picture shows nothing, because nothing was found that excites the unit."""

    def render(self, units: Sequence[Subject], progress: Progress, preview: OnPreview) -> None:
        """Make the pictures of some units of one layer.

        Args:
            units: which.
            progress: told how far, and raises to stop.
            preview: shown unfinished pictures.
        """

    def sketch(self, units: Sequence[Subject], progress: Progress) -> list[tuple[Image.Image, int]]:
        """Coarse pictures of some units of one layer, and the steps that each was drawn with; they are not stored.

        Args:
            units: which.
            progress: told how far, and raises to stop.
        """

    def variants(self, unit: Unit, kind: str) -> tuple[Variant, ...]:
        """The further pictures of a unit of a kind of `findings.VARIANTS`, drawn or not."""

    def draw_variants(self, unit: Unit, kind: str, progress: Progress, preview: OnVariant) -> None:
        """Make the further pictures of a unit.

        Args:
            unit: whose.
            kind: of which kind.
            progress: told how far, and raises to stop.
            preview: shown unfinished pictures.
        """
