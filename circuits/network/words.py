"""CLIP and its kin with words as classes: how much a photo's embedding points to where that of a text does.

1. The text tower runs once, when the network is loaded. The embedding t_w of each text, |t_w| = 1, times the model's
   scale s, becomes a row of a last linear layer, and the model's bias b, which SigLIP has, that of the layer.
2. The logit of a text is that layer of the photo's normalised embedding, s · <v / |v|, t_w> + b: the cosine, scaled as
   the model itself scales it.
3. The model is asked once, for an image and its texts together, and must say the same.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from circuits.errors import InputError, listed, short
from circuits.network.pretrained import reason

TOKENIZER = ("tokenizer.json", "vocab.*", "*.model")
"""Files of which a tokenizer has at least one."""
_SAME = 1e-4
_IN_SOURCE = 6
"""As many texts as files say in full."""


class CosineHead(nn.Module):
    """The vision tower of a dual encoder with a linear layer of texts on its normalised embedding.

    Args:
        vision_model: the tower, which pools what it makes of a photo.
        visual_projection: from there into the space of texts; the tower's own if `None`.
        words: the last layer, (texts, width) of weights.
    """

    def __init__(self, vision_model: nn.Module, visual_projection: nn.Module | None, words: nn.Linear) -> None:
        super().__init__()
        self.vision_model, self.visual_projection, self.words = vision_model, visual_projection, words

    def forward(self, pixel_values: Any) -> Any:  # a tensor, or what stands for one when it is traced
        """A logit for each text, (N, texts)."""
        embedding = self.vision_model(pixel_values).pooler_output
        if self.visual_projection is not None:
            embedding = self.visual_projection(embedding)
        return self.words(embedding / embedding.norm(dim=-1, keepdim=True))


def as_words(given: str | Sequence[object]) -> tuple[str, ...]:
    """Texts that are to be classes, from a list, or from one text with semicolons between.

    >>> as_words("a photo of a cat; a photo of a dog")
    ('a photo of a cat', 'a photo of a dog')

    Raises:
        InputError: if there is none, one is empty, or one is given twice.
    """
    parts = given.split(";") if isinstance(given, str) else list(given)
    texts = [part for part in parts if isinstance(part, str)]
    if len(texts) < len(parts):
        raise InputError("words must be texts; give a list of them, or one text with semicolons between.")
    words = [" ".join(text.split()) for text in texts]
    if isinstance(given, str) and len(words) > 1 and not words[-1]:
        words.pop()
    if not words or not all(words):
        raise InputError(
            "One of the words is empty; give the texts that are to be classes with semicolons between, such as "
            "'a photo of a cat; a photo of a dog'."
        )
    if twice := {word for word in words if words.count(word) > 1}:
        raise InputError(f"{listed(sorted(twice))} is given twice among the words; each is a class of its own.")
    return tuple(words)


def check_words(name: str, words: str | Sequence[str] | None) -> tuple[str, ...] | None:
    """Texts that are to be classes of a network, if any were given.

    Raises:
        InputError: if the network cannot have any, or they are none (`as_words`).
    """
    if words is None:
        return None
    if name.startswith("timm:") and "clip" in name:
        raise InputError(
            f"{name} is the side of a CLIP model that sees photos, without the one that reads words; take both from a "
            "folder or repository in the format of transformers, such as "
            "hfmodel:laion/CLIP-ViT-B-32-laion2B-s34B-b79K of OpenCLIP."
        )
    if not name.startswith("hfmodel:"):
        raise InputError(
            f"{name} brings its own classes; words are those of a CLIP or SigLIP model of transformers, hfmodel:"
            "OWNER/NAME or hfmodel: and a folder."
        )
    return as_words(words)


def is_dual_encoder(transformers: Any, config: Any) -> bool:
    """Whether a configuration is that of a model of photos and texts, and not of a classifier made from one."""
    is_classifier = any("ForImageClassification" in each for each in getattr(config, "architectures", None) or ())
    return not is_classifier and type(config) in transformers.MODEL_FOR_ZERO_SHOT_IMAGE_CLASSIFICATION_MAPPING


def make_words(
    transformers: Any, model: Any, folder: Path, words: Sequence[str], *, name: str
) -> tuple[CosineHead, bool]:
    """The vision tower of a dual encoder with words as classes, and whether each class is judged on its own.

    Args:
        transformers: the library.
        model: one of its models for zero-shot classification.
        folder: where its tokenizer is.
        words: the texts.
        name: what errors call it.

    Raises:
        InputError: if it is built in another way, has no tokenizer, or a text is too long for it.
    """
    tower, scale, bias = getattr(model, "vision_model", None), _scale(model), getattr(model, "logit_bias", None)
    if not isinstance(tower, nn.Module) or scale is None:
        raise InputError(
            f"hfmodel:{name} is a {type(model).__name__}, which compares photos with words in a way that is not "
            "known; take a CLIP or SigLIP model, or make one of your own factory."
        )
    if bias is None and len(words) < 2:
        raise InputError(
            f"hfmodel:{name} tells words apart by comparing them with each other; give at least two, such as "
            f"'{words[0]}; a photo'."
        )
    model.eval()
    tokens = _tokens(transformers, model, folder, words, name=name)
    with torch.no_grad():
        embeddings = _pooled(model.get_text_features(**tokens)).float()
        layer = nn.Linear(embeddings.shape[1], len(words))
        layer.weight.copy_(float(scale) * embeddings / embeddings.norm(dim=-1, keepdim=True))
        layer.bias.copy_(torch.zeros(len(words)) if bias is None else bias.float().expand(len(words)))
        head = CosineHead(tower, getattr(model, "visual_projection", None), layer).eval()
        side = model.config.vision_config.image_size
        image = torch.linspace(-1, 1, 3 * side * side).sin().reshape(1, 3, side, side).to(next(model.parameters()))
        own, ours = (each.float() for each in (model(**tokens, pixel_values=image).logits_per_image, head(image)))
    if not float((own - ours).abs().max()) <= _SAME * float(own.abs().max()):
        raise InputError(
            f"hfmodel:{name} is a {type(model).__name__}, which does more than to compare the embedding of a photo "
            "with those of words; take a CLIP or SigLIP model, or make one of your own factory."
        )
    return head, bias is not None


def in_source(words: Sequence[str]) -> str:
    """How files say which words are classes.

    >>> in_source(["a cat", "a dog"])
    'words: a cat; a dog'
    """
    more = f"; … ({len(words)} in all)" if len(words) > _IN_SOURCE else ""
    return f"words: {'; '.join(words[:_IN_SOURCE])}{more}"


def _scale(model: Any) -> Tensor | None:
    """What a model multiplies cosines by."""
    scale, temperature = (getattr(model, each, None) for each in ("logit_scale", "temperature"))
    if isinstance(scale, Tensor):
        return scale.detach().float().exp()
    return 1 / temperature.detach().float() if isinstance(temperature, Tensor) else None


def _pooled(features: Any) -> Tensor:
    pooled: Tensor = features if isinstance(features, Tensor) else features.pooler_output
    return pooled


def _tokens(transformers: Any, model: Any, folder: Path, words: Sequence[str], *, name: str) -> dict[str, Tensor]:
    if not any(path for pattern in TOKENIZER for path in folder.glob(pattern)):  # transformers would make up one
        raise InputError(
            f"hfmodel:{name} has no tokenizer, so that words cannot be read; a folder needs its tokenizer.json, or its "
            "vocabulary, beside config.json."
        )
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # whatever its files make transformers raise
        raise InputError(
            f"hfmodel:{name} has no tokenizer that can be loaded, so that words cannot be read: {reason(error)}."
        ) from error
    most = min(tokenizer.model_max_length, model.config.text_config.max_position_embeddings)
    seen: dict[tuple[int, ...], str] = {tuple(tokenizer("")["input_ids"]): ""}
    for word in words:
        read = tuple(tokenizer(word)["input_ids"])
        if len(read) > most:
            raise InputError(
                f"The text {short(word)} makes {len(read)} tokens, and hfmodel:{name} reads {most} at most; give a "
                "shorter one."
            )
        if other := seen.get(read):
            raise InputError(
                f"The texts {short(other)} and {short(word)} are the same to hfmodel:{name}, whose tokenizer does "
                "not tell them apart, so they cannot be two classes; leave one out, or use other words."
            )
        if read in seen:
            raise InputError(
                f"The text {short(word)} has nothing in it that hfmodel:{name} reads, so it is no class; use words."
            )
        seen[read] = word
    # SigLIP was trained on texts that are all padded to the same length, and says something else without.
    is_padded = "siglip" in model.config.model_type
    padding = {"padding": "max_length", "max_length": most} if is_padded else {"padding": True}
    return dict(tokenizer(list(words), return_tensors="pt", **padding))
