"""Rows of tokens, (N, T, C), as layers: the hidden units of a transformer's MLPs, with a map over the photo's patches.

1. A unit is a channel of an MLP's hidden activation: of the last value in it before the channels are mixed again, which
   in a gated MLP, `act(gate) * value`, is the product.
2. Which of its tokens are patches of the photo, and where these lie, is found, not assumed. The graph is run on the
   numbers of the image's pixels (`receptive_field_ops`) with everything left out that mixes tokens: of a sum the pixels
   count that all of its parts can see, which along a skip are those of the token's own patch, and attention is where it
   asks from. The class token has none.
3. If the tokens with pixels lie together, and their middles are a grid, they are a map (N, C, H, W), in whatever order
   they come, and the others, the class token and its kin, a layer beside it, (N, C, 1, E), which has no places. After
   the rows of tokens steps to both are inserted, and one back, which the rest of the network reads.

Where that fails once, as where tokens are merged or dropped, nothing is inserted (`token_moves.why_no_tokens`).

The *residual stream* is what the blocks add to: after a block all that is known of the photo is in its rows, which are
signed. They are found and split in the same way, and are the layers of the choice `stream`.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx

from circuits.network import operations as ops
from circuits.network.blocks import paths_around
from circuits.network.branches import nearest_below, on_paths
from circuits.network.dataflow import value_users
from circuits.network.execute import image_node
from circuits.network.receptive_field_ops import largest_reaching
from circuits.network.token_moves import NAMED_AFTER, STREAM, TOKENS, WHY, tokens_extra, tokens_joined, tokens_map

_FEW = 16
"""More tokens than class tokens and registers there are."""


def split_tokens(traced: fx.GraphModule) -> None:
    """Insert steps to a map of patches, and to the tokens beside them, after each MLP's hidden units, and one back.

    The shapes must have been recorded.

    Example:
        >>> from torch import nn
        >>> from circuits.network.layers import find_layers
        >>> from circuits.network.record_shapes import record_shapes
        >>> class Tokens(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.patch, self.up, self.act = nn.Conv2d(3, 4, 2, 2), nn.Linear(4, 5), nn.GELU()
        ...         self.down, self.head = nn.Linear(5, 4), nn.Linear(4, 2)
        ...     def forward(self, x):
        ...         x = self.patch(x).flatten(2).transpose(1, 2)
        ...         return self.head((x + self.down(self.act(self.up(x)))).mean(1))
        >>> traced = fx.symbolic_trace(Tokens())
        >>> record_shapes(traced, torch.zeros(1, 3, 6, 8))
        >>> split_tokens(traced)
        >>> [(layer.name, layer.channels, layer.height, layer.width) for layer in find_layers(traced)]
        [('patch', 4, 3, 4), ('act', 5, 3, 4), ('head', 2, 1, 1)]
    """
    hidden = dict(_hidden(traced))
    if not hidden:
        return
    streams = _streams(traced, list(hidden))
    centres = _centres(traced, [*hidden, *streams])
    places = {node: place for node in hidden if (place := _place(centres[node])) is not None}
    most = max((place.patches for place in places.values()), default=0)
    for node in hidden:
        # Class tokens have an MLP of their own in some networks; many tokens without pixels are patches that were lost.
        if node not in places or not (places[node].patches or (ops.shape(node) or ())[1] < min(most, _FEW)):
            traced.meta[WHY] = _sentence(node)
            return
    for node, place in places.items():
        _insert(node, hidden[node], place)
    for node in streams:
        grid = _place(centres[node])
        if grid is not None and grid.patches:
            _insert(node, node, grid, is_stream=True)
    traced.recompile()


def layers_of_tokens(
    traced: fx.GraphModule, chain: Sequence[fx.Node], names: Iterable[fx.Node], chosen: Sequence[fx.Node]
) -> list[fx.Node]:
    """What was chosen with the layers of tokens, if there are any.

    Below them, where nothing else is chosen there, lies the embedding of the patches.
    """
    tokens = [node for node in names if node.target in TOKENS and not node.meta[STREAM]]
    if not tokens:
        return list(chosen)
    chosen = [node for node in chosen if not is_sum_of_tokens(traced, node, tokens)]
    if any(node < tokens[0] for node in chosen):
        return chosen + tokens
    embeddings = [node for node in names if node < tokens[0] and ops.kind(traced, node) in ops.CONVOLUTIONS]
    if passed := [node for node in embeddings if node in chain]:
        return chosen + passed[-1:] + tokens
    # Patches of several sizes are embedded side by side, and no path is to be left open down to the pixels.
    ends, image = {*tokens, *embeddings}, image_node(traced)
    lowest = {node for layer in tokens for node in nearest_below(layer, ends, image)} & set(embeddings)
    return chosen + sorted(lowest) + tokens


def is_sum_of_tokens(traced: fx.GraphModule, node: fx.Node, tokens: Iterable[fx.Node]) -> bool:
    """Whether a row above some layers of tokens is no layer: its channels are no units, but sums of what these add.

    So are the pooled or normalised rows of all blocks, and the embedding of a photo; what an activation function makes
    has units of its own.
    """
    below = [layer for layer in tokens if layer.target in TOKENS]
    is_above = bool(below) and not any(node < layer for layer in below)
    return is_above and len(ops.shape(node) or ()) == 2 and not ops.operation(traced, node).is_activation


def _hidden(traced: fx.GraphModule) -> Iterator[tuple[fx.Node, fx.Node]]:
    """The rows of an MLP's hidden units, and the activation function in them."""
    seen: set[fx.Node] = set()
    for node in traced.graph.nodes:
        if not (_is_rows(node) and ops.operation(traced, node).is_activation):
            continue
        last = node
        while len(users := value_users(last)) == 1 and _goes_on(traced, last, users[0]):
            last = users[0]
        if last not in seen:
            seen.add(last)
            yield last, node


def layers_of_stream(nodes: Iterable[fx.Node]) -> list[fx.Node]:
    """Of some nodes those of the residual stream after each block."""
    return [node for node in nodes if node.target in TOKENS and node.meta[STREAM]]


def _streams(traced: fx.GraphModule, hidden: Sequence[fx.Node]) -> list[fx.Node]:
    """Of each MLP the first addition above its hidden units that every path from the image to the logits passes."""
    image, logits = image_node(traced), next(node for node in traced.graph.nodes if node.op == "output").args[0]
    passed = [image, *on_paths(image, logits)]
    place = {node: number for number, node in enumerate(passed)}
    found: list[fx.Node] = []
    waiting, furthest = list(hidden), 0
    for node in passed:
        is_cut = furthest <= place[node]  # nothing before it is read after it
        furthest = max([furthest, *(place[user] for user in value_users(node) if user in place)])
        if is_cut and waiting and waiting[0] < node and _is_rows(node) and _is_merge(traced, node):
            found.append(node)
            waiting = [each for each in waiting if node < each]
    return found


def _is_merge(traced: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node adds two tensors that depend on the image."""
    return ops.operation(traced, node).role == "addition" and all(map(ops.is_variable, node.args[:2]))


def _is_rows(node: fx.Node) -> bool:
    """Whether a node's tensor is one photo's rows of tokens, (1, T, C)."""
    shape = ops.shape(node) or ()
    return len(shape) == 3 and shape[0] == 1 and node.meta["channels_at"] == 2


def _goes_on(traced: fx.GraphModule, node: fx.Node, user: fx.Node) -> bool:
    """Whether what reads a hidden activation only changes each number of it, as a gate does; a skip ends it."""
    called = ops.operation(traced, user)
    is_same = ops.shape(user) == ops.shape(node) and _is_rows(user)
    return called.reach == "elementwise" and is_same and not _is_merge(traced, user)


class _Grid(NamedTuple):
    """Which of some tokens are patches: how many rows and columns of them from `start` on, and in which order."""

    start: int
    rows: int
    columns: int
    order: tuple[int, ...] | None

    @property
    def patches(self) -> int:
        return self.rows * self.columns


def _centres(traced: fx.GraphModule, nodes: list[fx.Node]) -> dict[fx.Node, tuple[Tensor, Tensor]]:
    """Row and column of the middle of the pixels of each token, doubled, (T,); not finite for one that has none."""
    image: tuple[int, ...] = image_node(traced).meta["shape"]
    dtype = next((weight.dtype for weight in traced.parameters()), torch.float32)
    rows = torch.arange(image[2], dtype=dtype)[:, None].expand(image)
    columns = torch.arange(image[3], dtype=dtype).expand(image)
    # Both ends of what a token has, for patches that overlap are cut off at the border.
    found = [largest_reaching(traced, numbers, nodes, along_skips=True) for numbers in (rows, -rows, columns, -columns)]
    ends = [{node: each[node].amax((0, 2)) for node in nodes} for each in found]
    return {
        node: (_middle(*(end[node] for end in ends[:2])), _middle(*(end[node] for end in ends[2:]))) for node in nodes
    }


def _middle(last: Tensor, first: Tensor) -> Tensor:
    """The middle between two ends, doubled, of which the first is negated; not finite if nothing lies between them."""
    return torch.where(last + first >= 0, last - first, torch.nan)


def _place(centres: tuple[Tensor, Tensor]) -> _Grid | None:
    """Which of the tokens are patches: none if all tokens are others; `None` if the patches are no grid."""
    known = centres[0].isfinite()
    if not known.any():
        return _Grid(0, 0, 0, None)
    start, count = int(known.nonzero()[0]), int(known.sum())
    if not bool(known[start : start + count].all()):
        return None
    down, across = (each[start : start + count] for each in centres)
    (rows, at_row), (columns, at_column) = (torch.unique(each, return_inverse=True) for each in (down, across))
    place = at_row * len(columns) + at_column
    order = place.argsort()
    in_order = torch.arange(count)
    if len(rows) * len(columns) != count or not torch.equal(place[order], in_order):
        return None
    is_moved = not torch.equal(order, in_order)
    return _Grid(start, len(rows), len(columns), tuple(order.tolist()) if is_moved else None)


def _sentence(node: fx.Node) -> str:
    tokens = (ops.shape(node) or ())[1]
    return (
        f"the {tokens} tokens at {node.name} cannot be told to be a grid of the photo's patches, as where tokens are "
        "merged, dropped or moved by what the photo shows, so that its units have no map"
    )


def _insert(node: fx.Node, source: fx.Node, place: _Grid, *, is_stream: bool = False) -> None:
    shape, (first, rows, columns, order) = ops.shape(node) or (), place
    extra, patches = shape[1] - place.patches, place.patches
    start = first if patches else extra
    moved = () if order is None else (order,)
    graph, readers = node.graph, list(node.users)
    # The rows that leave a block stay its output, and give it its name.
    around = {} if is_stream else {path: node.meta["nn_module_stack"][path] for path in paths_around(node)}
    last, parts = node, dict[str, Any]()
    for key, count, step, args, size in (
        ("patches", patches, tokens_map, (node, start, rows, columns, *moved), (rows, columns)),
        ("extra", extra, tokens_extra, (node, start, patches), (1, extra)),
    ):
        if count:
            with graph.inserting_after(last):
                last = parts[key] = graph.call_function(step, args)
            last.meta = {"shape": (1, shape[2], *size), "channels_at": 1, "nn_module_stack": around}
            last.meta |= {NAMED_AFTER: source, STREAM: is_stream}
    with graph.inserting_after(last):
        joined = graph.call_function(tokens_joined, (start, *moved), parts)
    joined.meta = {"shape": shape, "channels_at": 2, "nn_module_stack": around}
    for reader in readers:
        reader.replace_input_with(node, joined)
