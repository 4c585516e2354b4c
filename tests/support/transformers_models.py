"""Image classifiers of transformers with random weights, made from configurations."""

from collections.abc import Callable
from typing import Any

import transformers
from torch import nn

from tests.support.nets import CLASSES, randomize
from tests.support.zoo_checks import Found, check_module

_SMALL = {"hidden_sizes": [8, 12, 16, 20], "depths": [1, 1, 2, 1]}
_REGNET = {**_SMALL, "embedding_size": 8, "groups_width": 4}
SMALL: dict[str, Callable[..., Any]] = {
    "ResNet": lambda **more: transformers.ResNetConfig(embedding_size=8, layer_type="basic", **_SMALL, **more),
    "ResNet with bottlenecks": lambda **more: transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[16, 16, 32, 32], depths=[1, 1, 2, 1], **more
    ),
    "RegNetX": lambda **more: transformers.RegNetConfig(
        embedding_size=8, groups_width=4, layer_type="x", **_SMALL, **more
    ),
    "RegNetY": lambda **more: transformers.RegNetConfig(
        embedding_size=8, groups_width=4, layer_type="y", **_SMALL, **more
    ),
    "ConvNeXt": lambda **more: transformers.ConvNextConfig(**_SMALL, **more),
    "ConvNeXt V2": lambda **more: transformers.ConvNextV2Config(**_SMALL, **more),
    "MobileNetV1": lambda **more: transformers.MobileNetV1Config(depth_multiplier=0.25, **more),
    "MobileNetV2": lambda **more: transformers.MobileNetV2Config(depth_multiplier=0.35, **more),
    "EfficientNet": lambda **more: transformers.EfficientNetConfig(
        width_coefficient=0.3, depth_coefficient=0.4, hidden_dim=384, **more
    ),
}
"""Configurations of the kinds of convolutional classifiers, as small as they can be."""
_OF_PHOTOS_OF_224 = (
    "BeitConfig",
    "CvtConfig",
    "DeiTConfig",
    "Dinov2Config",
    "FocalNetConfig",
    "LevitConfig",
    "Swinv2Config",
    "SwinConfig",
    "ViTConfig",
)
FULL: dict[str, Callable[..., Any]] = {
    "ResNet": transformers.ResNetConfig,
    "RegNet": transformers.RegNetConfig,
    "ConvNeXt": transformers.ConvNextConfig,
    "ConvNeXt V2": transformers.ConvNextV2Config,
    "MobileNetV1": transformers.MobileNetV1Config,
    "MobileNetV2": transformers.MobileNetV2Config,
    "EfficientNet": lambda **more: transformers.EfficientNetConfig(
        width_coefficient=1.0, depth_coefficient=1.0, hidden_dim=1280, **more
    ),
    "BiT": transformers.BitConfig,
    "PoolFormer": transformers.PoolFormerConfig,
    "MobileViT": transformers.MobileViTConfig,
    "MobileViT V2": transformers.MobileViTV2Config,
    "SwiftFormer": transformers.SwiftFormerConfig,
    "CvT": transformers.CvtConfig,
    "FocalNet": transformers.FocalNetConfig,
    "LeViT": lambda **more: transformers.LevitConfig(architectures=["LevitForImageClassification"], **more),
    "Swin": transformers.SwinConfig,
    "Swin V2": transformers.Swinv2Config,
    "ViT": transformers.ViTConfig,
    "DeiT": lambda **more: transformers.DeiTConfig(architectures=["DeiTForImageClassification"], **more),
    "BEiT": transformers.BeitConfig,
    "DINOv2": transformers.Dinov2Config,
}
"""The configurations that transformers has for whoever gives none."""

_SEEDS = {"LeViT": 1}
"""Of random weights, where those of seed 0 silence a unit that is looked at."""


def made(configuration: Any, seed: int = 0) -> nn.Module:
    """A classifier in eval mode with seeded random weights, none of which is trivial."""
    module: nn.Module = transformers.AutoModelForImageClassification.from_config(configuration)
    return randomize(module, seed).eval()


def check_transformers(name: str) -> Found:
    """Put a classifier of transformers' own configuration through everything.

    Raises:
        AssertionError: if something does not hold.
        InputError: if it is refused.
    """
    configuration = FULL[name](num_labels=CLASSES)
    side = 224 if type(configuration).__name__ in _OF_PHOTOS_OF_224 else 64
    return check_module(name, made(configuration, _SEEDS.get(name, 0)), side)
