"""`circuits explore`: the page on which circuits are explored."""

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Annotated, Any

import typer

from circuits.commands.console import warn
from circuits.commands.options import Labels, Mean, Size, Std, Weights, get_network
from circuits.errors import InputError

if TYPE_CHECKING:
    from circuits.circuit import Circuit

EXPLORERS = "circuits.explorers"


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
            help="builtin (or the network of the circuit), a torchvision classifier such as googlenet, or your own "
            "as file.py:Factory or package.module:Factory (this runs your code).",
            rich_help_panel="Network",
        ),
    ] = None,
    weights: Weights = None,
    labels: Labels = None,
    size: Size = None,
    mean: Mean = None,
    std: Std = None,
) -> None:
    """Explore circuits on a page in the browser: upload a photo, click a unit to go deeper, export the graph."""
    serve = find_explorer()
    circuit, photo = None, None
    if source is not None and source.lower().endswith(".json"):
        from circuits.circuit import Circuit

        circuit = Circuit.from_json(source)
    elif source is not None:
        from circuits.images import load_photo

        photo = load_photo(source)
    if network is None:
        network, weights = _network_of(circuit, weights)
    loaded = get_network(network, weights=weights, labels=labels, size=size, mean=mean, std=std)
    if circuit is not None:
        from circuits.growth import run_of_circuit

        run_of_circuit(loaded, circuit)  # refuses another network before the page opens
    options: dict[str, Any] = {} if port is None else {"port": port}
    serve(
        loaded,
        photo=photo,
        circuit=circuit,
        host=host,
        open_browser=browser,
        announce=lambda url: typer.echo(f"The page is at {url} and stops with Ctrl-C."),
        warn=warn,
        **options,
    )
    raise KeyboardInterrupt  # the page ends in no other way


def find_explorer() -> Callable[..., None]:
    """The function that serves a page.

    The library does not know any page. A package that has one names its function `serve` under the entry points
    `circuits.explorers`; this finds it.

    Raises:
        InputError: if no package offers one.
    """
    for found in entry_points(group=EXPLORERS):
        serve: Callable[..., None] = found.load()
        return serve
    raise InputError("No page for exploring is installed; install circuits with pip so that its page is registered.")


def _network_of(circuit: "Circuit | None", weights: str | None) -> tuple[str, str | None]:
    """Name and weights of the network that a circuit was traced with, as far as its file says."""
    if circuit is None:
        return "builtin", weights
    name, source = str(circuit.network["name"]), str(circuit.network["source"])
    if weights is None and source.startswith("torchvision:"):
        weights = source.removeprefix("torchvision:")
    elif weights is None and source == "random":
        weights = "random"
    elif weights is None and source != "builtin":
        raise InputError(
            f"The circuit was traced with {name} ({source}), which its file does not carry; "
            "name the network again with --network and --weights."
        )
    return name, weights
