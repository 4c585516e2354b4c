"""`circuits evaluate`: how much of its target a circuit keeps, and how that compares with chance."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from circuits.cli.console import note, output, print_json, progress, say
from circuits.cli.files import get_circuit, photos_in
from circuits.cli.options import AS_JSON, NETWORK, NetworkOptions, argument, file_option, get_photo, option
from circuits.cli.values import counts
from circuits.errors import InputError
from circuits.files import check_writable, write_atomically
from circuits.report.card_words import METHOD_NAMES, headline, interval, left_out, metric_name, over_name, overshoot
from circuits.report.text import many, number, share

if TYPE_CHECKING:
    from circuits.attribution.baseline import Baseline
    from circuits.evaluation.card import Card
    from circuits.evaluation.estimates import Estimate
    from circuits.evaluation.statistics import ScoreRow
    from circuits.image.photo import Photo
    from circuits.network.network import Network
    from circuits.tracing.circuit import Circuit

_CARDS = (".json", ".html")


def evaluate(
    circuit: Path = argument("CIRCUIT.json", "A circuit, from trace -o.", readable=False),
    photos: list[str] | None = argument(
        "PHOTO", "More photos, or folders of photos, to score the same circuit in.", default=None
    ),
    card: list[Path] | None = file_option(
        "Write all numbers and settings as FILE.json, or as a page, FILE.html. Repeatable.", "--card", "-o"
    ),
    ladder: str | None = option(None, "Units per node for each point of the curve, such as 1,3,10.", metavar="K,K,…"),
    largest: int = option(
        20, "Most units per node on the curve, unless --ladder is given; 0 for no curve.", min=0, max=2000, metavar="K"
    ),
    mean_over: str | None = option(
        None,
        "Mean ablation over: index (of circuits exemplars), photos (those given), a folder, or none.",
        metavar="WHAT",
    ),
    controls: bool = option(
        True, "Also score controls: other sets of units of the same shape.", "--controls/--no-controls"
    ),
    draws: int = option(10, "Number of random controls.", min=1, max=1000, metavar="N"),
    stability: int = option(
        8,
        "Number of slightly changed photos in which the edges are searched again; 0 for none.",
        min=0,
        max=1000,
        metavar="N",
    ),
    resamples: int = option(1000, "Bootstrap samples of the photos for an interval.", min=1, max=100_000, metavar="N"),
    seed: int = option(0, "Random seed.", min=0),
    all_photos: bool = option(
        False,
        "Also score photos that the network assigns to another class; by default they are left out.",
        "--all-photos",
    ),
    as_json: bool = AS_JSON,
    network: str = NETWORK,
    *,
    options: NetworkOptions,
) -> None:
    """Score a circuit by ablation: what it keeps alone, what is lost without it, and how controls compare."""
    cards = [_checked(path, circuit) for path in card or ()]
    tops = None if ladder is None else _ladder(ladder)
    from circuits.evaluation.evaluate import evaluate as evaluate_circuit
    from circuits.evaluation.statistics import rungs

    read = get_circuit(circuit)
    loaded = options.load(network)
    scored = _photos(loaded, photos or [])
    with progress("Evaluating") as report:
        result = evaluate_circuit(
            loaded,
            read,
            scored,
            baselines=_baselines(loaded, read, mean_over, scored),
            controls=controls,
            ladder=rungs(largest) if tops is None else tops,
            draws=draws,
            stability=stability,
            resamples=resamples,
            seed=seed,
            all_photos=all_photos,
            progress=report,
        )
    for path in cards:
        write_atomically(path, result.to_json_text() if path.suffix.lower() == ".json" else result.to_html())
    if as_json:
        print_json(result.to_dict())
    else:
        print_card(output(), result)
    for path in cards:
        note(f"Wrote {path}.")


def _ladder(text: str) -> tuple[int, ...]:
    """Whole numbers above 0 between commas."""
    try:
        tops = counts("--ladder", text)
    except InputError:
        raise InputError(f"--ladder {text!r}: write numbers above 0 with commas between, such as 1,3,10.") from None
    return (tops,) if isinstance(tops, int) else tops


def _checked(path: Path, circuit: Path) -> Path:
    """A card's file, if it can be written."""
    if path.suffix.lower() not in _CARDS:
        raise InputError(f"--card {path} ends in neither {' nor '.join(_CARDS)}, so its kind is not known; name it so.")
    if path.resolve() == circuit.resolve():
        raise InputError(f"--card {path} is the circuit itself; give the card a name of its own.")
    check_writable(path)
    return path


def _photos(network: "Network", names: Sequence[str]) -> "list[Photo]":
    """Photos by their files, and those in folders, each once; of each only what the network sees is kept in memory."""
    photos: list[Photo] = []
    for name in names:
        if not name:
            raise InputError("A photo's name is empty; give a file, a folder or example:cat.")
        if not name.startswith("example:") and Path(name).is_dir():
            photos += photos_in(network, Path(name))
        else:
            photos.append(network.preprocessing.as_seen(get_photo(name)))
    return list({photo.sha256: photo for photo in photos}.values())


