"""Which edges of an fx graph carry values, and which only tell a size, a dtype or a device.

`x.size(0)`, `x.shape`, `torch.zeros_like(x)` and `y.to(x)` read no value of x: whatever the photo shows, they give the
same. Such an edge is no path. Dominators, branches, segments, receptive fields and whatever else follows the data walk
`value_inputs` alone, and a graph that is run from its middle reads what it asks of tensors further down from a
`stand_in`.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx

_ATTRIBUTES = frozenset({
    "shape", "ndim", "dtype", "device", "layout", "is_cuda", "is_cpu", "is_sparse", "is_quantized", "is_meta",
    "is_leaf", "requires_grad", "itemsize", "nbytes", "names"
})  # fmt: skip
# Methods, and functions of torch of the same names, that read nothing of their first argument but what it is like.
_OF_FIRST = frozenset({
    "size", "dim", "ndimension", "numel", "nelement", "element_size", "stride", "storage_offset", "is_contiguous",
    "is_floating_point", "is_complex", "is_signed", "get_device", "dim_order", "sym_size", "__len__", "new_zeros",
    "new_ones", "new_empty", "new_full", "new_tensor", "zeros_like", "ones_like", "empty_like", "full_like",
    "rand_like", "randn_like", "randint_like", "is_tensor"
})  # fmt: skip
# Those that give their first argument the type or the shape of the second.
_LIKE_SECOND = frozenset({
    "to", "type_as", "expand_as", "view_as", "reshape_as", "resize_as"
})  # fmt: skip


def is_size(node: fx.Node) -> bool:
    """Whether a node is a number, a shape, a dtype or a device that was read from a tensor, or made of these alone.

    Example:
        >>> class Net(torch.nn.Module):
        ...     def forward(self, x):
        ...         return x.reshape(x.shape[0] * 2, -1)
        >>> [node.name for node in fx.symbolic_trace(Net()).graph.nodes if is_size(node)]
        ['getattr_1', 'getitem', 'mul']
    """
    if node.target is getattr:
        return node.args[1] in _ATTRIBUTES
    if node.op == "call_method" and node.target in ("size", "dim", "numel", "ndimension", "nelement", "stride"):
        return True
    made_of = node.all_input_nodes
    is_arithmetic = node.op == "call_function" and getattr(node.target, "__module__", "") in ("_operator", "math")
    return is_arithmetic and bool(made_of) and all(map(is_size, made_of))


def value_inputs(node: fx.Node) -> list[fx.Node]:
    """The nodes whose values a node reads, not only their size, dtype or device.

    Example:
        >>> class Net(torch.nn.Module):
        ...     def forward(self, x, y):
        ...         return torch.zeros_like(x) + y.view(x.size(0), -1).to(x)
        >>> {node.name: [read.name for read in value_inputs(node)] for node in fx.symbolic_trace(Net()).graph.nodes}
        ... # doctest: +NORMALIZE_WHITESPACE
        {'x': [], 'y': [], 'zeros_like': [], 'size': [], 'view': ['y', 'size'], 'to': ['view'],
         'add': ['zeros_like', 'to'], 'output': ['add']}
    """
    name, args, kwargs = _name(node), list(node.args), dict(node.kwargs)
    if name in _OF_FIRST or (node.target is getattr and args[1] in _ATTRIBUTES):
        place, key = 0, "input"
    elif name in _LIKE_SECOND:
        place, key = 1, "other"
    else:
        return node.all_input_nodes
    asked = args.pop(place) if len(args) > place else kwargs.pop(key, None)
    if isinstance(asked, fx.Node) and is_size(asked):  # `y.to(x.dtype)`, `x.shape.numel()`
        return node.all_input_nodes
    read: dict[fx.Node, None] = {}
    fx.node.map_arg((args, kwargs), read.setdefault)
    return list(read)


def value_users(node: fx.Node) -> list[fx.Node]:
    """The nodes that read a node's values, not only its size, dtype or device."""
    return [user for user in node.users if node in value_inputs(user)]


def _name(node: fx.Node) -> str:
    """The name of a method, or of a function of torch."""
    if node.op == "call_method":
        return str(node.target)
    is_torchs = node.op == "call_function" and getattr(node.target, "__module__", "") == "torch"
    return str(getattr(node.target, "__name__", "")) if is_torchs else ""


def stand_in(node: fx.Node, known: Mapping[fx.Node, Any]) -> Tensor:
    """A tensor that is like a node's, for those who ask for its size, dtype or device; it holds nothing but zeros.

    Args:
        node: its shape must have been recorded.
        known: values of nodes; the first of the photos' tells how many photos there are.

    Example:
        >>> graph = fx.Graph()
        >>> image, map = graph.placeholder("image"), graph.placeholder("map")
        >>> image.meta["shape"], map.meta["shape"] = (1, 3, 64, 64), (1, 8, 16, 16)
        >>> stand_in(image, {map: torch.ones(5, 8, 16, 16)}).shape
        torch.Size([5, 3, 64, 64])
    """
    shape: tuple[int, ...] = node.meta["shape"]
    like, times = torch.zeros(()), 1
    for other, value in known.items():
        recorded = other.meta.get("shape")
        if recorded and isinstance(value, Tensor) and depends_on_image(other):
            like, times = value, len(value) // recorded[0]
            break
    zero = torch.zeros((), dtype=node.meta.get("dtype", like.dtype), device=like.device)
    return zero.expand(shape[0] * times, *shape[1:]) if shape else zero


def depends_on_image(node: fx.Node) -> bool:
    """Whether a node's value changes with the image: whether a path of values leads from the one to the other."""
    waiting, seen = [node], {node}
    while waiting:
        node = waiting.pop()
        if node.op == "placeholder":
            return True
        below = [read for read in value_inputs(node) if read not in seen]
        waiting.extend(below)
        seen.update(below)
    return False
