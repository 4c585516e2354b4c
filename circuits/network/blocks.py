"""The named blocks of a network, such as a Fire, an Inception or a BasicBlock, and the names of tensors.

1. A block is the outermost module around a node that is neither the network itself, a plain list of modules
   (`nn.Sequential`, `nn.ModuleList`), a convolution or linear layer of another `forward`, a wrapper nor a stage.
2. A wrapper is a module around more than half of the network's mixing operations.
3. A stage is a module that only returns the output of the last of a list of several blocks of one kind: MaxViT's four,
   those of timm's ConvNeXt. A list of layers, as inside of an inverted residual, or of different kinds of blocks, as
   inside of MaxViT's, makes no stage.
4. A tensor is named after the block that it is the output of, or the module or node that makes it; an activation
   *function* after the module that it follows, so that `F.relu(self.conv1(x))` is `conv1`.
"""

import re
from collections import Counter
from collections.abc import Sequence

from torch import fx, nn

from circuits.errors import printable
from circuits.network import operations as ops
from circuits.network.dataflow import value_users
from circuits.network.token_moves import NAMED_AFTER, TOKENS, tokens_extra

_MIXING = (*ops.CONVOLUTIONS, nn.Linear)


class Blocks:
    """The named block of each node of a traced network whose shapes were recorded."""

    def __init__(self, traced: fx.GraphModule) -> None:
        self.traced = traced
        mixing = [node for node in traced.graph.nodes if ops.is_mixing(traced, node)]
        held = Counter(path for node in mixing for path in paths_around(node))
        self._mixing = frozenset(held)
        self._wrappers = {path for path, count in held.items() if count > len(mixing) / 2}
        self._wrappers |= self._stages()

    def _stages(self) -> set[str]:
        """Paths of the stages: step 3 of the module's docstring."""
        members: dict[tuple[str, str], set[tuple[str, type]]] = {}
        outputs: set[tuple[str, str]] = set()
        mixed: set[str] = set()  # lists that hold something else than blocks
        for node in self.traced.graph.nodes:
            paths = [path for path in paths_around(node) if path]
            for at, path in enumerate(paths):
                if _is_plain(node, path):
                    continue
                block = next((each for each in paths[at + 1 :] if not _is_plain(node, each)), None)
                if block is None:
                    mixed.update(paths[at + 1 :])
                    mixed.add(str(node.target).rpartition(".")[0])
                    continue
                held = block.rpartition(".")[0]
                if held != path and block in self._mixing:
                    members.setdefault((path, held), set()).add((block, node.meta["nn_module_stack"][block][1]))
                    if all(path not in paths_around(user) for user in value_users(node)):
                        outputs.add((path, held))
        alike = {key for key, blocks in members.items() if len({kind for _, kind in blocks}) == 1 < len(blocks)}
        return {path for path, held in outputs & alike if held not in mixed}

    def around(self, node: fx.Node) -> str | None:
        """Path of the block around a node, `None` where there is none."""
        paths = (p for p in paths_around(node) if p and p not in self._wrappers and not _is_plain(node, p))
        return next((path for path in paths if not _is_kind(node, path, _MIXING)), None)

    def operation(self, node: fx.Node) -> str | None:
        """Path of the convolution or linear layer, of another `forward` than torch's, that a node is the output of."""
        path = next((path for path in paths_around(node) if path and _is_kind(node, path, _MIXING)), None)
        is_output = path is not None and all(path not in paths_around(user) for user in value_users(node))
        return path if is_output else None

    def function(self, node: fx.Node) -> str | None:
        """Path of the module around a node that is an activation function alone, one of a library's own."""
        path = next(iter(reversed(paths_around(node))), "")
        return path.replace("@", "_") if path and path not in self._mixing and not _is_plain(node, path) else None

    def outermost(self, node: fx.Node) -> str:
        """Path of the outermost module around a node that calls one; neither the network itself nor a wrapper of it."""
        paths = (p for p in paths_around(node) if p and (p not in self._wrappers or _is_plain(node, p)))
        return next(paths, str(node.target))

    def is_output(self, node: fx.Node) -> bool:
        """Whether a node is the output of its block: its readers all lie outside of the block."""
        block = self.around(node)
        return block is not None and all(block not in paths_around(user) for user in value_users(node))

    def is_inner(self, node: fx.Node) -> bool:
        """Whether a node lies inside a block and is not its output."""
        return self.around(node) is not None and not self.is_output(node)

    def is_candidate(self, node: fx.Node) -> bool:
        """Whether a node makes a tensor that `auto` may keep."""
        made = node.all_input_nodes[0] if node.target is ops.channels_first else node
        is_norm = ops.kind(self.traced, made) is nn.LayerNorm
        return is_norm or ops.is_merged_or_activated(self.traced, node) or self.is_output(node)

    def is_preferred(self, node: fx.Node) -> bool:
        """Whether a candidate is activated, merged, or a mixing block's output, not only normalised or pooled."""
        is_block = self.is_output(node) and self.around(node) in self._mixing
        return is_block or ops.is_merged_or_activated(self.traced, node)


