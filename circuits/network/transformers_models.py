"""Image classifiers of the library `transformers`, of the Hugging Face hub or of a folder that it has saved."""

import pickle
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import nn

from circuits.errors import InputError, listed
from circuits.image.photo import load_photo
from circuits.image.preprocessing import MAX_INPUT_PIXELS, Preprocessing
from circuits.network.hub import fetch
from circuits.network.pretrained import Pretrained, optional, reason, seeded
from circuits.network.weights import load_weights
from circuits.network.words import TOKENIZER, in_source, is_dual_encoder, make_words

_DESCRIPTION = ("config.json", "preprocessor_config.json", "processor_config.json")
_BESIDE_TOKENIZER = ("tokenizer_config.json", "merges.txt", "special_tokens_map.json", "added_tokens.json")
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors")
_OLD_WEIGHTS = ("pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model-*-of-*.bin")
_LOCAL = {"local_files_only": True, "trust_remote_code": False}
_SIDE = 1024  # of the images that a processor is shown
_Pixels = np.ndarray[Any, np.dtype[Any]]
_SAME = 0.1  # of a standard deviation of the input, on the average


def make_transformers(name: str, weights: str | Path | None, *, words: Sequence[str] | None = None) -> Pretrained:
    """An image classifier of transformers, with its own preprocessing and labels.

    Args:
        name: `owner/repository` of the hub, or a folder with what `save_pretrained` writes: the model, its image
            processor, and for words its tokenizer.
        weights: `None` for its own; `random` (seeded); or a file.
        words: texts that are the classes of a CLIP or SigLIP model (`circuits.network.words`).

    Raises:
        InputError: if transformers is not installed, it is no such classifier, or it could not be downloaded.
    """
    transformers = optional("transformers", f"hfmodel:{name}", "transformers")
    folder = _folder(name, with_weights=weights is None, with_tokenizer=words is not None)
    with _quiet(transformers):
        try:
            module, labels, missing = _module(transformers, folder, trained=weights is None, words=words, name=name)
            processor = transformers.AutoImageProcessor.from_pretrained(folder, **_LOCAL)
            preprocessing = preprocessing_of(processor, name=name)
        except InputError:
            raise
        except Exception as error:  # what config.json and the weights hold may make transformers raise anything
            raise InputError(f"hfmodel:{name} is no image classifier of transformers: {_why(error)}.") from error
        if missing:
            raise InputError(
                f"hfmodel:{name} has no trained weights for {listed(missing, limit=4)}, so it is no classifier, and "
                "what it says would be chance; load it in a factory of your own, with a head of yours."
            )
        source = "transformers" if folder != Path(name).expanduser() else "folder"
        if weights is not None:
            source = "transformers:random" if weights == "random" else load_weights(module, weights)
        if words is not None:
            head, multi_label = make_words(transformers, module, folder, words, name=name)
            return Pretrained(head, f"{source}, {in_source(words)}", preprocessing, words, multi_label)
    is_named = labels != tuple(f"LABEL_{number}" for number in range(len(labels)))
    return Pretrained(module, source, preprocessing, labels if is_named else None)


def _why(error: Exception) -> str:
    """The reason for people, where that of transformers speaks of arguments that nobody has given."""
    if isinstance(error, pickle.UnpicklingError):
        return "its weights are a file that would run code, which is not read; ask for model.safetensors"
    if "ignore_mismatched_sizes" in str(error):
        return "its weights have other shapes than those of its config.json"
    return reason(error)


def _folder(name: str, *, with_weights: bool, with_tokenizer: bool) -> Path:
    """Where the files of a model are; those of the hub are downloaded.

    Raises:
        InputError: if there is no such folder, or the hub has no such model.
    """
    if not name.strip():
        raise InputError(
            "hfmodel: names no model; write hfmodel:owner/repository of the hub, or hfmodel: and a folder."
        )
    if (folder := Path(name).expanduser()).is_dir():
        if not (folder / _DESCRIPTION[0]).is_file():
            raise InputError(
                f"The folder {name!r} has no {_DESCRIPTION[0]}, so it is no model of transformers; give the one that "
                "save_pretrained wrote."
            )
        return folder
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name) or name.startswith("."):
        raise InputError(f"There is no folder {name!r}; write hfmodel:owner/repository of the hub, or a folder's path.")
    instead = "give hfmodel: and the folder of a model that is on this machine"
    wanted = (*_DESCRIPTION, *((*TOKENIZER, *_BESIDE_TOKENIZER) if with_tokenizer else ()))
    folder = fetch(name, *wanted, *(_WEIGHTS if with_weights else ()), otherwise=instead)
    if with_weights and not any(folder.glob("model*.safetensors")):
        folder = fetch(name, *wanted, *_OLD_WEIGHTS, otherwise=instead)
    return folder


