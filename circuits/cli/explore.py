"""`circuits explore`: the page on which circuits are explored.

Several networks can be given. Options that describe a network belong to the `--network` before them; those before the
first `--network` are those of all.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand

from circuits.cli.console import answers, progress, warn
from circuits.cli.files import get_circuit
from circuits.cli.options import LAYERS, NETWORKS, NetworkOptions, argument, file_option, get_photo, option
from circuits.errors import InputError
from circuits.files import refuse_address

if TYPE_CHECKING:
    from circuits.atlas.atlas import Atlas
    from circuits.attribution.baseline import Baseline
    from circuits.explorer import OtherNetwork
    from circuits.network.network import Network
    from circuits.tracing.circuit import Circuit

_GIVEN = "circuits.networks"
_LOCAL = ("127.0.0.1", "localhost", "::1")
_FIRST = 32
"""Photos of a folder that are indexed before the page opens, where its usual view needs means."""
_NETWORK = re.compile(r"-n.*|--network(=.*)?")


class ExploreCommand(TyperCommand):
    """Reads the options of each network, where there are several, and leaves them in the context."""

    def parse_args(self, context: Any, arguments: list[str]) -> list[str]:
        """Read the command as others are, and once more for each network."""
        common, *parts = by_network(arguments)
        if len(parts) > 1 and not context.resilient_parsing:
            own = [self.make_context(context.info_name, [*common, *part], context.parent).params for part in parts]
            context.meta[_GIVEN] = [_Given.of_parameters(parameters) for parameters in own]
        rest: list[str] = super().parse_args(context, arguments)
        return rest


def by_network(arguments: Sequence[str]) -> list[list[str]]:
    """What was typed, in parts that each begin with a network, and before them what is typed before the first.

    >>> by_network(["cat.jpg", "-n", "a", "--weights", "a.pth", "--network=b"])
    [['cat.jpg'], ['-n', 'a', '--weights', 'a.pth'], ['--network=b']]
    """
    parts: list[list[str]] = [[]]
    for word in arguments:
        if _NETWORK.fullmatch(word):
            parts.append([])
        parts[-1].append(word)
    return parts


@dataclass(frozen=True)
class _Given:
    """A network as it was given: by its name, the choice of its layers, and its options."""

    name: str
    layers: str
    options: NetworkOptions

    @classmethod
    def of_parameters(cls, parameters: "dict[str, Any]") -> "_Given":
        """One of what typer has read."""
        options = {each.name: parameters[each.name] for each in fields(NetworkOptions)}
        return cls(parameters["network"], parameters["layers"], NetworkOptions(**options))


def explore(
    context: typer.Context,
    source: str | None = argument(
        "[PHOTO | CIRCUIT.json]", "An image file, example:cat, or a circuit to go on with.", default=None
    ),
    port: int | None = option(None, "Port of the page; 0 for any free one.", min=0, max=65535),
    host: str = option("127.0.0.1", "Address to listen at; 0.0.0.0 lets other machines in, if they have its token."),
    exemplars: Path | None = file_option(
        "A folder of photos of which the page shows what units fire on: they are indexed while it is open. Or an index "
        "that `circuits exemplars` made.",
        metavar="FOLDER",
    ),
    atlas: Path | None = file_option(
        "The folder of an atlas, from circuits atlas: the page shows what classes are made of, and whom units serve.",
        metavar="DIR",
    ),
    encoder: str | None = option(
        None,
        "With --atlas: an encoder of pictures and words, by which the page's search finds units by what drives them: a "
        "TorchScript file, or file.py:Factory (this runs its code).",
        metavar="ENCODER",
    ),
    browser: bool = option(True, "Open the page in the browser.", "--browser/--no-browser"),
    network: str | None = option(
        None,
        f"builtin (or the network of the circuit), {NETWORKS} May be given again: the page then has a menu of them, "
        "and each takes the options of this panel that follow it.",
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
    with _waiting(source, host, port, browser=browser) as room:
        from circuits.explorer import check_explorable, find_explorer, named_network, open_atlas

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
        given: Sequence[_Given] = context.meta.get(_GIVEN, (_Given(network, layers, options),))
        loaded, first, others = _opened(given, circuit)
        if circuit is not None:
            check_explorable(loaded, circuit)
        if exemplars is not None:
            exemplars = _photos_or_index(exemplars, loaded)
        if circuit is None and [each.layers for each in given] == ["auto"]:
            loaded = _as_usual(loaded, exemplars)
        opened = None if atlas is None else open_atlas(atlas, None if others else loaded)
        if encoder is not None:
            _search_by_words(opened, encoder)
        serve(
            loaded,
            photo=photo,
            circuit=circuit,
            label=first,
            others=others,
            exemplars=exemplars,
            atlas=opened,
            host=host,
            open_browser=browser,
            announce=lambda url: typer.echo(f"The page is at {url} and stops with Ctrl-C.", file=answers()),
            warn=warn,
            **({} if port is None else {"port": port}),
            **({} if room is None else {"room": room}),
        )
        raise KeyboardInterrupt  # the page ends in no other way


def _search_by_words(atlas: "Atlas | None", encoder: str) -> None:
    """Let the search of the page find units by words that nobody has given them."""
    if atlas is None:
        raise InputError("--encoder finds units of an atlas; give --atlas, a folder that circuits atlas has made.")
    from circuits.atlas.encoder import PictureEncoder
    from circuits.atlas.words import WordSearch

    with progress("Showing the photos of the atlas to the encoder") as report:
        atlas.search = WordSearch(atlas, PictureEncoder.load(encoder), progress=report)


def _waiting(source: str | None, host: str, port: int | None, *, browser: bool) -> "Any":
    """What answers at the page's address while PyTorch is imported, if that is possible; a context."""
    is_missing = source is not None and not source.startswith("example:") and not Path(source).exists()
    for entry in () if is_missing or host not in _LOCAL else _rooms():
        return entry.load()(host, port, "Loading PyTorch and the network …", open_browser=browser)
    return nullcontext()


