"""Fingerprints of prepared networks: what pictures and indices are kept under."""

import hashlib

from torch import fx


def fingerprint(traced: fx.GraphModule) -> str:
    """sha256 of a prepared network's graph, the settings of its modules, and its parameters and buffers."""
    digest = hashlib.sha256()
    for node in traced.graph.nodes:
        called = repr(traced.get_submodule(str(node.target))) if node.op == "call_module" else ""
        target = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
        digest.update(f"{node.op} {node.name} {target} {node.args} {node.kwargs} {called}\n".encode())
    for name, value in traced.state_dict().items():
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}\n".encode())
        digest.update(memoryview(value.detach().contiguous().numpy()).cast("B") if value.numel() else b"")
    return digest.hexdigest()
