"""How true the edges are: attribution against ablation, in every mode, over some photos.

For each photo and mode the circuit of the predicted class is traced and measured (`circuits.measure`): every unit of
the layers below each expanded unit is ablated, to zero and to its mean over the photos. Told are

- how many edges disagree, cancel, and are saturated;
- layer by layer the medians over expanded units: the rank correlation of attribution and ablation over the whole layer
  below, how far the shown attributions are off, and what all shown units together account for, over what was shown.

Run it with `python benchmarks/bench_verified.py --photos FOLDER`.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from circuits import Circuit, load_network, load_photo, mean_of_photos, measure, trace
from circuits.attribution.modes import MODES


class Seen:
    """What was found in one mode."""

    def __init__(self) -> None:
        self.edges: Counter[str] = Counter()
        self.layers: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self.seconds: list[float] = []

    def add(self, circuit: Circuit, seconds: float) -> None:
        """Count a circuit that took so long to measure."""
        self.seconds.append(seconds)
        for name in circuit.visible:
            for edge in circuit.edges_into(name):
                self.edges.update(["all", *edge.warnings])
            node = circuit.nodes[name]
            for found in node.measured:
                row = self.layers[node.unit.layer, found.baseline]
                for kind, value in (("ranks", found.spearman), ("off by", found.error)):
                    if value is not None:
                        row[kind].append(value)
                if found.joint is not None and node.books is not None and node.books.shown:
                    row["together"].append(found.joint / node.books.shown)


def tell(mode: str, seen: Seen, layers: Sequence[str]) -> None:
    """Print the tables of a mode."""
    total = seen.edges["all"]
    shares = ", ".join(
        f"{name} {seen.edges[name]} ({100 * seen.edges[name] / total:.1f} %)"
        for name in ("disagrees", "cancels", "saturates")
    )
    print(f"{mode}: {total} edges; {shares}; {median(seen.seconds):.1f} s to measure a circuit", flush=True)
    for layer in reversed(layers):
        cells = []
        for baseline in ("zero", "mean"):
            row = seen.layers.get((layer, baseline), {})
            cells += [f"{median(row[kind]):.2f}" if row.get(kind) else "" for kind in ("ranks", "off by", "together")]
        if any(cells):
            print(f"| {layer} | {' | '.join(cells)} |", flush=True)


def main(
    photos: Annotated[Path, typer.Option(help="A folder of photos; their mean is the baseline.")],
    network: str = "builtin",
    weights: str | None = None,
    labels: Path | None = None,
    count: Annotated[int, typer.Option(help="Photos whose circuits are measured, evenly spread over the folder.")] = 8,
    depth: int = 4,
    top: int = 5,
    modes: str = ",".join(MODES),
) -> None:
    loaded = load_network(network, weights=weights, labels=labels)
    files = sorted(path for path in photos.iterdir() if path.suffix == ".jpg")
    baseline = mean_of_photos(loaded, files, source=photos.name)
    chosen = files[:: max(1, len(files) // count)][:count]
    print(f"{loaded.name}, {len(chosen)} photos, depth {depth}, top {top}, {baseline}", flush=True)
    for mode in modes.split(","):
        seen = Seen()
        for path in chosen:
            circuit = trace(loaded, load_photo(path), depth=depth, top=top, mode=mode)
            begun = time.perf_counter()
            measured = measure(loaded, circuit, baseline=baseline)
            seen.add(measured, time.perf_counter() - begun)
        tell(mode, seen, loaded.layers)


if __name__ == "__main__":
    typer.run(main)
