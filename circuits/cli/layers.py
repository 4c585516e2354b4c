"""`circuits layers`: what a network is made of."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from circuits.cli.console import output, plain_table, print_json, say
from circuits.cli.options import AS_JSON, LAYERS, NetworkOptions, argument, option
from circuits.errors import listed
from circuits.report.text import remark

if TYPE_CHECKING:
    from circuits.network.layers import Layer


_MOST = 4


def layers(
    network: str = argument("[NETWORK]", "builtin, a torchvision name, or file.py:Factory.", default="builtin"),
    layers: str = LAYERS,
    every: bool = option(False, "Every tensor that may be a layer, by the name that --layers takes.", "--all"),
    as_json: bool = AS_JSON,
    *,
    options: NetworkOptions,
) -> None:
    """The layers of a network, from the logits down to the image: channels, size and the next layer below."""
    from circuits.network.layers import all_names
    from circuits.network.loading import is_in_library

    own = network == "builtin" or (":" in network and not is_in_library(network)) or Path(network).exists()
    if options.weights is None and options.labels is None and not own:
        options = replace(options, weights="random")  # layers do not depend on them, and these need no download
    loaded = options.load(network, layers)
    if every:
        loaded = loaded.with_layers(tuple(all_names(loaded.traced).values()))
    described = [loaded.layer(name) for name in loaded.layers]
    if as_json:
        print_json(
            {
                "network": loaded.name,
                "output": loaded.output.name,
                "outputs": list(loaded.output.names),
                "layers": [
                    {
                        "name": layer.name,
                        "channels": layer.channels,
                        "height": layer.height,
                        "width": layer.width,
                        "below": loaded.below(layer.name),
                        "layers_below": list(layer.below),
                        "piecewise_linear": layer.piecewise_linear,
                    }
                    for layer in described
                ],
            }
        )
        return
    table = plain_table(("layer", "channels", "size", "below", "attributions sum"), numbers=(1, 2))
    for layer in reversed(described):
        size_text = "1" if layer.height == layer.width == 1 else f"{layer.height}×{layer.width}"
        closes = "exactly" if layer.piecewise_linear else "to a remainder"
        table.add_row(layer.name, str(layer.channels), size_text, _below(layer), closes)
    console = output()
    explained = f", {loaded.output}" if str(loaded.output) else ""
    how = remark(multi_label=False, one_at_a_time=loaded.is_one_at_a_time)
    say(console, f"{loaded.name}{explained}, from the logits down{how}:")
    console.print(table)


def _below(layer: "Layer") -> str:
    """The nearest layers below, the highest first; the image too, where it is reached past them."""
    names = [*reversed(layer.below), *(["the image"] if layer.is_open else [])]
    return listed(names, limit=_MOST)
