"""Names of modules that torch.fx, a terminal or a file could not hold."""

import keyword
import re
from typing import Any

from torch import fx, nn

from circuits.errors import printable


def writable(name: str) -> str:
    r"""A module's name with an underscore for what does not belong into code, files or on screens.

    >>> writable('re"lu\n'), writable("class"), writable("relu é")
    ('re_lu_', 'class_', 'relu é')
    """
    name = re.sub(r'["\\\n\r\t]', "_", re.sub(r"\\[xuU][0-9a-f]+", "_", printable(name)))
    return f"{name}_" if keyword.iskeyword(name) else name


_OF_GRAPH_MODULES = frozenset({*dir(fx.GraphModule), "meta"}) - frozenset(dir(nn.Module))


def rename_modules(module: nn.Module, graph: fx.Graph) -> None:
    """Give modules whose names cannot be written others, in a module that has been traced and in its graph.

    fx writes code with the names in it, and files and terminals show them; `code` and `graph` are names that graph
    modules have themselves. What is renamed is no longer found under
    its old name, so this comes when the module's own code will not be run again.
    """
    renamed: dict[tuple[int, str], str] = {}
    for node in graph.nodes:
        if node.op in ("call_module", "get_attr"):
            at, path = module, []
            for name in str(node.target).split("."):
                if (key := (id(at), name)) not in renamed:
                    renamed[key] = _renamed(at, name, _OF_GRAPH_MODULES if at is module else frozenset())
                path.append(renamed[key])
                at = getattr(at, path[-1])
            node.target = ".".join(path)


def _renamed(parent: nn.Module, name: str, taken: frozenset[str]) -> str:
    """The name under which a member of a module is found from now on."""
    new = f"{name}_" if name in taken else writable(name)
    if new == name:
        return name
    while hasattr(parent, new):
        new += "_"
    members: tuple[dict[str, Any], ...] = (parent._modules, parent._parameters, parent._buffers)
    for group in members:
        if name in group:
            group[new] = group.pop(name)
    return new