def _module(
    transformers: Any, folder: Path, *, trained: bool, words: Sequence[str] | None, name: str
) -> tuple[nn.Module, tuple[str, ...], list[str]]:
    """The model of a folder, the names of its classes, and those of weights that it lacks."""
    config = transformers.AutoConfig.from_pretrained(folder, **_LOCAL)
    is_dual = is_dual_encoder(transformers, config)
    if is_dual and words is None:
        raise InputError(
            f"hfmodel:{name} compares photos with words and has no classes of its own; give some: "
            "--words 'a photo of a cat; a photo of a dog', in Python words=[…]."
        )
    if words is not None and not is_dual:
        raise InputError(
            f"hfmodel:{name} is of the kind {config.model_type!r}, whose classes are no words; leave them out, or take "
            "a CLIP or SigLIP model."
        )
    auto, missing = transformers.AutoModelForImageClassification, []
    if is_dual:
        auto = transformers.AutoModelForZeroShotImageClassification
    elif type(config) not in transformers.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING:
        raise ValueError(f"there is none of the kind that its config.json tells, {config.model_type!r}")
    with seeded():
        if trained:
            module, report = auto.from_pretrained(folder, output_loading_info=True, **_LOCAL)
            missing = sorted(report["missing_keys"])
        else:
            module = auto.from_config(config)
    labels = [] if is_dual else [str(config.id2label[number]) for number in range(config.num_labels)]
    return module, tuple(labels), missing


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Let transformers say nothing but what it raises."""
    log = transformers.utils.logging
    level, shows_bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity(log.CRITICAL)
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if shows_bars:
            log.enable_progress_bar()


def preprocessing_of(processor: Any, *, name: str) -> Preprocessing:
    """What an image processor does to an image, found by showing it images.

    Black and white tell mean and std, and a ramp from left to right how far it is resized before the middle is cut out.
    A photo tells whether that is all; a processor that squeezes a photo into a square is taken for one that cuts the
    middle out.

    Args:
        processor: one of transformers'.
        name: what errors call its model.

    Raises:
        InputError: if it does anything else to an image.
    """
    refusal = InputError(
        f"The image processor of hfmodel:{name} does more to a photo than to resize it, cut its middle out and "
        "normalise it; load the model in a factory of your own."
    )

    def shown(pixels: _Pixels) -> _Pixels:
        made = processor(Image.fromarray(pixels.astype(np.uint8)), return_tensors="pt")["pixel_values"]
        if made.dim() != 4 or made.shape[:2] != (1, 3):
            raise refusal
        image: _Pixels = made[0].double().numpy()
        return image

    sizes = [dict(getattr(processor, key, None) or {}) for key in ("size", "crop_size")]
    side = max((each for size in sizes for each in size.values() if each), default=0)
    if side**2 > MAX_INPUT_PIXELS:
        raise InputError(
            f"The image processor of hfmodel:{name} makes images of {side} pixels along a side, over the limit of "
            f"{MAX_INPUT_PIXELS >> 20} megapixels."
        )
    ramp = _ramp()
    black, white, across = (shown(pixels) for pixels in (0 * ramp, 0 * ramp + 255, ramp))
    if not (white > black).all() or not np.isfinite(white - black).all():
        raise refusal
    low, high = black.mean((1, 2)), white.mean((1, 2))
    light = ((across - black) / (white - black)).mean((0, 1))
    a_pixel = np.polyfit(np.arange(len(light)), light, 1)[0]  # of what is shown: how much lighter it is than the last
    resize = round(254 / 255 * _SIDE / (_SIDE - 1) / max(a_pixel, 1 / _SIDE**2))
    mean, std = (tuple(round(float(value), 6) for value in each) for each in (-low / (high - low), 1 / (high - low)))
    how = "bilinear" if getattr(processor, "resample", 3) in (2, None) else "bicubic"
    found = Preprocessing(across.shape[1:], resize, mean, std, how)
    photo = load_photo("example:cat").image.crop((0, 0, 256, 256)).resize((512, 512))
    ours, theirs = np.asarray(found.to_tensor(photo)[0]), shown(np.asarray(photo))
    if ours.shape != theirs.shape or not np.abs(ours - theirs).mean() <= _SAME:
        raise refusal
    return found


def _ramp() -> _Pixels:
    """An image that grows lighter from left to right, its steps in another place in each row."""
    along = np.arange(_SIDE) / (_SIDE - 1)
    light = np.floor(254 * along + (8 * along[:, None]) % 1)
    return np.broadcast_to(light[:, :, None], (_SIDE, _SIDE, 3))
