"""Prepare a live module: rewrite its graph, choose the output to explain, find its layers, check that nothing changed.

1. Of several outputs (a tuple, a list, a dictionary) the first that can be logits, (N, classes), is explained; where
   none can, as in the backbone of a detector, the last that is a map, (N, C, H, W).
2. A softmax, log-softmax or sigmoid that ends the network is left out: it would share every class's value among all
   of them (softmax), or flatten it (sigmoid), and what argues for a class shows in its logit.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, fx, nn

from circuits.errors import InputError
from circuits.image.preprocessing import InputOptions, Preprocessing
from circuits.network import operations as ops
from circuits.network.channels_first import move_channels_first
from circuits.network.labels import Labels, as_labels
from circuits.network.layers import find_layers
from circuits.network.network import Network, fingerprint
from circuits.network.record_shapes import record_shapes
from circuits.network.rewrite import prepare_module

_TOLERANCE = 1e-4  # of the output, relative to its largest value, when the network is prepared
_HEADS: Mapping[Any, str] = {
    **dict.fromkeys((nn.Softmax, F.softmax, torch.softmax, "softmax"), "softmax"),
    **dict.fromkeys((nn.LogSoftmax, F.log_softmax, torch.log_softmax, "log_softmax"), "log_softmax"),
    **dict.fromkeys((nn.Sigmoid, F.sigmoid, torch.sigmoid, "sigmoid"), "sigmoid"),
}
HEADS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "": lambda logits: logits,
    "softmax": lambda logits: logits.softmax(1),
    "log_softmax": lambda logits: logits.log_softmax(1),
    "sigmoid": torch.sigmoid,
}


def prepare(
    module: nn.Module,
    *,
    name: str | None = None,
    source: str = "live",
    preprocessing: Preprocessing | None = None,
    size: int | tuple[int, int] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    labels: Labels | str | Path | None = None,
    layers: str | Sequence[str] = "auto",
    leaf_modules: Sequence[str] = (),
    multi_label: bool | None = None,
    check: bool = True,
) -> Network:
    """Prepare a live module.

    Args:
        module: an image classifier, or the backbone of a detector; it is copied, not changed.
        name: what people call it; the name of its class if `None`.
        source: where its weights come from.
        preprocessing: from a photo to what the network sees; else `size`, `mean` and `std` say it.
        size: input side, or (height, width); 224 if `None`.
        mean: of the normalisation, one a colour; ImageNet's if `None`; one number makes a greyscale network.
        std: of the normalisation.
        labels: one a class, in any form of `as_labels`; `class 0`, `class 1`, … if `None`; an empty list if the outputs
            are no classes.
        layers: `auto`, `fine` or names.
        leaf_modules: names of modules that are traced as wholes, because `torch.fx` cannot look into them.
        multi_label: whether each class is judged on its own (sigmoid); if `None`, of a network that ends in a sigmoid
            or has one output.
        check: compare the outputs before and after, which costs two forward passes.

    Raises:
        InputError: if it cannot be traced, does not take the input size, changes its output when prepared, or the
            number of labels is not the number of classes.
        UnknownError: if there is no such layer or leaf module.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
        >>> prepare(net, size=8, mean=(0.5,) * 3, std=(0.5,) * 3, labels=["cat", "dog"]).layers
        ('1', '4')
    """
    name = name or type(module).__name__
    preprocessing = preprocessing or InputOptions(size, mean, std).for_module(module)
    traced = prepare_module(module, name=name, leaf_modules=leaf_modules)
    generator = torch.Generator().manual_seed(0)
    example = torch.randn((1, len(preprocessing.mean), *preprocessing.size), generator=generator)
    _record_shapes(traced, name, example)
    place = choose_output(traced)
    head = drop_head(traced)
    move_channels_first(traced)
    layer_list = find_layers(traced, layers)
    top = layer_list[-1]
    labels = None if labels is None else as_labels(labels)
    if labels is None:
        labels = [f"class {number}" for number in range(top.channels)] if top.height == top.width == 1 else []
    if labels and len(labels) != top.channels:
        raise InputError(f"{name} has {top.channels} classes, but {len(labels)} labels were given; give one a class.")
    if multi_label is None:
        multi_label = head == "sigmoid" or len(labels) == 1
    sha256 = fingerprint(traced)
    network = Network(name, source, traced, tuple(labels), preprocessing, sha256, layer_list, multi_label)
    if check:
        _check_unchanged(module, network, example, place, head)
    return network


def _record_shapes(traced: fx.GraphModule, name: str, example: Tensor) -> None:
    try:
        record_shapes(traced, example)
    except InputError:
        raise
    except Exception as error:  # the network's own code may raise anything
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise InputError(
            f"{name} does not take an input of {tuple(example.shape)}: {reason}; give its size."
        ) from error


def _check_unchanged(module: nn.Module, network: Network, example: Tensor, place: int, head: str) -> None:
    with torch.no_grad():
        before = leaves(copy.deepcopy(module).eval().float()(example.clone()))[place].flatten(1)
    if not bool(before.isfinite().all()):
        raise InputError(f"{network.name} puts out NaN or infinity; its weights are damaged.")
    top = network.layers[-1]
    after = HEADS[head](network.activations(example, [top])[top].flatten(1))
    difference = float((before - after).abs().max() / before.abs().max().clamp_min(1e-12))
    if not difference <= _TOLERANCE:
        raise InputError(
            f"Preparing {network.name} changed its output by {difference:.1e} of its size; the network overwrites "
            "tensors in a way that is not understood: write it without in-place operations on views."
        )


def leaves(value: Any) -> list[Any]:
    """The values in nested tuples, lists and dictionaries, in order.

    Example:
        >>> leaves({"a": 1, "b": (2, [3])})
        [1, 2, 3]
    """
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        return [leaf for part in value for leaf in leaves(part)]
    return [value]


def choose_output(traced: fx.GraphModule) -> int:
    """Reduce the graph's output to the tensor to explain; the shapes must have been recorded.

    Returns:
        Its place among all outputs.

    Raises:
        InputError: if no output can be explained.
    """
    outputs = leaves(_output_node(traced).args[0])
    shapes = [ops.shape(leaf) or () for leaf in outputs]
    logits = [at for at, shape in enumerate(shapes) if len(shape) in (2, 4) and shape[2:] in ((), (1, 1))]
    maps = [at for at, shape in enumerate(shapes) if len(shape) == 4]
    if not logits and not maps:
        given = " and ".join(map(str, filter(None, shapes))) or "no tensor"
        raise InputError(
            f"The network's output is {given}: neither logits, (N, classes), nor a map, (N, C, H, W); wrap it so that "
            "it holds one of them, or give the part of it that does, such as the backbone of a detector."
        )
    place = logits[0] if logits else maps[-1]
    _set_output(traced, outputs[place])
    return place


def drop_head(traced: fx.GraphModule) -> str:
    """Make the logits the output of a network that ends in their softmax, log-softmax or sigmoid.

    Returns:
        What was left out, a key of `HEADS`; empty if nothing was.

    Example:
        >>> traced = fx.symbolic_trace(nn.Sequential(nn.Linear(2, 3), nn.LogSoftmax(dim=1)))
        >>> for node in traced.graph.nodes:
        ...     node.meta["shape"] = (1, 3)
        >>> drop_head(traced), [node.name for node in traced.graph.nodes]
        ('log_softmax', ['input_1', '_0', 'output'])
    """
    last = _output_node(traced).args[0]
    head = _HEADS.get(ops.kind(traced, last), "")
    if not head or len(ops.shape(last) or ()) != 2:
        return ""
    _set_output(traced, last.args[0])
    return head


def _output_node(traced: fx.GraphModule) -> Any:
    return next(node for node in traced.graph.nodes if node.op == "output")


def _set_output(traced: fx.GraphModule, node: fx.Node) -> None:
    _output_node(traced).args = (node,)
    traced.graph.eliminate_dead_code()
    traced.recompile()
