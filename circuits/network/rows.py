"""Run a network one photo at a time, where its rows depend on each other: every node is run on each row by itself.

What a node makes of one row has a first dimension of 1 if it is a tensor of the usual kind, and the rows stand one
after the other as in any batch. Anything else (a number, a tuple, a tensor without rows) is kept once for each row.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx

ONE_AT_A_TIME = "one_at_a_time"
"""Key in `meta` of a traced network whose rows depend on each other."""


class PerRow(list[Any]):
    """What a node has made of each row."""


def is_one_at_a_time(traced: fx.GraphModule) -> bool:
    """Whether a traced network must see one photo at a time."""
    return bool(traced.meta.get(ONE_AT_A_TIME))


def run_by_rows(run: Callable[[dict[fx.Node, Any]], Any], node: fx.Node, values: dict[fx.Node, Any]) -> Any:
    """Run a node on the values of those that it reads, one row after the other.

    Args:
        run: computes it from values.
        node: the node.
        values: those of the nodes that it reads.
    """
    counts = {count for read in node.all_input_nodes if (count := _rows(read, values[read])) > 1}
    if not counts:
        return run(values)
    rows = [run({read: _row(read, values[read], at) for read in node.all_input_nodes}) for at in range(max(counts))]
    if all(isinstance(row, Tensor) and row.dim() > 0 and len(row) == 1 for row in rows):
        return torch.cat(rows)
    return PerRow(rows)


def _rows(node: fx.Node, value: Any) -> int:
    """How many rows a value holds; 1 if it is the same for all."""
    if isinstance(value, PerRow):
        return len(value)
    shape = node.meta.get("shape")
    if not isinstance(value, Tensor) or shape is None or value.dim() == 0:
        return 1
    is_stacked = value.dim() == len(shape) + 1
    return len(value) if is_stacked or shape[:1] == (1,) else 1


def _row(node: fx.Node, value: Any, at: int) -> Any:
    if _rows(node, value) == 1:
        return value[0] if isinstance(value, PerRow) else value
    is_stacked = isinstance(value, PerRow) or value.dim() == len(node.meta["shape"]) + 1
    return value[at] if is_stacked else value[at : at + 1]