def _baselines(
    network: "Network", circuit: "Circuit", over: str | None, photos: "Sequence[Photo]"
) -> "list[Baseline] | None":
    """Zero, and the mean over `index`, `photos` or a folder; `none` has no mean, `None` leaves it to the library."""
    from circuits.attribution.baseline import mean_of_photos, resolve
    from circuits.exemplars.finding import find_exemplars

    if over is None:
        return None
    if over == "none":
        return resolve()
    if over == "index":
        index = find_exemplars(network)
        if index is None:
            raise InputError(f"There is no index of exemplars for {network.name}; make one with circuits exemplars.")
        return resolve(index)
    if over == "photos" and not photos:
        raise InputError("--mean-over photos needs photos to take the mean over; give some after the circuit.")
    if over != "photos" and not Path(over).is_dir():
        raise InputError(f"--mean-over {over!r} is no folder; give one, or index, photos or none.")
    source = "the photos given" if over == "photos" else Path(over).resolve().name
    averaged = photos if over == "photos" else photos_in(network, Path(over))
    return resolve(mean_of_photos(network.with_layers(circuit.layers), averaged, source=source))


def print_card(console: Console, card: "Card") -> None:
    """Print a card."""
    if missing := left_out(card):
        say(console, f"{missing} With --all-photos all are.")
    say(console, headline(card))
    if above := overshoot(card):
        say(console, above)
    console.print()
    for over in dict.fromkeys((card.main, "own")):
        also = "; the last column is the faithfulness of the probability" if "probability" in card.metrics else ""
        name = metric_name(card, "value")
        say(console, f"Of the {name}, over {over_name(card, over)}{also}; the {name} itself is in brackets:")
        for baseline in card.baselines:
            console.print(_scores(card, over, baseline))
            console.print()
    if card.points:
        about = f"{card.baselines[0]} ablation, over {over_name(card, card.main)}"
        drawn = any(point.method == "random" for point in card.points)
        apart = "; its random units are draws of their own, so they differ from those above" if drawn else ""
        say(console, f"Faithfulness and completeness by units below each unit (top), {about}{apart}:")
        console.print(_curve(card))
    if card.stability is not None and card.stability.edge_mean is not None:
        stable = card.stability
        say(
            console,
            f"In {many(len(card.changes), 'slightly changed photo')} {share(stable.edge_mean)} of the edges and "
            f"{share(stable.unit_mean)} of the units are found again, on average.",
        )
    others = [photo.name for photo in card.photos if photo.agrees is False]
    if others:
        say(
            console,
            f"The network puts {len(others)} of {many(len(card.photos), 'photo')} in another class: "
            f"{', '.join(others)}.",
        )
    for sentence in card.notes:
        say(console, sentence)


def _scores(card: "Card", over: str, baseline: str) -> Table:
    """The circuit and its controls over some photos, with one baseline."""
    chances = "probability" in card.metrics
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column(f"{baseline} ablation", no_wrap=True)
    for head in ("faithfulness", "completeness", "necessity", "edges", *(["probability"] if chances else [])):
        table.add_column(head, justify="right", min_width=len(head))
    for row in card.rows:
        if (row.over, row.baseline, row.metric) != (over, baseline, "value"):
            continue
        values = row.values
        kept, left = (None, None) if values is None else (values.alone, values.without)
        cells = [_faithfulness(row, kept), _cell(row.completeness, left), _cell(row.necessity)]
        cells.append(_cell(row.edges) if row.edges is not None else "")
        if chances:
            cells.append(_faithfulness(card.row(row.method, over=over, baseline=baseline, metric="probability")))
        table.add_row(METHOD_NAMES[row.method], *cells, style="bold" if row.method == "circuit" else "")
    return table


def _faithfulness(row: "ScoreRow", value: float | None = None) -> str:
    return _cell(row.faithfulness, value) + (f"\n± {share(row.spread)}" if row.spread is not None else "")


def _cell(estimate: "Estimate", value: float | None = None) -> str:
    """A share, its interval, and what was measured itself."""
    ends = interval(estimate).removesuffix(" %")
    own = "" if value is None else f" ({number(value)})"
    return share(estimate.value) + own + (f"\n{ends}" if ends else "")


def _curve(card: "Card") -> Table:
    """The curve with the first baseline: a row for each size, and the areas under it below."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim")
    methods = [each for each in METHOD_NAMES if any(point.method == each for point in card.points)]
    for head in ("top", "units", "share"):
        table.add_column(head, justify="right", no_wrap=True)
    for method in methods:
        table.add_column(METHOD_NAMES[method], justify="right", no_wrap=True)
    some = [point for point in card.points if (point.baseline, point.metric) == (card.baselines[0], "value")]
    for top in dict.fromkeys(point.top for point in some):
        here = {point.method: point for point in some if point.top == top}
        first = here["circuit"]
        cells = [f"{share(here[each].faithfulness)}, {share(here[each].completeness)}" for each in methods]
        table.add_row(str(top), str(first.units), f"{100 * first.share:.1f} %", *cells)
    table.add_section()
    areas = {area.method: area for area in card.areas if (area.baseline, area.metric) == (card.baselines[0], "value")}
    means = [f"{share(areas[each].faithfulness)}, {share(areas[each].completeness)}" for each in methods]
    table.add_row("", "", "area", *means)
    return table