def _rooms() -> Any:
    """The packages that answer while a page is loaded; that of `circuits.explorers` is loaded with PyTorch."""
    from importlib.metadata import entry_points

    return entry_points(group="circuits.waiting_rooms")


def _opened(given: Sequence[_Given], circuit: "Circuit | None") -> "tuple[Network, str, list[OtherNetwork]]":
    """The network that the page opens with, its label, and the others: the circuit's own, or else the first."""
    from circuits.explorer import OtherNetwork
    from circuits.network.loading import name_in_files

    loaders = [each.options.loader(each.name, each.layers) for each in given]
    names = [name_in_files(each.name) for each in given]
    labels = labels_of(names, [each.options.weights for each in given])
    order = sorted(range(len(given)), key=lambda n: circuit is not None and names[n] != circuit.network.name)
    loaded: dict[int, Network] = {}
    for number in order:
        loaded[number] = loaders[number]()
        if circuit is None or loaded[number].sha256 == circuit.network.sha256:
            break
    else:
        number = order[0]
    others = [
        OtherNetwork(labels[n], names[n], _keep(loaded[n]) if n in loaded else loaders[n])
        for n in range(len(given))
        if n != number
    ]
    return loaded[number], labels[number], others


def _photos_or_index(path: Path, network: "Network") -> Path:
    """A folder of photos, or an index that was made with a network; its whole path.

    Raises:
        InputError: if it is neither.
    """
    from circuits.exemplars.finding import is_index, read_index
    from circuits.exemplars.loader import check_folder

    refuse_address(path)
    path = path.expanduser().resolve()
    if is_index(path):
        read_index(path, network)
    else:
        check_folder(path)
    return path


def _as_usual(network: "Network", exemplars: Path | None) -> "Network":
    """The network with the layers by which it is usually explained, for the means that the page will have."""
    from circuits.atlas.means import mean_at_hand
    from circuits.attribution.baseline import Baseline
    from circuits.exemplars.finding import is_index, read_index
    from circuits.tracing.usual import usual_view

    def mean(stream: "Network") -> "Baseline | None":
        if exemplars is None:
            return mean_at_hand(stream)
        return Baseline.mean(read_index(exemplars, stream)) if is_index(exemplars) else _begun(stream, exemplars)

    return usual_view(network, mean).network


def _begun(network: "Network", folder: Path) -> "Baseline | None":
    """Means over the index of a folder of photos; of some of them if there is none; the page goes on with the rest."""
    from circuits.attribution.baseline import Baseline
    from circuits.exemplars.build import index_photos
    from circuits.exemplars.finding import find_exemplars
    from circuits.exemplars.loader import files_in

    found = find_exemplars(network, folder=folder, layers=network.layers[:-1])
    if found is None:
        files = list(files_in(folder))
        some = files[:: max(1, len(files) // _FIRST)]  # of all its folders, which may be classes
        try:
            with progress("Indexing the first photos") as report:
                found = index_photos(network, folder, photos=some, progress=report)
        except InputError:  # such as no photo among them; whoever looks at exemplars on the page is told
            return None
    return Baseline.mean(found)


def _keep(network: "Network") -> "Callable[[], Network]":
    return lambda: network


def labels_of(names: Sequence[str], weights: Sequence[str | None]) -> list[str]:
    """What the page calls networks: by their names; where these are the same with their weights, or numbered.

    >>> labels_of(["builtin", "net", "net", "net"], [None, "runs/a.pth", "runs/b.pth", "runs/b.pth"])
    ['builtin', 'net (a.pth)', 'net (b.pth)', 'net (b.pth) 2']
    """
    count, used = Counter(names), Counter[str]()
    labels = []
    for name, own in zip(names, weights, strict=True):
        label = f"{name} ({Path(own).name})" if count[name] > 1 and own is not None else name
        used[label] += 1
        labels.append(label if used[label] == 1 else f"{label} {used[label]}")
    return labels
