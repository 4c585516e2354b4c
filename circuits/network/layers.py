"""Layers: the tensors of a network through which everything passes, found in its dataflow graph.

1. Run an example through the traced network and record the shape of every node (`record_shapes`).
2. The nodes that every path from the image to the output passes through are the dominators of the output
   (Lengauer & Tarjan 1979; `networkx.immediate_dominators`). They form a chain.
3. Cut the chain before each step that mixes channels (a convolution or linear layer). Of each section `auto` keeps the
   last activated or merged tensor (relu, concatenation, addition); inside a named block (`blocks`: a Fire, an
   Inception, a BasicBlock) only the block's output. A section without any keeps what acts as an activation function
   (`activations`). If nothing is found at all, what the mixing steps give is kept. The logits are the top layer.
4. A layer is named after the block or module that makes the tensor (`blocks.name_nodes`).

Tensors inside of branches, which not every path passes, are named in the same way and can be chosen too (`branches`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import networkx as nx
from torch import fx

from circuits.errors import InputError, UnknownError, did_you_mean, listed
from circuits.network import branches
from circuits.network import operations as ops
from circuits.network.activations import is_rectified, unlisted_activations
from circuits.network.blocks import Blocks, name_nodes, paths_around
from circuits.network.dataflow import value_inputs
from circuits.network.execute import image_node, nodes_between, nodes_needed
from circuits.network.token_moves import STREAM, tokens_extra, why_no_tokens
from circuits.network.tokens import layers_of_stream, layers_of_tokens


@dataclass(frozen=True, eq=False)
class Layer:
    """A tensor of the network with channels: one that all information passes through, or one inside of a branch.

    Args:
        name: its name for people and files.
        channels: number of units.
        height: rows of positions; 1 for a fully connected layer.
        width: columns of positions.
        piecewise_linear: whether the attributions to the layer below sum exactly to a unit's value, less the bias.
        node: the fx node that makes it.
        below: the nearest layers below it on each path, from the image up; none for the lowest, one in a chain.
        is_open: whether a path from the image reaches it without passing any of these.
        is_rectified: whether a silent unit is zero, so that one that nothing excites is dead.
    """

    name: str
    channels: int
    height: int
    width: int
    piecewise_linear: bool
    node: fx.Node
    below: tuple[str, ...] = ()
    is_open: bool = False
    is_rectified: bool = False

    @property
    def has_places(self) -> bool:
        """Whether its positions are places in the photo; not that of a fully connected layer, and no class token."""
        return self.height * self.width > 1 and not self.is_of_extra_tokens

    @property
    def is_of_extra_tokens(self) -> bool:
        """Whether its positions are the tokens of a transformer that are no patches, the class token and its kin."""
        return self.node.target is tokens_extra

    @property
    def is_stream(self) -> bool:
        """Whether it holds the tokens of a transformer after a block, of either sign."""
        return bool(self.node.meta.get(STREAM))


def dominators(traced: fx.GraphModule) -> list[fx.Node]:
    """The nodes that every path from the image to the logits passes through, from the image up, both included.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from circuits.network.record_shapes import record_shapes
        >>> class Skip(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.a, self.b, self.c = (nn.Conv2d(3, 3, 1) for _ in range(3))
        ...     def forward(self, x):
        ...         y = self.a(x)
        ...         return (y + self.b(y)).relu() + self.c(y)
        >>> traced = fx.symbolic_trace(Skip())
        >>> record_shapes(traced, torch.zeros(1, 3, 1, 1))
        >>> [node.name for node in dominators(traced)]
        ['x', 'a', 'add_1']

    Raises:
        InputError: if the network has several inputs, its output is neither (N, C) nor (N, C, H, W), or does not depend
            on the image.
    """
    image = image_node(traced)
    logits = next(node for node in traced.graph.nodes if node.op == "output").args[0]
    if len(ops.shape(logits) or ()) not in (2, 4):
        raise InputError("The network's output is not one tensor, (N, classes) or (N, C, H, W); wrap it so that it is.")
    flow = nx.DiGraph([(read, node) for node in traced.graph.nodes for read in value_inputs(node)])
    above = nx.immediate_dominators(flow, image)
    chain = [logits]
    while chain[-1] is not image:
        if above.get(chain[-1]) is None:
            raise InputError("The network's output does not depend on its input.")
        chain.append(above[chain[-1]])
    return chain[::-1]


def find_layers(traced: fx.GraphModule, choice: str | Sequence[str] = "auto") -> tuple[Layer, ...]:
    """The layers of a traced network whose shapes were recorded, from the image up.

    Args:
        traced: a prepared network.
        choice: `auto`, `fine` (every activated or merged tensor, down to the branches, and the parts of every merge),
            `stream` (of a vision transformer, the tokens after each block), or a list of names, in any order.

    Raises:
        UnknownError: if a name is no layer.
        InputError: if names leave fewer than two layers.
    """
    blocks, chain = Blocks(traced), _dominating_tensors(traced)
    names = _name_layers(blocks, chain)
    if choice == "stream":
        choice = _stream(names)
    elif isinstance(choice, str) and choice not in ("auto", "fine"):
        choice = [part.strip() for part in choice.split(",") if part.strip()]
    if not isinstance(choice, str):
        chosen = _by_name(blocks, chain, names, choice)
    else:
        chosen = _fine(blocks, chain, list(names)) if choice == "fine" else _auto(blocks, chain)
        chosen = layers_of_tokens(traced, chain, names, chosen)
    wanted = {chain[-1], *chosen}
    nodes = [node for node in names if node in wanted]
    if len(nodes) < 2 <= len(names) and not isinstance(choice, str):
        left = listed(names[node] for node in nodes)
        raise InputError(f"A circuit needs at least two layers; the choice leaves {left} alone.")
    return tuple(_layer(traced, names, node, wanted, chain[0]) for node in nodes)


def all_names(traced: fx.GraphModule) -> dict[fx.Node, str]:
    """Every tensor that may be a layer and its name, from the image up."""
    return _name_layers(Blocks(traced), _dominating_tensors(traced))


def _dominating_tensors(traced: fx.GraphModule) -> list[fx.Node]:
    return [node for node in dominators(traced) if ops.shape(node) is not None]


def why_no_layers(traced: fx.GraphModule) -> str:
    """Why a network has no layer below its logits, in a sentence."""
    if rows := _token_rows(_dominating_tensors(traced)):
        why = why_no_tokens(traced) or "of which none are the hidden units of an MLP"
        return (
            f"The network keeps its tensors as rows of tokens, {ops.shape(rows[-1])} of (N, tokens, channels), and has "
            f"no layers to explain: {why}; vision transformers that keep their patches in rows have, such as "
            "vit_b_16, and convolutional networks."
        )
    return (
        "The network has no layer between the photo and its logits, so there is nothing to explain them with; name one "
        "of its other tensors, which `circuits layers --all` lists, if it has any."
    )


def _token_rows(chain: Sequence[fx.Node]) -> list[fx.Node]:
    """The tensors that are rows of tokens, (N, tokens, channels), if most of them are."""
    rows = [node for node in chain if len(ops.shape(node) or ()) == 3]
    return rows if len(rows) > len(chain) / 2 else []


def _name_layers(blocks: Blocks, chain: Sequence[fx.Node]) -> dict[fx.Node, str]:
    """Every tensor that may be a layer and its name, from the image up; the last is that of the logits."""
    top = chain[-1]
    inside = [node for node in branches.on_paths(chain[0], top) if node in chain or (ops.shape(node) or (0,))[0] == 1]
    possible = [node for node in inside if node is top or _has_channels(node)]  # windows are many rows of one photo
    # Those of the chain come first, so that no branch takes a name from them.
    names = name_nodes(blocks, [*dict.fromkeys([*chain, *possible])], top)
    return {node: names[node] for node in possible}


def _layer(
    traced: fx.GraphModule, names: dict[fx.Node, str], node: fx.Node, chosen: set[fx.Node], image: fx.Node
) -> Layer:
    shape = ops.shape(node) or ()
    height, width = shape[2:] if len(shape) == 4 else (1, 1)
    lowers = branches.nearest_below(node, chosen, image)
    linear = all(ops.is_piecewise_linear(traced, step) for step in nodes_needed([node], lowers))
    below = tuple(names[lower] for lower in lowers if lower is not image)
    rectified = is_rectified(traced, node)
    return Layer(names[node], shape[1], height, width, linear, node, below, image in lowers, rectified)


def _by_name(blocks: Blocks, chain: list[fx.Node], names: dict[fx.Node, str], choice: Sequence[str]) -> list[fx.Node]:
    by_name = {name: node for node, name in names.items()}
    for name in choice:
        if name not in by_name:
            auto = [names[node] for node in (*_auto(blocks, chain), chain[-1])]
            more = [names[node] for node in chain[1:] if node in names and names[node] not in auto]
            inner = [other for other in by_name if other not in {*auto, *more}]
            also = f"; by name also {listed([*more, *inner], limit=40)}" if more or inner else ""
            raise UnknownError(
                f"Layer {name!r} {_why_not(blocks, names, name)}; the layers are {', '.join(auto)}{also}."
            )
    return [by_name[name] for name in choice]


def _why_not(blocks: Blocks, names: dict[fx.Node, str], name: str) -> str:
    """Why there is no layer of a name, though the graph may have a node or module of that name."""
    output = next((node for node in reversed(names) if name == node.name or name in paths_around(node)), None)
    if output is not None:
        return f"is called {names[output]!r} here"
    nodes = blocks.traced.graph.nodes
    missing = f"does not exist{did_you_mean(name, names.values())}"
    exists = any(name in (node.name, str(node.target)) or name in paths_around(node) for node in nodes)
    return "does not exist as a tensor with channels that the logits depend on" if exists else missing


def stream_names(traced: fx.GraphModule) -> list[str]:
    """Names of the layers of a vision transformer's residual stream, from the image up; none of another network."""
    found = layers_of_stream(traced.graph.nodes)
    names = all_names(traced) if found else {}
    return [names[node] for node in found if node in names]


def _stream(names: dict[fx.Node, str]) -> list[str]:
    found = layers_of_stream(names)
    if not found:
        raise InputError(
            "The layers 'stream' are the tokens after each block of a vision transformer, and this network has none; "
            "leave layers out, or give auto, fine or names."
        )
    return [names[node] for node in found]


def _has_channels(node: fx.Node) -> bool:
    """Whether a node's tensor is (N, C, H, W) or (N, C), not permuted to (N, H, W, C)."""
    return len(ops.shape(node) or ()) in (2, 4) and node.meta["channels_at"] == 1


def _auto(blocks: Blocks, chain: list[fx.Node]) -> list[fx.Node]:
    """The tensor to keep of each section of the chain: step 3 of the module's docstring."""
    chosen: list[fx.Node] = []
    outputs: list[fx.Node] = []
    for section in _sections(blocks.traced, [node for node in chain if not node.meta.get(STREAM)]):
        if chain[-1] in section:
            break
        possible = [node for node in section if _has_channels(node)]
        candidates = [node for node in possible if blocks.is_candidate(node)]
        preferred = [node for node in candidates if blocks.is_preferred(node)]
        preferred = preferred or candidates or _unlisted(blocks, section)
        chosen += [node for node in preferred if not blocks.is_inner(node)][-1:]
        outputs += [node for node in possible if not blocks.is_inner(node)][:1]
    return chosen or ([] if _token_rows(chain) else outputs)


def _fine(blocks: Blocks, chain: list[fx.Node], nodes: list[fx.Node]) -> list[fx.Node]:
    """Every activated or merged tensor, and the parts of every merge."""
    chosen = branches.fine(blocks.traced, [node for node in nodes if not node.meta.get(STREAM)])
    for section in _sections(blocks.traced, chain):
        if set(chosen).isdisjoint(section):
            chosen += _unlisted(blocks, section)
    return chosen if set(chosen) - {chain[-1]} else _auto(blocks, chain)


def _unlisted(blocks: Blocks, section: list[fx.Node]) -> list[fx.Node]:
    return [node for node in unlisted_activations(blocks.traced, section) if _has_channels(node)]


def _sections(traced: fx.GraphModule, chain: list[fx.Node]) -> list[list[fx.Node]]:
    """The chain above the image, cut before each step that mixes channels."""
    sections: list[list[fx.Node]] = []
    for lower, node in pairwise(chain):
        if any(ops.is_mixing(traced, step) for step in nodes_between(lower, node)):
            sections.append([])
        if sections:
            sections[-1].append(node)
    return sections
