"""`circuits explore`: the page on which circuits are explored."""

from dataclasses import replace

import typer

from circuits.cli.console import answers, warn
from circuits.cli.files import get_circuit
from circuits.cli.options import LAYERS, NetworkOptions, argument, get_photo, option


def explore(
    source: str | None = argument(
        "[PHOTO | CIRCUIT.json]", "An image file, example:cat, or a circuit to go on with.", default=None
    ),
    port: int | None = option(None, "Port of the page; 0 for any free one.", min=0, max=65535),
    host: str = option("127.0.0.1", "Address to listen at; 0.0.0.0 lets other machines in, if they have its token."),
    browser: bool = option(True, "Open the page in the browser.", "--browser/--no-browser"),
    network: str | None = option(
        None,
        "builtin (or the network of the circuit), a torchvision classifier such as googlenet, timm:NAME, or "
        "your own as file.py:Factory or package.module:Factory (this runs your code).",
        "--network",
        "-n",
        metavar="NAME",
        panel="Network",
    ),
    layers: str = LAYERS,
    *,
    options: NetworkOptions,
) -> None:
    """Explore circuits on a page in the browser: upload a photo, click a unit to go deeper, export the graph."""
    from circuits.explorer import find_explorer, named_network

    serve = find_explorer()
    circuit, photo = None, None
    if source is not None and source.lower().endswith(".json"):
        circuit = get_circuit(source)
    elif source is not None:
        photo = get_photo(source)
    if network is None:
        network = "builtin"
        if circuit is not None:
            network, weights = named_network(circuit, options.weights)
            output = options.network_output or circuit.network.output or None
            options = replace(options, weights=weights, network_output=output)
    loaded = options.load(network, layers)
    if circuit is not None:
        from circuits.tracing.source import forward_cache

        forward_cache(loaded, circuit)  # refuses another network before the page opens
    serve(
        loaded,
        photo=photo,
        circuit=circuit,
        host=host,
        open_browser=browser,
        announce=lambda url: typer.echo(f"The page is at {url} and stops with Ctrl-C.", file=answers()),
        warn=warn,
        **({} if port is None else {"port": port}),
    )
    raise KeyboardInterrupt  # the page ends in no other way
