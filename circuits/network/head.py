"""What a network does to its logits before it puts them out, and how its probabilities follow from them.

1. A softmax, log-softmax, softmin, sigmoid or log-sigmoid that ends the network is left out: it would share every
   class's value among all of them, or flatten it, and what argues for a class shows in its logit.
2. So is whatever follows it that keeps the classes apart: shapes, types, limits, logarithms and exponentials, numbers
   that are added or multiplied. What is below the lowest of these squashing steps are the logits. Such steps alone are
   a sigmoid if they bring all numbers between 0 and 1, such as `1 / (1 + exp(-x))`.
3. Probabilities are what the network puts out, if that sums to one or lies between 0 and 1, or the exponential of it;
   else the softmax of the logits. What sums to one and cannot be undone, such as the mean of several softmaxes, is
   explained, and shown, as it is.
"""

import copy
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from types import EllipsisType
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, fx, nn

from circuits.errors import InputError
from circuits.network import operations as ops
from circuits.network.outputs import output_node, set_output

Function = Callable[[Tensor], Tensor]


def _softmax(logits: Tensor) -> Tensor:
    return logits.softmax(-1)


def _log_softmax(logits: Tensor) -> Tensor:
    return logits.log_softmax(-1)


_SQUASHING: Mapping[ops.Callee, Function] = {
    **dict.fromkeys((nn.Softmax, nn.Softmax2d, F.softmax, torch.softmax, "softmax"), _softmax),
    **dict.fromkeys((nn.Softmin, F.softmin), _softmax),
    **dict.fromkeys((nn.LogSoftmax, F.log_softmax, torch.log_softmax, "log_softmax"), _log_softmax),
    **dict.fromkeys((nn.Sigmoid, F.sigmoid, torch.sigmoid, torch.special.expit, "sigmoid"), torch.sigmoid),
    **dict.fromkeys((nn.LogSigmoid, F.logsigmoid), F.logsigmoid),
}
_NEGATED = (nn.Softmin, F.softmin)
_OF_VALUES = (
    torch.log, "log", torch.exp, "exp", torch.clamp, "clamp", torch.clamp_min, "clamp_min", torch.clamp_max,
    operator.mul, torch.mul, "mul", operator.truediv, torch.div, "div", operator.add, torch.add, "add", operator.sub,
    torch.sub, "sub", operator.neg, torch.neg, "neg", torch.log1p, "log1p", torch.log2, "log2", torch.log10, "log10",
    "clamp_max", torch.clip, "clip", torch.nan_to_num, "nan_to_num", torch.reciprocal, "reciprocal", nn.Hardsigmoid,
    F.hardsigmoid, nn.Tanh, F.tanh, torch.tanh, "tanh",
)  # fmt: skip
_OF_SHAPE = (
    nn.Flatten, torch.flatten, "flatten", torch.reshape, "reshape", "view", torch.squeeze, "squeeze", torch.unsqueeze,
    "unsqueeze", torch.permute, "permute", torch.transpose, "transpose", torch.movedim, "movedim", "contiguous", "to",
    "float", "double", "type_as", "clone", "detach", "reshape_as", "expand_as", nn.Unflatten, nn.Identity, "t",
)  # fmt: skip


@dataclass(frozen=True)
class Head:
    """What a network does to its logits, (…, classes).

    Args:
        steps: one after the other.
        probabilities: from the logits to probabilities.
        is_sigmoid: whether each class is judged on its own.

    Example:
        >>> head = Head((torch.sigmoid,), torch.sigmoid, is_sigmoid=True)
        >>> head(torch.zeros(2))
        tensor([0.5000, 0.5000])
    """

    steps: tuple[Function, ...] = ()
    probabilities: Function = _softmax
    is_sigmoid: bool = False

    def __call__(self, logits: Tensor) -> Tensor:
        """What the network puts out for its logits."""
        return reduce(lambda value, step: step(value), self.steps, logits)


def add_classes(traced: fx.GraphModule) -> None:
    """Make outputs of one number a photo, (N,), such as those of `squeeze(1)`, rows of one class, (N, 1)."""

    def as_row(node: fx.Node) -> fx.Node:
        return _row_below(traced, node) if ops.shape(node) == (1,) else node

    output = output_node(traced)
    output.args = fx.node.map_arg(output.args, as_row)
    traced.graph.eliminate_dead_code()
    traced.recompile()


