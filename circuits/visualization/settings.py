"""How a picture is made: everything but the network and the unit that decides what it looks like."""

from dataclasses import dataclass

from circuits.errors import InputError

SMALLEST, LARGEST = 16, 1024
LONGEST = 10_000


@dataclass(frozen=True)
class Settings:
    """What may be chosen about a picture; part of its address in the store.

    Args:
        size: side of the picture, in pixels.
        steps: steps of gradient ascent.
        seed: where it starts and how it is moved; another seed gives another picture of the same unit.
        version: of the algorithm; raised whenever the same choices give other pictures.

    Raises:
        InputError: if a number is out of range.

    >>> Settings(steps=64)
    Settings(size=128, steps=64, seed=0, version=1)
    """

    size: int = 128
    steps: int = 256
    seed: int = 0
    version: int = 1

    def __post_init__(self) -> None:
        if not SMALLEST <= self.size <= LARGEST:
            raise InputError(f"Size {self.size} cannot be drawn; pictures are {SMALLEST} to {LARGEST} pixels wide.")
        if not 1 <= self.steps <= LONGEST:
            raise InputError(f"{self.steps} steps cannot be taken; choose 1 to {LONGEST}.")
        if self.seed < 0:
            raise InputError(f"Seed {self.seed} is negative; choose 0 or more.")


DEFAULT = Settings()
