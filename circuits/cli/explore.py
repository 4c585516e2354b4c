"""`circuits explore`: the page on which circuits are explored."""

from dataclasses import replace
from typing import Annotated

import typer

from circuits.cli.console import warn
from circuits.cli.options import NetworkOptions


def explore(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[PHOTO | CIRCUIT.json]", help="An image file, example:cat, or a circuit to go on with."
        ),
    ] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port of the page; 0 for any free one.")] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen at; 0.0.0.0 lets other machines in, if they have its token.")
    ] = "127.0.0.1",
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
    network: Annotated[
        str | None,
        typer.Option(
            "--network",
            "-n",
            metavar="NAME",
            help="builtin (or the network of the circuit), a torchvision classifier such as googlenet, timm:NAME, or "
            "your own as file.py:Factory or package.module:Factory (this runs your code).",
            rich_help_panel="Network",
        ),
    ] = None,
    *,
    options: NetworkOptions,
) -> None:
    """Explore circuits on a page in the browser: upload a photo, click a unit to go deeper, export the graph."""
    from circuits.explorer import find_explorer, named_network

    serve = find_explorer()
    circuit, photo = None, None
    if source is not None and source.lower().endswith(".json"):
        from circuits.tracing.circuit import Circuit

        circuit = Circuit.from_json(source)
    elif source is not None:
        from circuits.image.photo import load_photo

        photo = load_photo(source)
    if network is None:
        network = "builtin"
        if circuit is not None:
            network, weights = named_network(circuit, options.weights)
            options = replace(options, weights=weights)
    loaded = options.load(network)
    if circuit is not None:
        from circuits.tracing.run import forward_cache

        forward_cache(loaded, circuit)  # refuses another network before the page opens
    serve(
        loaded,
        photo=photo,
        circuit=circuit,
        host=host,
        open_browser=browser,
        announce=lambda url: typer.echo(f"The page is at {url} and stops with Ctrl-C."),
        warn=warn,
        **({} if port is None else {"port": port}),
    )
    raise KeyboardInterrupt  # the page ends in no other way