def drop_head(traced: fx.GraphModule) -> Head:
    """Make the logits the output of a network that ends in a function of them that can be undone.

    The shapes must have been recorded, for one photo.

    Returns:
        That function; without steps, if the network puts out its logits.

    Raises:
        InputError: if its softmax goes over the photos of a batch.

    Example:
        >>> class Net(nn.Module):
        ...     def forward(self, x):
        ...         return x.log_softmax(1).exp().clamp(min=1e-6)
        >>> traced = fx.symbolic_trace(Net())
        >>> for node in traced.graph.nodes:
        ...     node.meta["shape"] = (1, 3)
        >>> len(drop_head(traced).steps), [node.name for node in traced.graph.nodes]
        (3, ['x', 'output'])
    """
    node: fx.Node = output_node(traced).args[0]
    logits, steps, kept, names = node, list[Function](), 0, list[ops.Callee]()
    while (below := _undone(traced, node)) is not None:
        read, step = below
        steps += [] if step is None else [step]
        called, node = ops.kind(traced, node), read
        if called in _SQUASHING:
            names.append(called)
            logits, kept = _row_below(traced, node), len(steps)
            if called in _NEGATED:
                logits = _negative(traced, logits)
    if not names:
        logits, kept = _row_below(traced, node) if steps else node, len(steps)
    own, width = tuple(reversed(steps[:kept])), (ops.shape(logits) or (1, 1))[1]
    is_sigmoid = _SQUASHING[names[0]] in (torch.sigmoid, F.logsigmoid) if names else _is_between(own)
    if not names and not is_sigmoid:
        return Head()
    if is_sigmoid and _falls(own):
        logits, own = _negative(traced, logits), (torch.neg, *own)
    set_output(traced, logits)
    return _head(own, max(2, width), is_sigmoid=is_sigmoid)


def _negative(traced: fx.GraphModule, logits: fx.Node) -> fx.Node:
    """A new node of minus the logits, for a head of which larger ones mean a smaller probability."""
    with traced.graph.inserting_after(logits):
        made = traced.graph.call_function(operator.neg, (logits,))
    made.meta = {**logits.meta, "nn_module_stack": {}}
    return made


def _falls(steps: tuple[Function, ...]) -> bool:
    """Whether steps that judge each class on its own make less of more, as `1 - sigmoid(x)` does."""
    low, high = Head(steps)(torch.tensor([[-3.0, -3.0], [3.0, 3.0]]))
    return bool(low[0] > high[0])


def _is_between(steps: tuple[Function, ...]) -> bool:
    """Whether steps bring numbers of any size between 0 and 1, and not all of them to the same."""
    numbers = torch.linspace(-50, 50, 200).view(100, 2)
    made = Head(steps)(numbers)
    return made.shape == numbers.shape and bool((made >= 0).all() and (made <= 1).all() and made.max() > made.min())


def _head(steps: tuple[Function, ...], width: int, *, is_sigmoid: bool) -> Head:
    """The head with the probabilities that follow from what it puts out, tried on some logits."""
    head = Head(steps)
    logits = torch.linspace(-4, 4, 3 * width).view(width, 3).T
    usual: Function = torch.sigmoid if is_sigmoid else _softmax
    ways: tuple[Function, ...] = (head, lambda logits: head(logits).exp())
    for own in ways:
        made = own(logits)
        if torch.allclose(made, usual(logits), atol=1e-6):  # with the same last bits, whatever the steps were
            break
        if sums_to_one(made) or (is_sigmoid and bool((made >= 0).all() and (made <= 1).all())):
            return Head(steps, own, is_sigmoid)
    return Head(steps, usual, is_sigmoid)


def sums_to_one(values: Tensor) -> bool:
    """Whether each of some rows, (N, classes), is positive and sums to one, so that it holds probabilities.

    Example:
        >>> sums_to_one(torch.tensor([[0.25, 0.75]])), sums_to_one(torch.tensor([[1.5, -0.5]]))
        (True, False)
    """
    return values.shape[-1] > 1 and bool((values >= 0).all() and ((values.sum(-1) - 1).abs() < 1e-3).all())


