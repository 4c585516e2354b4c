"""The named blocks of a network, such as a Fire, an Inception or a BasicBlock, and the names of what they make.

1. A block is the outermost module around a node that is neither the network itself, a plain list of modules
   (`nn.Sequential`, `nn.ModuleList`), nor one of those that are looked into: wrappers and stages.
2. A wrapper is a module around more than half of the network's mixing operations.
3. A stage is a module that hands on what the last of a list of several blocks of one kind has made: MaxViT's four,
   those of timm's ConvNeXt. Its blocks are what a person would list. A list of layers, as inside of an inverted
   residual, or of unlike blocks, as inside of MaxViT's, makes no stage.
4. A tensor is named after the block that it is the output of, or the module or node that makes it; an activation
   *function* goes by the name of the module that it follows, so that `F.relu(self.conv1(x))` is `conv1`.
"""

import re
from collections import Counter
from collections.abc import Sequence

from torch import fx, nn

from circuits.network import operations as ops


class Blocks:
    """Which named block each node of a traced network lies in, as the head of the file says.

    Args:
        traced: a prepared network whose shapes were recorded.
    """

    def __init__(self, traced: fx.GraphModule) -> None:
        self.traced = traced
        mixing = [node for node in traced.graph.nodes if ops.is_mixing(traced, node)]
        held = Counter(path for node in mixing for path in paths_around(node))
        self._mixing = frozenset(held)
        self._wrappers = {path for path, count in held.items() if count > len(mixing) / 2}
        self._wrappers |= self._stages()

    def _stages(self) -> set[str]:
        """Modules that hand on what the last of a list of several blocks of one kind has made."""
        members: dict[tuple[str, str], set[tuple[str, type]]] = {}
        ends: set[tuple[str, str]] = set()
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
                    if all(path not in paths_around(user) for user in node.users):
                        ends.add((path, held))
        several = {key for key, found in members.items() if len({kind for _, kind in found}) == 1 < len(found)}
        return {path for path, held in ends & several if held not in mixed}

    def around(self, node: fx.Node) -> str | None:
        """Path of the block around a node, `None` where there is none."""
        return next((p for p in paths_around(node) if p and p not in self._wrappers and not _is_plain(node, p)), None)

    def outermost(self, node: fx.Node) -> str:
        """Path of the outermost module around a node that calls one; neither the network itself nor a wrapper of it."""
        paths = (p for p in paths_around(node) if p and (p not in self._wrappers or _is_plain(node, p)))
        return next(paths, str(node.target))

    def is_output(self, node: fx.Node) -> bool:
        """Whether a node is what its block hands on: its readers all lie outside of the block."""
        block = self.around(node)
        return block is not None and all(block not in paths_around(user) for user in node.users)

    def is_inner(self, node: fx.Node) -> bool:
        """Whether a node lies inside a block and is not its output."""
        return self.around(node) is not None and not self.is_output(node)

    def is_worthy(self, node: fx.Node) -> bool:
        """Whether a node makes a tensor that `auto` may keep."""
        made = node.all_input_nodes[0] if node.target is ops.channels_first else node
        is_norm = ops.kind(self.traced, made) is nn.LayerNorm
        return is_norm or ops.is_merged_or_activated(self.traced, node) or self.is_output(node)

    def is_mixed(self, node: fx.Node) -> bool:
        """Whether a worthy node is more than normalised or pooled: activated, merged, or a mixing block's output."""
        is_block = self.is_output(node) and self.around(node) in self._mixing
        return is_block or ops.is_merged_or_activated(self.traced, node)


def _is_plain(node: fx.Node, path: str) -> bool:
    kind = node.meta["nn_module_stack"][path][1]
    return isinstance(kind, type) and issubclass(kind, (nn.Sequential, nn.ModuleList))


def paths_around(node: fx.Node) -> list[str]:
    """Paths of the modules around a node, from the outside in, the leaf that it calls left out.

    fx writes the second call of a module as `path@1`.
    """
    leaf = str(node.target) if node.op == "call_module" else None
    return [path for path in node.meta.get("nn_module_stack", {}) if path.partition("@")[0] != leaf]


def name_nodes(blocks: Blocks, nodes: Sequence[fx.Node], top: fx.Node) -> dict[fx.Node, str]:
    """A unique name for each node, the first have the first choice; see step 4 of the file's head."""
    calls = Counter(str(node.target) for node in blocks.traced.graph.nodes if node.op == "call_module")
    names: dict[fx.Node, str] = {}
    taken: set[str] = set()
    for node in nodes:
        turned = ops.kind(blocks.traced, node) is ops.channels_first and not blocks.is_output(node)
        named = node.all_input_nodes[0] if turned else node
        wish = None if _is_turned(node) else _wish(blocks, named, calls, is_top=node is top)
        wishes = [wish, node.name, f"{node.name}_layer"]
        names[node] = next(wish for wish in wishes if wish and wish not in taken and not re.search(r"[\s:@]", wish))
        taken.add(names[node])
    return names


def _is_turned(node: fx.Node) -> bool:
    """Whether a node's layer is the turned one after it (`channels_first`), which also gets its name."""
    return any(user.target is ops.channels_first for user in node.users)


def _wish(blocks: Blocks, node: fx.Node, calls: Counter[str], *, is_top: bool) -> str | None:
    """What a node would be called if the name were free."""
    if blocks.is_output(node):
        return (blocks.around(node) or "").replace("@", "_")
    if node.op == "call_module" and calls[str(node.target)] == 1:
        return f"{node.target}.pre" if _is_followed_by_function(blocks.traced, node) else str(node.target)
    if not is_top and not ops.operation(blocks.traced, node).is_activation:
        return None
    source: object = node
    while isinstance(source, fx.Node) and (source is node or source.op != "call_module"):
        source = source.args[0] if source.args else None
        if not is_top:
            break
    if not isinstance(source, fx.Node) or source.op != "call_module" or calls[str(source.target)] != 1:
        return None
    return blocks.outermost(source) if is_top else str(source.target)


def _is_followed_by_function(traced: fx.GraphModule, node: fx.Node) -> bool:
    only = next(iter(node.users)) if len(node.users) == 1 else None
    return only is not None and only.op != "call_module" and ops.operation(traced, only).is_activation
