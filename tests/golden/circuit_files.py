"""Golden files of circuits: every mode, target and choice of layers, what can be done with them, and their cards."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import circuits
from circuits import Circuit, Network, Photo
from tests.golden.record import Recorder, plain

MODES = ("sum", "target", "ig", "ablate")


def write_traces(to: Recorder, networks: Mapping[str, Network], photos: Mapping[str, Photo]) -> None:
    """Circuits as JSON, by network: modes and signs, targets, layers."""
    for name, network in networks.items():
        photo, top = photos[name], network.layers[-1]
        for mode in MODES:
            for signs in ("positive", "both"):
                _write(
                    to,
                    f"circuits/{name}/{mode}-{signs}",
                    circuits.trace(network, photo, depth=3, top=3, mode=mode, signs=signs),
                )
        below = network.below(top) or top
        size = network.layer(network.layers[1])
        targets = {
            "difference": "cat - dog",
            "label": "dog",
            "unit": f"{below}:2",
            "neuron": f"{size.name}:1@{size.height // 2},{size.width // 3}",
        }
        for kind, target in targets.items():
            for mode in ("sum", "target"):
                _write(
                    to,
                    f"circuits/{name}/{kind}-{mode}",
                    circuits.trace(network, photo, target, depth=2, top=[4, 2], mode=mode, signs="both"),
                )
        for mode in ("sum", "target"):
            fine = circuits.trace(network, photo, layers="fine", depth=4, top=[3, 3, 2, 2], mode=mode)
            _write(to, f"circuits/{name}/fine-{mode}", fine)
        few = [network.layers[0], *network.layers[-2:]]
        _write(to, f"circuits/{name}/names", circuits.trace(network, photo, layers=few, depth=2, top=3, signs="both"))


def write_changes(to: Recorder, networks: Mapping[str, Network], photos: Mapping[str, Photo]) -> None:
    """Circuits after each thing that can be done with them, and their other formats."""
    for name, network in networks.items():
        circuit = circuits.trace(network, photos[name], depth=2, top=3)
        first, second, *_ = circuit.edges_into(circuit.root)
        lower = circuit.edges_into(first.source)[0].source
        _write(to, f"changes/{name}/expanded", circuits.expand(network, circuit, first.source, top=5, signs="both"))
        to.json(
            f"changes/{name}/contributions",
            circuits.contributions(
                network, circuit, lower if network.below(circuit.node(lower).unit.layer) else first.source, top=6
            ),
        )
        grown = circuits.grow(network, circuits.trace(network, photos[name], depth=1, top=3), levels=2, signs="both")
        _write(to, f"changes/{name}/grown", grown)
        _write(to, f"changes/{name}/collapsed", circuits.collapse(circuit, first.source))
        discarded = circuits.discard(circuit, first.source)
        _write(to, f"changes/{name}/discarded", discarded)
        _write(to, f"changes/{name}/restored", circuits.restore(discarded, first.source))
        said = circuit.with_name(first.source, " round  eyes ").with_note(
            first.source, "Fires on <both> eyes.\nTwice & more."
        )
        said = said.with_place(second.source, (12.5, -3.0)).with_name(second.source, '猫 "ears"')
        _write(to, f"changes/{name}/said", said)
        measured = circuits.measure(network, circuit)
        _write(to, f"changes/{name}/measured", measured)
        mean = circuits.mean_of_photos(network, [photos[name], *_others(photos, name)], source="all photos")
        both = circuits.measure(
            network, circuits.trace(network, photos[name], depth=2, top=2, mode="target"), baseline=mean
        )
        _write(to, f"changes/{name}/measured-mean", both)
        _write_formats(to, f"changes/{name}/said", said)
        _write_formats(to, f"changes/{name}/measured", circuits.discard(measured, second.source))
        other = circuits.trace(network, photos[name], "dog", depth=2, top=3)
        to.json(f"changes/{name}/compared", circuits.compare(circuit, other).to_dict())
        to.json(f"changes/{name}/what-if", _what_if(network, circuit))


def write_cards(to: Recorder, networks: Mapping[str, Network], photos: Mapping[str, Photo]) -> None:
    """Evaluations as JSON and HTML: in the circuit's photo, and over several."""
    for name, network in networks.items():
        circuit = circuits.trace(network, photos[name], depth=2, top=3)
        alone = circuits.evaluate(network, circuit, ladder=(1, 4), draws=3, stability=2)
        _write_card(to, f"{name}-alone", alone)
        fine = circuits.trace(network, photos[name], layers="fine", depth=3, top=2, signs="both")
        over = circuits.evaluate(
            network,
            fine,
            _others(photos, name),
            ladder=(1, 3),
            draws=2,
            stability=1,
            resamples=50,
            all_photos=True,
        )
        _write_card(to, f"{name}-photos", over)
        units = circuits.units_of(network, circuit)
        told = {
            "units": units,
            "sources": circuits.sources_of(circuit),
            "random": circuits.random_like(network, units, 5),
            "activation": circuits.by_activation(circuit.cache, units),
            "randomised": circuits.randomised(network, 3).sha256,
        }
        to.json(f"cards/{name}-sets", told)


def _others(photos: Mapping[str, Photo], name: str) -> list[Photo]:
    return [photo for other, photo in photos.items() if other != name][:2]


def _write(to: Recorder, name: str, circuit: Circuit) -> None:
    to.text(f"{name}.json", circuit.to_json_text())


def _write_card(to: Recorder, name: str, card: circuits.Card) -> None:
    to.text(f"cards/{name}.json", card.to_json_text())
    to.text(f"cards/{name}.html", card.to_html())


def _write_formats(to: Recorder, name: str, circuit: Circuit) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "circuit.graphml")
        circuit.to_graphml(path)
        to.text(f"{name}.graphml", path.read_text("utf-8"))
    to.text(f"{name}.html", circuits.to_html(circuit))
    to.text(f"{name}-notebook.html", circuit._repr_html_() + "\n" + circuit.node(circuit.root)._repr_html_())
    again = Circuit.from_dict(circuit.to_dict())
    told = {node.id: plain(node) for node in again.nodes.values()}
    to.json(f"{name}-nodes", told | {"visible": again.visible, "predictions": again.predictions})


def _what_if(network: Network, circuit: Circuit) -> dict[str, object]:
    """What the network says when units are switched off and doubled, one of them at one position."""
    first, second, *_ = circuit.edges_into(circuit.root)
    low = network.layers[0]
    outcome = circuits.intervene(
        network, circuit, {first.source: 0, second.source: 2, f"{low}:1@1,2": 0.5}, top=3, classes=["dog"]
    )
    return {"changes": outcome.changes, "effects": outcome.effects, "before": outcome.before, "after": outcome.after}
