"""Prepare a live module: rewrite its graph, choose the output to explain, find its layers, check that nothing changed.

1. A plain copy of the module (`copying`) runs once on an example (`probe`), and is traced with it (`fx`, `concrete`).
2. One of its outputs is explained (`outputs`).
3. A softmax or sigmoid that ends the network, and what follows it, is left out (`head`).
"""

import gc
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import SupportsFloat, SupportsIndex

import torch
from torch import Tensor, fx, nn
from torch.nn.parameter import is_lazy

from circuits.errors import InputError, listed
from circuits.image.preprocessing import InputOptions, Preprocessing
from circuits.network.channels_first import move_channels_first
from circuits.network.copying import has_lazy, plain_copy, unwrapped
from circuits.network.device import KINDS, TOLERANCE, chosen_device, exact, move
from circuits.network.execute import execute, image_node
from circuits.network.fx import Whole
from circuits.network.head import Head, add_classes, drop_head, sums_to_one
from circuits.network.labels import Labels, as_labels
from circuits.network.layers import find_layers
from circuits.network.network import Network, fingerprint
from circuits.network.outputs import choose_output, output_node
from circuits.network.probe import check_rows, example_for, first_pass, refuse_memory, runs_in_batches
from circuits.network.record_shapes import record_shapes
from circuits.network.rewrite import rewrite_module
from circuits.network.rows import ONE_AT_A_TIME
from circuits.network.tokens import split_tokens

_TOLERANCE = 1e-4  # of the output, relative to its largest value, when the network is prepared
_ROUNDED = 0.05  # the same of a network that computes with fewer digits
_LARGE = 2**25  # bytes of weights


@torch.inference_mode(False)  # gradients are needed, whoever calls
def prepare(
    module: object,
    *,
    name: str | None = None,
    source: str = "live",
    preprocessing: Preprocessing | None = None,
    size: SupportsIndex | Iterable[SupportsIndex] | None = None,
    mean: SupportsFloat | Iterable[SupportsFloat] | None = None,
    std: SupportsFloat | Iterable[SupportsFloat] | None = None,
    labels: Labels | str | Path | None = None,
    layers: str | Sequence[str] = "auto",
    leaf_modules: Sequence[str] = (),
    multi_label: bool | None = None,
    output: str | int | None = None,
    check: bool = True,
    device: str | torch.device | None = None,
) -> Network:
    """Prepare a live module.

    Args:
        module: an image classifier, or the backbone of a detector, a `torch.nn.Module`; it is copied, not changed.
        name: what people call it; the name of its class if `None`.
        source: where its weights come from.
        preprocessing: from a photo to what the network sees; else `size`, `mean` and `std` say it.
        size: input side, or (height, width); 224 if `None`.
        mean: of the normalisation, one a colour, or a number for all; ImageNet's if `None`; a list of one makes a
            greyscale network.
        std: of the normalisation.
        labels: one a class, in any form of `as_labels`; `class 0`, `class 1`, … if `None`; an empty list if the outputs
            are no classes.
        layers: `auto`, `fine` or names.
        leaf_modules: names of modules that are traced as wholes, because `torch.fx` cannot look into them.
        multi_label: whether each class is judged on its own (sigmoid); if `None`, of a network that ends in a sigmoid
            or has one output.
        output: which of several outputs is explained, by its name (a key, a field) or its number; if `None`, the one
            called `logits` or `out`, or else the one that fits the labels, or looks most like logits (`outputs`).
        check: run it on four photos: it must say before what it says after, and of each photo the same alone and among
            others; one that does not is run one photo at a time, and its books are not said to close.
        device: where it is to run (`device.chosen_device`); where the module's weights lie, if `None`.

    Raises:
        InputError: if it cannot be traced, does not take the input size, gives more rows than one for a photo or
            another answer each time, changes its output when prepared, or the number of labels is not that of classes.
        UnknownError: if there is no such layer, leaf module or output.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
        >>> prepare(net, size=8, mean=(0.5,) * 3, std=(0.5,) * 3, labels=["cat", "dog"]).layers
        ('1', '4')
    """
    if not isinstance(module, nn.Module):
        raise InputError(
            f"module is a {type(module).__name__}; give a torch.nn.Module"
            + (", with that state dict loaded into it." if isinstance(module, Mapping) else ".")
        )
    chosen = _own_device(module) if device is None else chosen_device(device)
    _make_room(module)
    copied = plain_copy(module, name=name or type(unwrapped(module)).__name__)
    labels = None if labels is None else as_labels(labels)
    name = name or type(copied).__name__
    preprocessing = preprocessing or InputOptions(size, mean, std).for_module(copied)
    example = example_for(preprocessing)
    before = first_pass(copied, example, name=name) if check or has_lazy(copied) else None
    trained = [path for path, part in copied.named_modules() if part.training]
    is_rounded = any(value.dtype in (torch.float16, torch.bfloat16) for value in copied.parameters())
    traced = rewrite_module(copied.float(), name=name, leaf_modules=leaf_modules, example=example)
    _record_shapes(traced, name, example)
    if before is not None:
        check_rows(traced, before, example, name=name)
    add_classes(traced)
    explained = choose_output(traced, wanted=output, labels=None if labels is None else len(labels), name=name)
    head = drop_head(traced)
    move_channels_first(traced)
    split_tokens(traced)
    if check and before is not None:
        tolerance = _ROUNDED if is_rounded or traced.meta["is_rounded"] else _TOLERANCE
        try:
            alone = _check_unchanged(traced, name, example, before[explained.place], head, tolerance, trained)
        except InputError:
            refuse_memory(plain_copy(module, name=name), example, name=name)  # which says why, if that is why
            raise
        if not head.steps and sums_to_one(torch.cat([alone, _top(traced, -example)])):
            head = Head(probabilities=_as_they_are)
        traced.meta[ONE_AT_A_TIME] = not runs_in_batches(traced, output_node(traced).args[0], example, alone)
    layer_list = find_layers(traced, layers)
    top = layer_list[-1]
    if labels is None:
        labels = [f"class {number}" for number in range(top.channels)] if top.height == top.width == 1 else []
    if labels and len(labels) != top.channels:
        raise InputError(f"{name} has {top.channels} classes, but {len(labels)} labels were given; give one a class.")
    if multi_label is None:
        multi_label = head.is_sigmoid or len(labels) == 1
    sha256, named = fingerprint(traced), tuple(labels)
    network = Network(name, source, traced, named, preprocessing, sha256, layer_list, multi_label, explained, head)
    return network if chosen.type == "cpu" else _moved(network, chosen, example)


