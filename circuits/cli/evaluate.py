"""`circuits evaluate`: how much of its target a circuit keeps, and how that compares with chance."""

from pathlib import Path
from typing import Annotated

import typer

from circuits.cli.options import AsJson, NetworkName, NetworkOptions, counts
from circuits.errors import InputError
from circuits.files import check_writable, write_atomically

_LARGEST = 20
_CARDS = (".json", ".html")


def evaluate(
    circuit: Annotated[Path, typer.Argument(metavar="CIRCUIT.json", help="A circuit, from trace -o.", readable=False)],
    photos: Annotated[
        list[str] | None,
        typer.Argument(metavar="PHOTO", help="More photos, or folders of photos, to score the same circuit in."),
    ] = None,
    card: Annotated[
        list[Path] | None,
        typer.Option(
            "--card",
            "-o",
            metavar="FILE",
            readable=False,
            help="Write all numbers and settings as FILE.json, or as a page, FILE.html. Repeatable.",
        ),
    ] = None,
    ladder: Annotated[
        str | None,
        typer.Option(metavar="K,K,…", help="Units below each unit along the curve over sizes, such as 1,3,10."),
    ] = None,
    largest: Annotated[
        int, typer.Option(min=0, metavar="K", help="Where the curve ends, if --ladder does not say; 0 for no curve.")
    ] = _LARGEST,
    mean_over: Annotated[
        str | None,
        typer.Option(
            metavar="WHAT",
            help="Mean ablation over: index (of circuits exemplars), photos (those given), a folder, or none.",
        ),
    ] = None,
    controls: Annotated[
        bool, typer.Option("--controls/--no-controls", help="Score sets of the same shape too.")
    ] = True,
    draws: Annotated[int, typer.Option(min=1, metavar="N", help="Random sets of the circuit's shape.")] = 10,
    stability: Annotated[
        int, typer.Option(min=0, metavar="N", help="Changed photos in which edges are looked for again; 0 for none.")
    ] = 8,
    resamples: Annotated[int, typer.Option(min=1, metavar="N", help="Draws of photos for an interval.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn.")] = 0,
    as_json: AsJson = False,
    network: NetworkName = "builtin",
    *,
    options: NetworkOptions,
) -> None:
    """Score a circuit by ablation: what it keeps alone, what is lost without it, and what controls of its shape do."""
    cards = [_checked(path, circuit) for path in card or ()]
    tops = None if ladder is None else _ladder(ladder)
    from circuits.cli.console import note, output, print_json, progress
    from circuits.cli.evaluate_inputs import baselines_of, photos_of
    from circuits.cli.evaluate_tables import report
    from circuits.evaluation.evaluate import evaluate as evaluate_circuit
    from circuits.evaluation.statistics import rungs
    from circuits.tracing.circuit import Circuit

    read = Circuit.from_json(circuit)
    loaded = options.load(network)
    given = photos_of(loaded, photos or [])
    with progress("Evaluating") as told:
        found = evaluate_circuit(
            loaded,
            read,
            given,
            baselines=baselines_of(loaded, read, mean_over, given),
            controls=controls,
            ladder=rungs(largest) if tops is None else tops,
            draws=draws,
            stability=stability,
            resamples=resamples,
            seed=seed,
            progress=told,
        )
    for path in cards:
        write_atomically(path, found.to_json_text() if path.suffix.lower() == ".json" else found.to_html())
    if as_json:
        print_json(found.to_dict())
    else:
        report(output(), found)
    for path in cards:
        note(f"Wrote {path}.")


def _ladder(text: str) -> tuple[int, ...]:
    """Whole numbers above 0 between commas.

    Raises:
        InputError: if a part is no such number.
    """
    try:
        found = counts("--ladder", text)
    except InputError:
        raise InputError(f"--ladder {text!r}: write numbers above 0 with commas between, such as 1,3,10.") from None
    return (found,) if isinstance(found, int) else found


def _checked(path: Path, circuit: Path) -> Path:
    """A card's file, if it can be written.

    Raises:
        InputError: if it is the circuit itself, ends in something else, or its folder is missing.
    """
    if path.suffix.lower() not in _CARDS:
        raise InputError(f"--card {path} ends in neither {' nor '.join(_CARDS)}, so its kind is not known; name it so.")
    if path.resolve() == circuit.resolve():
        raise InputError(f"--card {path} is the circuit itself; give the card a name of its own.")
    check_writable(path)
    return path
