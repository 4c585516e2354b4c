"""What a network puts out: which of its tensors is explained, and what stands between that and the logits.

1. Of several outputs (a tuple, a list, a dictionary) the first that can be logits, (N, classes), is explained; where
   none can, as in the backbone of a detector, the last that is a map, (N, C, H, W).
2. A softmax, log-softmax or sigmoid that ends the network is left out: it would share every class's value among all
   of them (softmax), or flatten it (sigmoid), and what argues for a class shows in its logit.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, fx, nn

from circuits import operations as ops
from circuits.errors import InputError

Head = Callable[[Tensor], Tensor]

_HEADS: Mapping[Any, str] = {
    **dict.fromkeys((nn.Softmax, F.softmax, torch.softmax, "softmax"), "softmax"),
    **dict.fromkeys((nn.LogSoftmax, F.log_softmax, torch.log_softmax, "log_softmax"), "log_softmax"),
    **dict.fromkeys((nn.Sigmoid, F.sigmoid, torch.sigmoid, "sigmoid"), "sigmoid"),
}
HEADS: Mapping[str, Head] = {
    "": lambda logits: logits,
    "softmax": lambda logits: logits.softmax(1),
    "log_softmax": lambda logits: logits.log_softmax(1),
    "sigmoid": torch.sigmoid,
}


def leaves(value: Any) -> list[Any]:
    """What lies in tuples, lists and dictionaries, in order.

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
    """Have a traced network whose shapes were recorded put out the one tensor that is explained.

    Returns:
        Its place among all that was put out.

    Raises:
        InputError: if no output can be explained.
    """
    output = next(node for node in traced.graph.nodes if node.op == "output")
    shapes = [ops.shape(leaf) or () for leaf in leaves(output.args[0])]
    logits = [at for at, shape in enumerate(shapes) if _is_logits(shape)]
    maps = [at for at, shape in enumerate(shapes) if len(shape) == 4]
    if not logits and not maps:
        found = " and ".join(map(str, filter(None, shapes))) or "no tensor"
        raise InputError(
            f"The network's output is {found}: neither logits, (N, classes), nor a map, (N, C, H, W); wrap it so that "
            "it holds one of them, or give the part of it that does, such as the backbone of a detector."
        )
    chosen = logits[0] if logits else maps[-1]
    output.args = (leaves(output.args[0])[chosen],)
    traced.graph.eliminate_dead_code()
    traced.recompile()
    return chosen


def _is_logits(shape: tuple[int, ...]) -> bool:
    return len(shape) in (2, 4) and shape[2:] in ((), (1, 1))


def drop_head(traced: fx.GraphModule) -> str:
    """Have a traced network put out logits instead of the softmax, log-softmax or sigmoid of them.

    Returns:
        What was left out, a key of `HEADS`; empty if nothing was.

    Example:
        >>> traced = fx.symbolic_trace(nn.Sequential(nn.Linear(2, 3), nn.LogSoftmax(dim=1)))
        >>> for node in traced.graph.nodes:
        ...     node.meta["shape"] = (1, 3)
        >>> drop_head(traced), [node.name for node in traced.graph.nodes]
        ('log_softmax', ['input_1', '_0', 'output'])
    """
    output = next(node for node in traced.graph.nodes if node.op == "output")
    last = output.args[0]
    head = _HEADS.get(ops.kind(traced, last), "")
    if not head or len(ops.shape(last) or ()) != 2:
        return ""
    output.args = (last.args[0],)
    traced.graph.eliminate_dead_code()
    traced.recompile()
    return head