def _make_room(module: nn.Module) -> None:
    """Let go of networks that nobody holds: they lie in cycles, and Python counts their objects, not their bytes."""
    if sum(0 if is_lazy(weight) else weight.nbytes for weight in module.parameters()) > _LARGE:
        gc.collect()


def _own_device(module: nn.Module) -> torch.device:
    """Where a module's weights lie, if that is one that networks are run on."""
    weight = next(iter(module.parameters()), torch.zeros(()))
    return weight.device if weight.device.type in KINDS else torch.device("cpu")


def _moved(network: Network, device: torch.device, example: Tensor) -> Network:
    """The network on a device, which must say there what the CPU says: the outputs, and a unit's gradient.

    Raises:
        InputError: if it does not, by more than a thousandth of the largest number.
    """

    def says() -> tuple[Tensor, Tensor]:
        image = example[:1].detach().requires_grad_()
        with torch.enable_grad():
            logits = network.read(image, [(network.layers[-1], None, True)])[0].sum((0, 2, 3))
            (gradient,) = torch.autograd.grad(logits[logits.argmax()], image)
        return logits.detach().cpu(), gradient.cpu()

    try:
        with exact():
            before = says()
            move(network.traced, device)
            after = says()
    except torch.OutOfMemoryError as error:
        raise InputError(
            f"{network.name} does not fit into the memory of {device}; close what else uses it, or use --device cpu."
        ) from error
    for one, other in zip(before, after, strict=True):
        difference = float((one - other).abs().max()) / max(float(one.abs().max()), 1e-12)
        if not difference <= TOLERANCE:
            raise InputError(
                f"{network.name} says something else on {device} than on the CPU, by {difference:.1g} of the largest "
                "number, so nothing that is found there can be trusted; use --device cpu, or another version of "
                "PyTorch."
            )
    return network


def _record_shapes(traced: fx.GraphModule, name: str, example: Tensor) -> None:
    try:
        record_shapes(traced, example)
    except InputError:
        raise
    except Exception as error:  # the network's own code may raise anything
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise InputError(f"{name} cannot be run node by node on {tuple(example.shape)}: {reason}.") from error


def _check_unchanged(
    traced: fx.GraphModule,
    name: str,
    example: Tensor,
    made: Tensor,
    head: Head,
    tolerance: float,
    trained: Sequence[str],
) -> Tensor:
    """The output of the prepared network, which must be what the module itself has made."""
    before = made.reshape(1, -1)  # of one photo, whose dimension may have been squeezed
    if not bool(before.isfinite().all()):
        raise InputError(f"{name} puts out NaN or infinity; its weights are damaged.")
    output = _top(traced, example)
    after = head(output.flatten(1)) if head.steps else output.flatten(1)
    if before.shape != after.shape:
        raise InputError(f"{name} puts out {tuple(made.shape)}, and {tuple(output.shape)} when prepared.")
    difference = float((before - after).abs().max() / before.abs().max().clamp_min(1e-12))
    if not difference <= tolerance:
        raise InputError(
            f"Preparing {name} changed its output by {difference:.1e} of its size; {_why_changed(traced, trained)}."
        )
    return output


def _why_changed(traced: fx.GraphModule, trained: Sequence[str]) -> str:
    """What may have made another network of one that was prepared, and what to do."""
    if trained:
        return (
            f"it runs {listed([path or 'itself' for path in trained], limit=4)} in training mode although it was put "
            "into eval mode: let it stay there"
        )
    if traced.meta.get("overwrites") or any(isinstance(part, Whole) for part in traced.modules()):
        return (
            "the network overwrites tensors in a way that is not understood: write it without in-place operations on "
            "views"
        )
    return (
        "its forward does something that torch.fx does not see: move that into a module of its own, and trace it as a "
        "whole (leaf_modules, --leaf)"
    )


def _top(traced: fx.GraphModule, images: Tensor) -> Tensor:
    """What the prepared network puts out for preprocessed images."""
    top: fx.Node = output_node(traced).args[0]
    with torch.no_grad():
        output: Tensor = execute(traced, {image_node(traced): images}, [top])[top]
    return output


def _as_they_are(logits: Tensor) -> Tensor:
    return logits
