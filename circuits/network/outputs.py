"""The outputs of a network, by name, and which of them is explained.

1. The one that was asked for, by its name or its number.
2. Of several that can be logits, (N, classes), the one called `logits`, or else `out`.
3. Else the one whose width is the number of labels.
4. Else the first that nothing else is computed from, and that a convolution or linear layer makes; else the first.
5. Where none can be logits, as in the backbone of a detector, the last that is a map, (N, C, H, W).
"""

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from circuits.errors import InputError, UnknownError, listed
from circuits.network import operations as ops

_PREFERRED = ("logits", "out")
_LARGEST = (torch.topk, "topk", torch.sort, "sort", torch.max, "max")


@dataclass(frozen=True)
class NetworkOutput:
    """The output of a network that is explained.

    Args:
        name: its name, or its number where it has none, from 0.
        place: its place among all outputs, from 0.
        names: those of all outputs.

    Example:
        >>> str(NetworkOutput("logits", 1, ("pooled", "logits"))), str(NetworkOutput("0", 0, ("0",)))
        ('output logits of 2 (pooled, logits)', '')
    """

    name: str = "0"
    place: int = 0
    names: tuple[str, ...] = ("0",)

    def __str__(self) -> str:
        return f"output {self.name} of {len(self.names)} ({listed(self.names)})" if len(self.names) > 1 else ""


def choose_output(
    traced: fx.GraphModule, *, wanted: str | int | None = None, labels: int | None = None, name: str = "The network"
) -> NetworkOutput:
    """Reduce the graph's output to the tensor to explain; the shapes must have been recorded.

    Args:
        traced: the traced network.
        wanted: its name or number.
        labels: how many there are, if that is known.
        name: what errors call the network.

    Returns:
        Which it is.

    Raises:
        UnknownError: if there is none of that name.
        InputError: if no output can be explained.
    """
    result = output_node(traced).args[0]
    nodes: list[Any] = list(result) if isinstance(result, tuple | list) else [result]
    names = tuple(traced.meta.get("outputs") or map(str, range(len(nodes))))
    shapes = [ops.shape(node) or () for node in nodes]
    numbers = [at for at, node in enumerate(nodes) if isinstance(node, fx.Node) and "dtype" not in node.meta]
    numbers = [at for at in numbers if 0 not in shapes[at]]
    logits = [at for at in numbers if len(shapes[at]) in (2, 4) and shapes[at][2:] in ((), (1, 1))]
    maps = [at for at in numbers if len(shapes[at]) == 4]
    if wanted is not None:
        place = _wanted(names, shapes, wanted, name)
        logits, maps = ([place] if place in logits else []), ([place] if place in maps else [])
        shapes = [shapes[place]]
    if not logits and not maps:
        if not numbers and any(shapes) and 0 not in shapes[0]:
            raise InputError(
                f"{name} puts out whole numbers, such as those of the classes, and nothing that they depend on has a "
                "gradient; make it return its logits, without argmax."
            )
        given = " and ".join(map(str, filter(None, shapes))) or "no tensor"
        raise InputError(
            f"The network's output is {given}: neither logits, (N, classes), nor a map, (N, C, H, W); wrap it so that "
            "it holds one of them, or give the part of it that does, such as the backbone of a detector."
        )
    place = _preferred(traced, nodes, names, logits, labels) if logits else maps[-1]
    found = nodes[place].args[0] if nodes[place].target == "unsqueeze" else nodes[place]
    if found.target in (operator.getitem, getattr) and ops.kind(traced, found.args[0]) in _LARGEST:
        raise InputError(
            f"{name} puts out its largest numbers alone (topk, max), whose classes change from photo to photo; make it "
            "return its logits."
        )
    set_output(traced, nodes[place])
    return NetworkOutput(names[place], place, names)


def _wanted(names: Sequence[str], shapes: Sequence[tuple[int, ...]], wanted: str | int, name: str) -> int:
    text = str(wanted).strip()
    if text in names:
        return names.index(text)
    if text.isdecimal() and len(text) < 9 and int(text) < len(names):
        return int(text)
    known = listed([f"{at} {each}" for at, each in enumerate(names)] if names != _numbers(names) else names)
    raise UnknownError(f"{name} has no output {text!r}; it has {known}.")


def _numbers(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(map(str, range(len(names))))


def _preferred(
    traced: fx.GraphModule, nodes: Sequence[fx.Node], names: Sequence[str], logits: Sequence[int], labels: int | None
) -> int:
    """Which of several outputs that can be logits is explained: steps 2 to 4 of the module's docstring."""
    for name in _PREFERRED:
        if named := [at for at in logits if names[at].rpartition(".")[2] == name]:
            return named[0]
    if fitting := [at for at in logits if (ops.shape(nodes[at]) or (0, 0))[1] == labels]:
        return fitting[0]
    read = {node for at in logits for node in nodes[at].all_input_nodes}
    waiting = list(read)
    while waiting:
        more = set(waiting.pop().all_input_nodes) - read
        read |= more
        waiting += more
    last = [at for at in logits if nodes[at] not in read] or list(logits)
    return next((at for at in last if ops.is_mixing(traced, nodes[at])), last[0])


def output_node(traced: fx.GraphModule) -> Any:
    """The node of the outputs."""
    return next(node for node in traced.graph.nodes if node.op == "output")


def set_output(traced: fx.GraphModule, node: fx.Node) -> None:
    """Make one node the only output."""
    output_node(traced).args = (node,)
    traced.graph.eliminate_dead_code()
    traced.recompile()
