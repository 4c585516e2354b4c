"""Golden files of attributions, evidence, exemplar indices and pictures of units."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import circuits
from circuits import Circuit, Network, Photo, Readout
from tests.golden.nets import SIDE, photo_pixels
from tests.golden.record import Recorder

KINDS = ("most", "slightly_positive", "slightly_negative", "least")
METHODS = ("gradient", "gradient_x_input", "guided", "deconvnet")


def write_attributions(to: Recorder, networks: Mapping[str, Network], photos: Mapping[str, Photo]) -> None:
    """Layers, predictions, and the formulas of every mode on the segment between two layers."""
    for name, network in networks.items():
        image = network.preprocessing.input_of(photos[name])
        lower, upper = network.layers[-3:-1]
        activation = network.activations(image, [lower])[lower].detach()
        segment = network.segment(lower, upper)
        layer = network.layer(upper)
        readouts = {
            "unit": Readout.of_unit(3),
            "neuron": Readout.of_neuron(2, (layer.height // 2, 0), layer.height, layer.width),
            "difference": Readout.of_difference(1, 0),
        }
        shares = {
            kind: {
                "sum": circuits.gradient_times_activation(segment, activation, readout),
                "ig": circuits.integrated_gradients(segment, activation, readout),
                "ablate": circuits.ablation(segment, activation, readout),
            }
            for kind, readout in readouts.items()
        }
        layers = {
            choice: {
                each.name: [each.channels, each.height, each.width, each.piecewise_linear, list(each.below)]
                for each in map(network.with_layers(choice).layer, network.with_layers(choice).layers)
            }
            for choice in ("auto", "fine")
        }
        told = {"layers": layers, "sha256": network.sha256, "input": image, "activation": activation, "shares": shares}
        to.json(f"networks/{name}", told | {"predictions": circuits.predict(network, photos[name], top=3)})


def write_evidence(to: Recorder, networks: Mapping[str, Network], photos: Mapping[str, Photo]) -> None:
    """What units did in a photo."""
    for name, network in networks.items():
        for layers in ("auto", "fine"):
            cut = network.with_layers(layers)
            circuit = circuits.trace(cut, photos[name], depth=3, top=[3, 2, 2])
            to.json(f"evidence/{name}-{layers}", _of_circuit(cut, circuit))
        to.json(f"evidence/{name}-photo", _of_photo(network, photos[name]))


def _of_circuit(network: Network, circuit: Circuit) -> dict[str, Any]:
    units = [name for name in circuit.nodes if name in circuit.visible]
    edge = circuit.edges_into(circuit.root)[0]
    below = circuit.edges_into(edge.source)[0]
    layer = circuit.node(below.source).unit.layer
    alike = circuits.trace(network, circuit.photo, depth=2, top=8, signs="both")
    return {
        "units": {
            name: {
                "heat": circuits.heat_map(network, circuit, circuit.node(name).unit),
                "arguments": circuits.argument_map(network, circuit, circuit.node(name).unit),
                "standing": circuits.standing(network, circuit, circuit.node(name).unit, bins=6),
            }
            for name in units[:5]
        },
        "edges": {
            f"{each.source} {each.target}": _maps(circuits.edge_maps(network, circuit, each.source, each.target))
            for each in (edge, below)
        },
        "relative": _or_refusal(lambda: circuits.relative_picture(network, circuit, below.source, edge.source)),
        "path": _or_refusal(lambda: circuits.path_picture(network, circuit, [circuit.root, edge.source, below.source])),
        "firing": circuits.firing_at(network, circuit, layer, (0.4, 0.6), count=5),
        "correlations": circuits.correlations(network, circuit, [f"{layer}:{channel}" for channel in range(4)]),
        "near duplicates": {
            str(threshold): circuits.near_duplicates(network, alike, threshold=threshold)
            for threshold in (0.2, 0.5, 0.9)
        },
    }


def _or_refusal(ask: Callable[[], Any]) -> Any:
    """What is answered, or the sentence that says why there is no answer."""
    try:
        return ask()
    except circuits.InputError as refusal:
        return str(refusal)


def _of_photo(network: Network, photo: Photo) -> dict[str, Any]:
    layer = network.layers[1]
    found = network.layer(layer)
    at = (found.height // 2, found.width // 2)
    pictures = {
        f"{method} {start} {smooth}": circuits.gradient_picture(
            network, photo, f"{layer}:2", method=method, start=start, smooth=smooth
        )
        for method in METHODS
        for start in ("peak", "map")
        for smooth in (0, 3)
        if start == "peak" or not smooth
    }
    fields = {}
    for each in network.layers:
        field = circuits.receptive_field(network, each)
        fields[each] = {"boxes": field.boxes, "size": field.size, "stride": field.stride, "offset": field.offset}
    return {
        "pictures": pictures | {"neuron": circuits.gradient_picture(network, photo, f"{layer}:2@{at[0]},{at[1]}")},
        "fields": fields,
        "channel field": circuits.receptive_field(network, layer, 1).boxes,
        "patches": [circuits.patch(network, photo, f"{layer}:2"), circuits.patch(network, photo, f"{layer}:2", at)],
        "standing": circuits.standing(network, photo, f"{layer}:2"),
    }


def _maps(found: Any) -> dict[str, Any]:
    return {"lower": found.lower, "upper": found.upper, "attribution": found.attribution}


def save_photos(folder: Path) -> Path:
    """Fourteen photos in two folders, one file that is none, and one photo that is there twice."""
    for number in range(14):
        path = folder / ("cats" if number % 3 else "dogs") / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo_pixels(50 + number % 13, SIDE + number, SIDE + 2)).save(path)
    (folder / "notes.png").write_text("no photo")
    return folder


def write_exemplars(to: Recorder, networks: Mapping[str, Network], folder: Path, into: Path) -> None:
    """What an index of a folder says of every unit."""
    for name, network in networks.items():
        index = circuits.index_photos(network, folder, top=4, into=into / name)
        told: dict[str, Any] = {
            "photos": index.photos, "units": index.units, "top": index.top, "exact": index.exact,
            "layers": index.layers,
            "skipped": {path.relative_to(folder).as_posix(): why for path, why in index.skipped.items()},
            "means": {layer: index.mean(layer) for layer in index.layers},
        }  # fmt: skip
        for layer in index.layers:
            count = network.layer(layer).channels
            for channel in {*range(0, count, max(1, count // 4)), count - 1}:
                told[f"{layer}:{channel}"] = _of_unit(index, f"{layer}:{channel}", folder)
        to.json(f"exemplars/{name}", told)
        again = circuits.find_exemplars(network, into / name)
        circuit = circuits.trace(network, folder / "cats" / "01.png", depth=2, top=2)
        baseline = circuits.Baseline.mean(again or index)
        to.text(f"exemplars/{name}-measured.json", circuits.measure(network, circuit, baseline=baseline).to_json_text())


def _of_unit(index: circuits.Exemplars, unit: str, folder: Path) -> dict[str, Any]:
    found = index.of(unit)
    lists = {
        kind: [
            [each.photo.relative_to(folder).as_posix(), each.value, list(each.position), each.group]
            for each in getattr(found, kind)
        ]
        for kind in KINDS
    }
    some = [float(found.peaks[percent]) for percent in list(found.peaks)[:: max(1, len(found.peaks) // 10)]]
    quantiles = np.array([*found.peaks.values(), *found.means.values()])
    return lists | {
        "peaks": some,
        "quantiles": quantiles,
        "classes": found.classes,
        "percentile": index.percentile(unit, 0.5),
    }


def write_pictures(to: Recorder, networks: Mapping[str, Network]) -> None:
    """Small pictures of a few steps, one for each way of writing an image and each objective."""
    for name, network in networks.items():
        layer = network.layers[1]
        middle = network.layer(layer)
        units = [f"{layer}:0", f"{layer}:3@{middle.height // 2},1", f"{network.layers[-1]}:1"]
        ways: dict[str, dict[str, Any]] = {"default": {}}
        if name in ("builtin", "plain"):
            ways |= {images: {"images": images} for images in ("pixels", "pyramid", "maco", "plain")}
            ways |= {objective: {"objective": objective} for objective in ("activation", "negative")}
            ways |= {
                "penalties": {"total_variation": 0.1, "l1": 0.1, "l2": 0.1, "blur_gradient": 1.0, "blur_image": 0.5}
            }
            ways |= {"still": {"transform": "none", "seed": 3}, "light": {"transform": "light"}}
        told = {}
        for way, options in ways.items():
            drawn = circuits.render(network, units, settings=circuits.Settings(**({"size": 32, "steps": 4} | options)))
            told[way] = {str(each.unit): [each.image, each.activation, each.zoom] for each in drawn}
        to.json(f"pictures/{name}", told)