def _calls_own_module(node: fx.Node) -> bool:
    """Whether a node calls a module of the network's own, not one that was made of a function."""
    return node.op == "call_module" and ops.IS_FUNCTION not in node.meta


def _is_plain(node: fx.Node, path: str) -> bool:
    return _is_kind(node, path, (nn.Sequential, nn.ModuleList))


def _is_kind(node: fx.Node, path: str, kinds: tuple[type[nn.Module], ...]) -> bool:
    kind = node.meta["nn_module_stack"][path][1]
    return isinstance(kind, type) and issubclass(kind, kinds)


def paths_around(node: fx.Node) -> list[str]:
    """Paths of the modules around a node, from the outside in, without the leaf that it calls.

    fx writes the second call of a module as `path@1`.
    """
    leaf = str(node.target) if node.op == "call_module" else None
    return [path for path in node.meta.get("nn_module_stack", {}) if path.partition("@")[0] != leaf]


_ADDRESS = re.compile(r"[^\s:@,]{1,200}")
"""What can be told from a channel in `layer:channel`, and from the next of a list of layers."""


def is_address(name: str) -> bool:
    """Whether a name can be a layer's."""
    return bool(_ADDRESS.fullmatch(name)) and printable(name) == name


def name_nodes(blocks: Blocks, nodes: Sequence[fx.Node], top: fx.Node) -> dict[fx.Node, str]:
    """A unique name for each node, the first ones first: step 4 of the module's docstring.

    A tensor that is moved to channels first gives its name to the moved one; a layer of tokens is called after the
    activation function in it, that of the tokens which are no patches with `.cls`.
    """
    calls = Counter(str(node.target) for node in blocks.traced.graph.nodes if _calls_own_module(node))
    names: dict[fx.Node, str] = {}
    taken: set[str] = set()
    for node in nodes:
        is_moved = ops.kind(blocks.traced, node) is ops.channels_first and not blocks.is_output(node)
        source = node.all_input_nodes[0] if is_moved else node
        gives_name = any(user.target in (ops.channels_first, *TOKENS) for user in node.users)
        preferred = None if gives_name else _preferred_name(blocks, source, calls, is_top=node is top)
        possible = [preferred, node.name, f"{node.name}_layer", f"layer_{len(names)}"]
        names[node] = next(name for name in possible if name and name not in taken and is_address(name))
        taken.add(names[node])
    return names


def _preferred_name(blocks: Blocks, node: fx.Node, calls: Counter[str], *, is_top: bool) -> str | None:
    if node.target in TOKENS:
        activation = node.meta[NAMED_AFTER]
        own = blocks.function(activation) or _preferred_name(blocks, activation, calls, is_top=False) or activation.name
        return f"{own}.cls" if node.target is tokens_extra else own
    if blocks.is_output(node):
        return (blocks.around(node) or "").replace("@", "_")
    if own := blocks.operation(node):
        return f"{own}.pre" if _is_followed_by_function(blocks.traced, node) else own
    if _calls_own_module(node) and calls[str(node.target)] == 1:
        return f"{node.target}.pre" if _is_followed_by_function(blocks.traced, node) else str(node.target)
    if not is_top and not ops.operation(blocks.traced, node).is_activation:
        return None
    source: object = node
    while isinstance(source, fx.Node) and (source is node or not _calls_own_module(source)):
        source = source.args[0] if source.args else None
        if not is_top:
            break
    if isinstance(source, fx.Node) and not is_top and (own := blocks.operation(source)):
        return own
    if not isinstance(source, fx.Node) or not _calls_own_module(source) or calls[str(source.target)] != 1:
        return None
    return blocks.outermost(source) if is_top else str(source.target)


def _is_followed_by_function(traced: fx.GraphModule, node: fx.Node) -> bool:
    only = next(iter(node.users)) if len(node.users) == 1 else None
    return only is not None and only.op != "call_module" and ops.operation(traced, only).is_activation
