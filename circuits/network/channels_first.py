"""Tensors whose channels come last, (N, H, W, C), moved to (N, C, H, W), so that their units are channels like others.

Swin and similar networks keep the positions of the photo as rows and columns, and put the channels last. After each
such tensor that may be a layer, two steps that change no number are inserted into the graph: one to (N, C, H, W), which
is the layer, and one back, which the rest of the network reads.
"""

from torch import fx

from circuits.network import operations as ops
from circuits.network.blocks import Blocks, paths_around
from circuits.network.dataflow import value_inputs
from circuits.network.layers import dominators


def move_channels_first(traced: fx.GraphModule) -> None:
    """Insert a step to (N, C, H, W) and back after each (N, H, W, C) that all paths pass and that may be a layer.

    The shapes must have been recorded. Windows and rows of tokens are left as they are: their dimensions are no rows
    and columns of the photo.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from circuits.network.layers import find_layers
        >>> from circuits.network.record_shapes import record_shapes
        >>> class Last(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.first, self.second, self.head = nn.Conv2d(3, 4, 1), nn.Linear(4, 5), nn.Linear(5, 2)
        ...     def forward(self, x):
        ...         x = self.first(x).relu().permute(0, 2, 3, 1)
        ...         return self.head(self.second(x).relu().mean((1, 2)))
        >>> traced = fx.symbolic_trace(Last())
        >>> record_shapes(traced, torch.zeros(1, 3, 6, 8))
        >>> move_channels_first(traced)
        >>> [(layer.name, layer.channels, layer.height, layer.width) for layer in find_layers(traced)]
        [('first', 4, 6, 8), ('second', 5, 6, 8), ('head', 2, 1, 1)]
    """
    blocks = Blocks(traced)
    maps = _maps(traced)
    for node in dominators(traced)[1:-1]:
        shape = ops.shape(node)
        if node in maps and shape and node.meta["channels_at"] == 3 and blocks.is_candidate(node):
            _insert_moves(blocks, node, shape)
    traced.recompile()


def _maps(traced: fx.GraphModule) -> set[fx.Node]:
    """The four-dimensional tensors whose positions are rows and columns: (N, C, H, W), and those made of them."""
    maps: set[fx.Node] = set()
    for node in traced.graph.nodes:
        is_map = len(ops.shape(node) or ()) == 4
        if is_map and (node.meta["channels_at"] == 1 or any(read in maps for read in value_inputs(node))):
            maps.add(node)
    return maps


def _insert_moves(blocks: Blocks, node: fx.Node, shape: tuple[int, ...]) -> None:
    readers, is_output = list(node.users), blocks.is_output(node)
    graph = node.graph
    with graph.inserting_after(node):
        first = graph.call_function(ops.channels_first, (node,))
    with graph.inserting_after(first):
        last = graph.call_function(ops.channels_last, (first,))
    for reader in readers:
        reader.replace_input_with(node, last)
    around = {path: node.meta["nn_module_stack"][path] for path in paths_around(node)}
    first.meta = {"shape": (shape[0], shape[3], *shape[1:3]), "channels_at": 1, "nn_module_stack": around}
    last.meta = {"shape": shape, "channels_at": 3, "nn_module_stack": {} if is_output else around}
