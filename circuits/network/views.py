"""What is written into a view, such as a slice or a reshaped tensor, is written into the tensor that it is a view of.

`y.view(n, -1).relu_()` and `a, b = y.chunk(2, 1); a.mul_(3)` change y, and with it every other view of y. In a graph
without anything in place y becomes another tensor, which the later readers of y, and of its views, read.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch.utils import _pytree as pytree

IS_VIEW = "is_view"
"""In `meta` of a node whose value shares its memory with that of its first argument."""
_APART = ("detach", getattr)  # gradients do not follow what is written through these
_SAME = ("contiguous", "to", "float", "type", "type_as", "clone")  # where they return their very input


class WrittenThrough:
    """A tensor that has other values where a view of it looks.

    Args:
        steps: from the tensor to the view: op and target of the nodes in between.

    Example:
        >>> from operator import getitem
        >>> write = WrittenThrough([("call_method", "view"), ("call_function", getitem)])
        >>> write(torch.zeros(2, 2), torch.ones(2), [((4,), {}), ((slice(2),), {})])
        tensor([[1., 1.],
                [0., 0.]])
    """

    def __init__(self, steps: Sequence[tuple[str, Any]]) -> None:
        self.__name__ = self.__qualname__ = "written_through"
        self.steps = tuple(steps)

    def __call__(
        self, tensor: Tensor, value: Tensor, arguments: Sequence[tuple[Sequence[Any], dict[str, Any]]]
    ) -> Tensor:
        """The tensor with the value in it."""
        places: Any = torch.arange(tensor.numel(), device=tensor.device).view(tensor.shape)
        for (op, target), (args, kwargs) in zip(self.steps, arguments, strict=True):
            called = getattr(torch.Tensor, target) if op == "call_method" else target
            places = called(places, *args, **kwargs)
        value = value.expand(places.shape).to(tensor.dtype)
        return tensor.reshape(-1).index_copy(0, places.reshape(-1), value.reshape(-1)).view(tensor.shape)


def note_view(node: fx.Node, value: Any, given: Any) -> None:
    """Note whether a node's value is a view of that of its first argument, or several views, or the very same."""
    if node.op not in ("call_method", "call_function") or node.target in _APART:
        return
    own, below = (
        {each.untyped_storage().data_ptr() for each in pytree.tree_leaves(of) if isinstance(each, Tensor)} - {0}
        for of in (value, given)
    )
    if own & below:
        node.meta[IS_VIEW] = True


def replace_overwritten(graph: fx.Graph, overwritten: fx.Node, node: fx.Node) -> None:
    """Let everybody who later reads an overwritten tensor, or what shares its memory, read the new numbers.

    Args:
        graph: where they are.
        overwritten: whose numbers were overwritten.
        node: what they have become; out of place already.
    """
    node.meta.pop(IS_VIEW, None)
    path = [overwritten]
    while path[0].meta.get(IS_VIEW) and isinstance(path[0].args[0], fx.Node):
        path.insert(0, path[0].args[0])
    if len(path) == 1 or not any(node < reader for reader in _readers(path[0], but=overwritten)):
        _replace_later(graph, overwritten, node)
        return
    steps = [step for step in path[1:] if step.target not in _SAME]
    write = WrittenThrough([(step.op, step.target) for step in steps])
    with graph.inserting_after(node):
        written = graph.call_function(write, (path[0], node, [(step.args[1:], step.kwargs) for step in steps]))
    written.meta |= {name: value for name, value in path[0].meta.items() if name == "nn_module_stack"}
    for user in list(node.users):  # an operation in place returns the view itself
        if user is not written:
            user.replace_input_with(node, overwritten)
    _replace_later(graph, path[0], written)


def _readers(tensor: fx.Node, but: fx.Node | None = None) -> list[fx.Node]:
    """The nodes that read a tensor or a view of it; not those that read one of the views."""
    readers: list[fx.Node] = []
    for user in tensor.users:
        if user is not but:
            readers += [user, *(_readers(user, but) if _is_view_of(user, tensor) else ())]
    return readers


def _is_view_of(node: fx.Node, read: fx.Node) -> bool:
    return bool(node.meta.get(IS_VIEW)) and node.args[0] is read


def _replace_later(graph: fx.Graph, old: fx.Node, new: fx.Node) -> None:
    """Let who reads a tensor after another was made read that, and who reads a view of it a view of that."""
    for user in list(old.users):
        if new < user:
            user.replace_input_with(old, new)
        elif _is_view_of(user, old) and any(new < reader for reader in _readers(user)):
            with graph.inserting_after(new):
                view = graph.node_copy(user, lambda read: new if read is old else read)
            _replace_later(graph, user, view)
