"""How `circuits render` draws: everything but what is drawn."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from circuits.errors import InputError

if TYPE_CHECKING:
    from circuits.visualization.parameterization.base import MakeImages
    from circuits.visualization.settings import Settings
    from circuits.visualization.visualize import Options


_SETTINGS = (
    "size", "steps", "seed", "images", "transform", "total_variation", "l1", "l2", "blur_gradient", "blur_image",
)  # fmt: skip
_WITH_COLOURS = ("fourier", "pixels", "pyramid")


@dataclass(frozen=True)
class Manner:
    """How pictures are made.

    Args:
        size: side in pixels.
        steps: of ascent.
        seed: of the random numbers.
        images: how an image is written, by name.
        spectrum: a folder of photos for maco.
        colours: `imagenet`, `none`, or a folder of photos.
        alpha: whether pictures are transparent.
        opacity: price of opacity.
        prior: `file.py:Factory`, which makes images.
        start: a photo.
        transform: how images are moved, by name.
        total_variation: weight.
        l1: weight.
        l2: weight.
        blur_gradient: in pixels.
        blur_image: in pixels.

    Raises:
        InputError: if two of them do not go together.
    """

    size: int = 128
    steps: int = 256
    seed: int = 0
    images: str = "fourier"
    spectrum: Path | None = None
    colours: str = "imagenet"
    alpha: bool = False
    opacity: float | None = None
    prior: str | None = None
    start: str | None = None
    transform: str = "standard"
    total_variation: float = 0.0
    l1: float = 0.0
    l2: float = 0.0
    blur_gradient: float = 0.0
    blur_image: float = 0.0

    def __post_init__(self) -> None:
        if self.spectrum is not None and self.images != "maco":
            raise InputError(f"--spectrum is what maco takes from photos; add --images maco to it, not {self.images}.")
        for option, wanted in (("--colours", self.colours != "imagenet"), ("--alpha", self.alpha)):
            if wanted and self.images not in _WITH_COLOURS:
                raise InputError(f"{option} does not go with --images {self.images}; choose {_either(_WITH_COLOURS)}.")
        if self.opacity is not None and not self.alpha:
            raise InputError("--opacity is the price of opacity in transparent pictures; add --alpha.")
        if self.prior is not None:
            others = {"--images": self.images != "fourier", "--colours": self.colours != "imagenet"}
            for option, given in (others | {"--alpha": self.alpha, "--start": self.start is not None}).items():
                if given:
                    raise InputError(f"{option} does not go with --prior, which makes images in its own way.")

    @property
    def stored(self) -> bool:
        """Whether a store keeps pictures that are made so: whether `Settings` can say all of it."""
        unsaid = all(other is None for other in (self.spectrum, self.prior, self.start))
        return unsaid and not self.alpha and self.colours == "imagenet"

    def settings(self, objective: str = "channel") -> "Settings":
        """What a store's address depends on.

        Raises:
            InputError: if a number is out of range.
            UnknownError: if something is chosen by a name that does not exist.
        """
        from circuits.visualization.settings import Settings

        chosen: dict[str, Any] = {name: getattr(self, name) for name in _SETTINGS}
        return Settings(**chosen, objective="negative" if objective == "negative" else "channel")

    def options(self) -> "Options":
        """All of it, for the engine.

        Raises:
            InputError: if a number is out of range, or a file or folder cannot be used.
            UnknownError: if something is chosen by a name that does not exist.
        """
        from circuits.image.photo import load_photo
        from circuits.visualization.regularizers import opacity
        from circuits.visualization.render import options_of

        options = options_of(self.settings())
        if not self.stored:
            options = replace(options, images=self._images())
        if self.alpha and self.price:
            options = replace(options, regularizers=(*options.regularizers, self.price * opacity()))
        if self.start is not None:
            options = replace(options, start=load_photo(self.start).image)
        return options

    @property
    def price(self) -> float:
        """Price of opacity."""
        return OPACITY if self.opacity is None else self.opacity

    def facts(self) -> dict[str, Any]:
        """All that was chosen, as JSON can hold it; of files only the names."""
        chosen = {name: value for name, value in asdict(self).items() if value is not None}
        for name in ("spectrum", "start", "prior"):
            if name in chosen:
                chosen[name] = Path(str(chosen[name])).name
        if self.colours not in ("imagenet", "none"):
            chosen["colours"] = Path(self.colours).name
        return chosen | ({"opacity": self.price} if self.alpha else {})

    def _images(self) -> "MakeImages":
        from circuits.visualization.parameterization.registry import make_images

        if self.prior is not None:
            return _made_by(self.prior)
        options: dict[str, Any] = {"alpha": True} if self.alpha else {}
        if self.colours != "imagenet":
            options["matrix"] = _matrix(self.colours)
        if self.spectrum is not None:
            from circuits.image.photo import photos_in
            from circuits.visualization.parameterization.maco import magnitude_spectrum

            options["spectrum"] = magnitude_spectrum(photos_in(self.spectrum))
        return make_images(self.images, **options)


OPACITY = 0.1
"""Price of opacity where none was given: what the unit needs stays, most of the rest goes."""


def _matrix(colours: str) -> Any:
    """The colour matrix of a choice."""
    import torch

    from circuits.image.photo import photos_in
    from circuits.visualization.parameterization.color import colour_matrix_of

    if colours == "none":
        return torch.eye(3)
    if not Path(colours).is_dir():
        raise InputError(f"There are no colours {colours!r}; choose imagenet, none, or a folder of photos.")
    return colour_matrix_of(photos_in(colours))


def _made_by(path: str) -> "MakeImages":
    """What a person's own factory makes images with.

    Raises:
        InputError: if it fails, or gives something that makes no images.
        UnknownError: if it does not exist.
    """
    from circuits.network.loading import find_factory
    from circuits.visualization.parameterization.learned import LearnedPrior

    if not path.rpartition(":")[0]:
        raise InputError(f"--prior {path!r} names nothing in a file; write path/to/file.py:Name.")
    factory = find_factory(path)
    try:
        made = factory if isinstance(factory, LearnedPrior) else factory()  # type: ignore[operator]  # whatever is wrong with it is said below
    except Exception as error:  # the person's code may raise anything
        raise InputError(f"{path!r} could not be called without arguments: {type(error).__name__}: {error}.") from error
    if not callable(made):
        raise InputError(
            f"{path!r} gave a {type(made).__name__}; it must give a circuits.visualization.LearnedPrior, or a "
            "function of side and colours that gives a parameterization."
        )
    return cast("MakeImages", made)


def _either(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
