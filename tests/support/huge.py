"""Circuits of a size or a shape that no tiny network has, as the files that somebody might import."""

import copy
from typing import Any

import numpy as np

from circuits.tracing.circuit import Circuit

BLOCKS = 8


def huge(small: Circuit, count: int = 1000, edges: int = 5) -> dict[str, Any]:
    """The file of a circuit of another network with so many units, each expanded one with some edges into it.

    Args:
        small: where the photo and the target come from.
        count: units in all.
        edges: how many units below each unit are picked, beside those that nothing else would reach.
    """
    data: dict[str, Any] = copy.deepcopy(small.to_dict())
    rng = np.random.default_rng(0)
    root, pattern = data["nodes"][0], data["nodes"][1]
    layers = [f"block{number}" for number in range(BLOCKS)]
    data["graph"]["network"].update(name="huge", sha256="ab" * 32, layers=[*layers, root["layer"]])
    data["nodes"], data["edges"] = [root], []
    above = [root]
    for layer, size in zip(reversed(layers), _sizes(count - 1), strict=True):
        found = [_leaf(pattern, layer, channel) for channel in range(size)]
        for place, upper in enumerate(above):
            # Dealt out like cards, so that each unit is reached.
            own = [node["id"] for node in found[place :: len(above)]]
            picked = rng.choice([node["id"] for node in found], min(edges, size), replace=False)
            _expand(data, upper, list(dict.fromkeys([*own, *map(str, picked)])), rng)
        data["nodes"] += found
        above = found
    return data


def _sizes(count: int) -> list[int]:
    """Units a layer, from the top down: more and more of them, `count` in all."""
    weights = np.linspace(1, 3, BLOCKS)
    sizes = np.floor(weights / weights.sum() * count).astype(int)
    sizes[-1] += count - sizes.sum()
    return [int(size) for size in sizes]


def _leaf(pattern: dict[str, Any], layer: str, channel: int) -> dict[str, Any]:
    name = f"{layer}:{channel}"
    return {**pattern, "id": name, "layer": layer, "channel": channel, "label": name}


def _expand(data: dict[str, Any], upper: dict[str, Any], sources: list[str], rng: np.random.Generator) -> None:
    """Give a unit edges, a fifth of them inhibiting, that hold half of its gross attribution."""
    sizes = np.sort(rng.random(len(sources)) + 0.05)[::-1]
    signs = np.where(rng.random(len(sources)) < 0.2, -1.0, 1.0)
    signed = [float(np.float32(value)) for value in sizes * signs]
    for rank, (source, value) in enumerate(zip(sources, signed, strict=True), 1):
        data["edges"].append({"source": source, "target": upper["id"], "attribution": value, "rank": rank})
    shown, gross = sum(signed), 2 * sum(map(abs, signed))
    upper.update(expanded=True, shown=shown, rest=1.0, bias=0.0, value=shown + 1.0, gross=gross, coverage=0.5)
