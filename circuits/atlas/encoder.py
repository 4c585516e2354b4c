"""An encoder of pictures and words, of the user's own: what is like what. None comes along, and none is downloaded.

It is a TorchScript file, or what `path/to/file.py:Factory` or `package.module:Factory` names or makes, with

    encode_image(images: Tensor) -> Tensor        (N, 3, height, width), values 0 to 1, to (N, D)
    encode_text(texts: list[str]) -> Tensor       to (N, D), of the same D

and perhaps `size` (a side, or height and width; 224 without it), `mean` and `std` (of the normalisation). Rows need not
have length 1: what counts is their direction. CLIP's, whose text has to be cut into tokens first, takes ten lines:

    class Clip:
        size, mean, std = 224, (0.4815, 0.4578, 0.4082), (0.2686, 0.2613, 0.2758)
        def __init__(self):
            self.model, _, _ = open_clip.create_model_and_transforms("ViT-B-32", "/my/weights.pt")
            self.tokens = open_clip.get_tokenizer("ViT-B-32")
        def encode_image(self, images): return self.model.encode_image(images)
        def encode_text(self, texts): return self.model.encode_text(self.tokens([f"a photo of {t}" for t in texts]))
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from circuits.errors import CircuitsError, InputError
from circuits.image.photo import Photo
from circuits.image.preprocessing import InputOptions, Preprocessing
from circuits.network.own_code import find_factory, run_own_code

_BATCH = 32
_USUAL = Preprocessing((224, 224), 224, (0.0,) * 3, (1.0,) * 3, "bicubic")
_METHODS = ("encode_image", "encode_text")


class PictureEncoder:
    """An encoder, of which every answer is checked.

    Args:
        encoder: with `encode_image` and `encode_text`.
        name: what to call it.

    Raises:
        InputError: if it lacks a method, or its size, mean or std cannot be used.
    """

    def __init__(self, encoder: Any, name: str = "the encoder") -> None:
        self.name, self._encoder = name, encoder
        lacks = [method for method in _METHODS if not callable(getattr(encoder, method, None))]
        if lacks:
            raise InputError(
                f"{name} has no {' and no '.join(lacks)}; an encoder has encode_image(images) and encode_text(texts)."
            )
        if isinstance(encoder, nn.Module):
            encoder.eval()
        given = (getattr(encoder, attribute, None) for attribute in ("size", "mean", "std"))
        try:
            self._preprocessing = InputOptions(*given).applied_to(_USUAL)
        except (InputError, TypeError, ValueError) as error:
            raise InputError(f"{name} has a size, mean or std that cannot be used: {error}") from error
        if self._preprocessing.channels != 3:
            raise InputError(f"{name} has a mean of one number; pictures are shown to it in three colours.")

    @classmethod
    def load(cls, path: str) -> "PictureEncoder":
        """The encoder of a TorchScript file, `path/to/file.py:Factory` or `package.module:Factory`; runs its code.

        Raises:
            InputError: if there is none, it cannot be loaded, or is no encoder.
            UnknownError: if the file has no such name.
        """
        if path.rpartition(":")[0] and not Path(path).is_file():
            with run_own_code(path):
                made = find_factory(path)
                if isinstance(made, type) or not all(hasattr(made, method) for method in _METHODS):
                    made = _called(made, path)
            return cls(made, path)
        if not Path(path).is_file():
            raise InputError(f"There is no encoder {path!r}; give a TorchScript file, or path/to/file.py:Factory.")
        if path.endswith(".py"):
            raise InputError(f"{path} is Python code; say what makes the encoder in it, as {path}:Factory.")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that TorchScript will be left behind
                return cls(torch.jit.load(path, map_location="cpu"), path)  # type: ignore[no-untyped-call]
        except CircuitsError:
            raise
        except Exception as error:  # torch raises what it will
            raise InputError(
                f"{path} cannot be loaded as TorchScript ({_first_line(error).partition('. ')[0]})."
            ) from error

    def pictures(self, photos: Iterable[Photo]) -> Iterator[Float[Tensor, "n d"]]:
        """The directions of photos, as many at a time as are shown to it together.

        Raises:
            InputError: if it fails, or gives something else.
        """
        seen = (self._preprocessing.input_of(photo) for photo in photos)
        while batch := list(islice(seen, _BATCH)):
            yield self._directions("encode_image", torch.cat(batch), len(batch))

    def words(self, texts: Sequence[str]) -> Float[Tensor, "n d"]:
        """The directions of words.

        Raises:
            InputError: if it fails, or gives something else.
        """
        batches = [list(texts[at : at + _BATCH]) for at in range(0, len(texts), _BATCH)]
        return torch.cat([self._directions("encode_text", batch, len(batch)) for batch in batches])

    def _directions(self, method: str, given: Any, count: int) -> Float[Tensor, "n d"]:
        """Rows of length 1."""
        try:
            with torch.no_grad(), run_own_code(self.name):
                rows = getattr(self._encoder, method)(given)
        except Exception as error:  # the user's code may raise anything
            raise InputError(f"{self.name}: {method} failed ({_first_line(error)}).") from error
        if not isinstance(rows, Tensor):
            raise InputError(f"{self.name}: {method} gave a {type(rows).__name__}; it must give a tensor, (N, D).")
        if rows.ndim != 2 or len(rows) != count or not rows.shape[1]:
            raise InputError(f"{self.name}: {method} gave {tuple(rows.shape)} for {count} of them; it must be (N, D).")
        if not rows.is_floating_point():
            raise InputError(f"{self.name}: {method} gave {rows.dtype}; it must give floating-point numbers.")
        rows = rows.detach().cpu().float()
        length = rows.norm(dim=1, keepdim=True)
        if not bool(rows.isfinite().all() & length.isfinite().all() & (length > 0).all()):
            raise InputError(f"{self.name}: {method} gave NaN, infinity or zeros, which have no direction.")
        directions: Tensor = rows / length
        return directions


def _called(factory: Any, path: str) -> Any:
    try:
        return factory()
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise InputError(f"{path!r} could not be called without arguments: {_first_line(error)}.") from error


def _first_line(error: BaseException) -> str:
    """What went wrong, in a line: TorchScript tells it last, below where it happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = lines[-1] if lines else ""
    return f"{type(error).__name__}: {said[:200]}".rstrip(": .")