def _undone(traced: fx.GraphModule, node: Any) -> tuple[fx.Node, Function | None] | None:
    """The node that a step of the head was made from, and what the step does to it; `None` if it is no such step."""
    if not isinstance(node, fx.Node) or not _is_row(node):
        return None
    called, variable = ops.kind(traced, node), [at for at, given in enumerate(node.args) if ops.is_variable(given)]
    if len(variable) != 1 or any(map(ops.is_variable, node.kwargs.values())):
        return None
    at, read = variable[0], node.args[variable[0]]
    if not isinstance(read, fx.Node) or not _is_row(read) or (at and called not in _OF_VALUES):
        return None
    if called in _SQUASHING:
        if _SQUASHING[called] in (_softmax, _log_softmax) and not _goes_over_classes(traced, node, read):
            return None
        return read, _SQUASHING[called]
    if called in _OF_SHAPE or (called is operator.getitem and _picks_all(node)):
        return read, None
    numbers = (*node.args[:at], *node.args[at + 1 :], *node.kwargs.values())
    if called in _OF_VALUES and not any(isinstance(number, fx.Node) for number in numbers):
        if node.op == "call_module":
            return read, copy.copy(ops.called_module(traced, node))
        return read, partial(
            _with_numbers, node.op, node.target, node.args[:at], node.args[at + 1 :], dict(node.kwargs)
        )
    return None


def _picks_all(node: fx.Node) -> bool:
    """Whether an index leaves a row as it is, such as `[:, :, 0, 0]`."""
    index = node.args[1] if isinstance(node.args[1], tuple) else (node.args[1],)
    is_plain = all(each is None or isinstance(each, (slice, int, EllipsisType)) for each in index)
    return is_plain and math.prod(ops.shape(node) or ()) == math.prod(ops.shape(node.args[0]) or ())


def _with_numbers(
    op: str, target: Any, before: Sequence[Any], after: Sequence[Any], kwargs: Mapping[str, Any], value: Tensor
) -> Tensor:
    """A function or method of a value and numbers; the node itself is gone when it is asked for."""
    called = getattr(torch.Tensor, target) if op == "call_method" else target
    result: Tensor = called(*before, value, *after, **kwargs)
    return result


def _is_row(node: fx.Node) -> bool:
    """Whether a node holds a number a class and nothing else for one photo, whatever its shape is."""
    shape = ops.shape(node)
    return shape is not None and sum(side > 1 for side in shape) <= 1


def _goes_over_classes(traced: fx.GraphModule, node: fx.Node, read: fx.Node) -> bool:
    shape = ops.shape(read) or ()
    if node.op == "call_module":
        module = ops.called_module(traced, node)
        dim: Any = -3 if isinstance(module, nn.Softmax2d) else getattr(module, "dim", None)
    else:
        dim = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
    if dim is None:  # torch's own choice, which it warns of
        dim = 0 if len(shape) in (0, 1, 3) else 1
    if len(shape) > 1 and dim % len(shape) == 0 and shape[0] == 1 < max(shape):
        raise InputError(
            "The network ends in a softmax over dimension 0, which is the photos of a batch; let it go over the "
            "classes, dim=1."
        )
    return bool(shape[dim % len(shape)] == max(shape))


def _row_below(traced: fx.GraphModule, node: fx.Node) -> fx.Node:
    """The (N, classes) that a row was made from by steps that change its shape alone; a new node if there is none."""
    found: Any = node
    while not _has_classes(found):
        below = _undone(traced, found) if ops.kind(traced, found) not in (*_SQUASHING, *_OF_VALUES) else None
        if below is None:
            with traced.graph.inserting_after(node):
                made = traced.graph.call_method("flatten" if len(ops.shape(node) or ()) > 1 else "unsqueeze", (node, 1))
            made.meta = {**node.meta, "shape": (1, max(ops.shape(node) or (1,))), "channels_at": 1}
            return made
        found = below[0]
    row: fx.Node = found
    return row


def _has_classes(node: fx.Node) -> bool:
    shape = ops.shape(node) or ()
    return len(shape) in (2, 4) and shape[0] == 1 and shape[2:] in ((), (1, 1)) and node.meta.get("channels_at", 1) == 1
