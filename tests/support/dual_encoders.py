"""Small models of transformers that compare photos with texts, with random weights, saved with a small tokenizer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tokenizers
import torch
import transformers
from tokenizers import models, normalizers, pre_tokenizers, processors
from torch import nn

from tests.support.nets import randomize

VOCABULARY = ("<pad>", "<start>", "<end>", "<other>", "a", "photo", "of", "cat", "dog", "cup", "painting")
LONGEST = 12
_TOWER = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
_TEXT = {
    **_TOWER, "vocab_size": len(VOCABULARY), "max_position_embeddings": LONGEST,
    "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip
_VISION = {**_TOWER, "image_size": 32, "patch_size": 8}
KINDS: dict[str, Callable[[], Any]] = {
    "CLIP": lambda: transformers.CLIPConfig(text_config=_TEXT, vision_config=_VISION, projection_dim=12),
    "SigLIP": lambda: transformers.SiglipConfig(text_config=_TEXT, vision_config=_VISION),
}
"""Configurations of kinds of dual encoders."""


def saved(folder: Path, kind: str = "CLIP", *, with_tokenizer: bool = True) -> nn.Module:
    """A model with random weights, of which its image processor and tokenizer are saved beside it in a folder."""
    model: nn.Module = transformers.AutoModelForZeroShotImageClassification.from_config(KINDS[kind]())
    randomize(model)
    with torch.no_grad():
        model.logit_scale.fill_(3.0)
    model.eval().save_pretrained(folder)
    size = {"height": 32, "width": 32}
    transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=size).save_pretrained(folder)
    if with_tokenizer:
        _tokenizer().save_pretrained(folder)
    return model


def _tokenizer() -> Any:
    own = tokenizers.Tokenizer(models.WordLevel({word: n for n, word in enumerate(VOCABULARY)}, unk_token="<other>"))
    own.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Replace("!", "")])
    own.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [("<start>", 1), ("<end>", 2)]
    own.post_processor = processors.TemplateProcessing(single="<start> $A <end>", special_tokens=ends)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=own, pad_token="<pad>", bos_token="<start>", eos_token="<end>", unk_token="<other>",
        model_max_length=LONGEST,
    )  # fmt: skip
