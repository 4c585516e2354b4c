"""`circuits names`: what the units of a network are called, and what photos suggest."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuits.cli.console import keep_answers_apart, note, output, plain_table, print_json, progress, say
from circuits.cli.files import check_output
from circuits.cli.options import AS_JSON, NETWORKS, NetworkBesideWords, argument, file_option, option
from circuits.errors import InputError
from circuits.report.text import many

if TYPE_CHECKING:
    from circuits.atlas.atlas import Atlas
    from circuits.atlas.suggestion import Suggestion
    from circuits.naming.names import UnitName, UnitNames
    from circuits.network.network import Network
    from circuits.units import Unit

    Suggested = Mapping[Unit, Suggestion]

LINES = 60
"""Of a table, unless all of it is asked for."""


def names(
    unit: str | None = argument("[UNIT]", "A unit to be named, such as conv4:17.", default=None),
    name: str | None = argument("[NAME]", 'What to call it; "" takes its name away.', default=None),
    remark: str | None = option(None, 'A note on the unit; "" takes it away.', "--note", metavar="TEXT"),
    given: Path | None = file_option("Take the names of a CSV file with the columns unit, name and note.", "--import"),
    anyway: bool = option(False, "With --import: though the file says that it is of another network.", "--anyway"),
    export: Path | None = file_option("Write the names to a CSV file, for others and for spreadsheets."),
    wanted: str | None = option(
        None,
        "Find units by words: by what they are called, or with --encoder by what drives them.",
        "--find",
        metavar="TEXT",
    ),
    atlas: Path | None = file_option("The folder of an atlas, from circuits atlas.", metavar="DIR"),
    suggest: bool = option(
        False, "Look in the atlas for units that tell a class from the rest, on photos held out.", "--suggest"
    ),
    accept: bool = option(False, "Name UNIT as the atlas suggests; with --all every unit without a name.", "--accept"),
    encoder: str | None = option(
        None,
        "An encoder of pictures and words: a TorchScript file, or file.py:Factory (this runs its code).",
        metavar="ENCODER",
    ),
    word_list: Path | None = file_option(
        "With --suggest and --encoder: the words to choose from, one a line.", "--words"
    ),
    everything: bool = option(False, "Print every line, however many; and accept all suggestions.", "--all"),
    as_json: bool = AS_JSON,
    network: str | None = option(
        None, f"builtin, {NETWORKS} Not needed with --atlas.", "--network", "-n", metavar="NAME", panel="Network"
    ),
    *,
    options: NetworkBesideWords,
) -> None:
    """Names of a network's units: list them, give them, exchange them, and see what an atlas suggests."""
    _check(atlas, suggest=suggest, encoder=encoder, words=word_list, wanted=wanted)
    if unit is None and remark is not None:
        raise InputError("--note is about a unit; name it: circuits names conv4:17 --note TEXT.")
    if anyway and given is None:
        raise InputError("--anyway says how --import reads a file; give --import too.")
    check_output("--export", export, "names", (".csv",))
    from circuits.naming.names import UnitNames
    from circuits.naming.store import names_of, remember, remember_all

    subject = _subject(atlas, network, options)
    chosen = None if unit is None else _parsed(subject, unit)
    if given is not None:
        read = UnitNames.read(given, fingerprint=subject.fingerprint, check=subject.check, anyway=anyway)
        remember_all(subject.fingerprint, read.values(), subject.name)
        note(f"Took {many(len(read), 'name')} from {given}.")
    if chosen is not None and (name, remark) != (None, None):
        remember(subject.fingerprint, chosen, name=name, note=remark, network=subject.name)
    suggested = _suggested(subject.atlas, encoder, word_list, suggest=suggest)
    if accept:
        taken = _accepted(names_of(subject.fingerprint), suggested, chosen, everything=everything)
        remember_all(subject.fingerprint, taken, subject.name)
        note(f"Named {many(len(taken), 'unit')} as the atlas suggests.")
    known = names_of(subject.fingerprint)
    if export is not None:
        UnitNames(known.values(), subject.name, subject.fingerprint).write(export)
        note(f"Wrote {export}.")
    if wanted is not None:
        shown, suggested = _found(subject.atlas, encoder, " ".join(wanted.split()), known, suggested)
        heading = f"{many(len(shown), 'unit')} of {subject.name} for {wanted!r}."
    elif suggest:
        shown, heading = list(suggested), _of_suggestions(subject, suggested, encoder)
        if not suggested and subject.atlas is not None:
            from circuits.atlas.suggest import why_none

            note(why_none(subject.atlas, is_word=encoder is not None))
    else:
        shown = list(known) if chosen is None else [chosen]
        heading = _of_names(subject, known) if chosen is None else ""
        if chosen is not None and chosen not in known and chosen not in suggested:
            shown, heading = [], f"{chosen} of {subject.name} has no name."
    if as_json:
        print_json(_facts(subject, shown, known, suggested))
    else:
        _print(heading, shown, known, suggested, None if everything else LINES)


@dataclass(frozen=True)
class _NamedNetwork:
    """The network whose names they are.

    Args:
        name: what it is called.
        fingerprint: its sha256.
        check: refuses a unit that it lacks.
        atlas: of it, if one was given, or comes along.
    """

    name: str
    fingerprint: str
    check: "Callable[[Unit], object]"
    atlas: "Atlas | None" = None


def _check(atlas: Path | None, *, suggest: bool, encoder: str | None, words: Path | None, wanted: str | None) -> None:
    """Refuse options that say nothing without others."""
    for name, is_given in (("--suggest", suggest), ("--encoder", encoder is not None)):
        if is_given and atlas is None:
            raise InputError(
                f"{name} needs the photos of an atlas; give --atlas, a folder that circuits atlas has made."
            )
    if words is not None and (encoder is None or not suggest):
        raise InputError("--words are what an encoder chooses from; give --suggest and --encoder too.")
    if encoder is not None and suggest and words is None:
        raise InputError("--encoder suggests words of a list; give it with --words FILE, one word a line.")
    if encoder is not None and not suggest and wanted is None:
        raise InputError("--encoder finds units by words; give --find TEXT, or --suggest with --words FILE.")
    if wanted is not None and not wanted.strip():
        raise InputError("--find is empty; give what to look for.")


def _subject(folder: Path | None, network: str | None, options: NetworkBesideWords) -> _NamedNetwork:
    """The network that is meant: that of the atlas, which then need not be loaded, or the one that was named."""
    loaded = options.load(network or "builtin") if folder is None or network is not None else None
    from circuits.atlas.atlas import Atlas
    from circuits.atlas.shipped import atlas_of

    if folder is None:
        assert loaded is not None
        return _NamedNetwork(loaded.name, loaded.sha256, _anywhere(loaded), atlas_of(loaded))
    atlas = Atlas.open(folder)
    if loaded is not None:
        atlas.check_network(loaded)
    made_with = atlas.record.subject.network
    check = atlas.unit if loaded is None else _anywhere(loaded)
    return _NamedNetwork(str(made_with["name"]), str(made_with["sha256"]), check, atlas)


def _anywhere(network: "Network") -> "Callable[[Unit], object]":
    """What refuses a unit that no choice of the network's layers has."""
    from circuits.errors import UnknownError

    known: dict[str, Network] = dict.fromkeys(network.layers, network)

    def check(unit: "Unit") -> object:
        if unit.layer not in known:
            try:
                known[unit.layer] = network.with_layers([unit.layer, network.layers[-1]])
            except UnknownError:
                known[unit.layer] = network  # whose own layers the sentence then lists
        return known[unit.layer].check_unit(unit)

    return check


def _parsed(subject: _NamedNetwork, text: str) -> "Unit":
    from circuits.naming.names import UnitName
    from circuits.units import Unit

    unit = UnitName(Unit.parse(text)).unit  # which refuses a neuron
    subject.check(unit)
    return unit


def _suggested(atlas: "Atlas | None", encoder: str | None, words: Path | None, *, suggest: bool) -> "Suggested":
    """What an atlas suggests: looked for now, or kept from before; of a unit the class, or else the word."""
    if atlas is None:
        return {}
    if not suggest:
        return atlas.suggested
    with progress("Looking") as report:
        if encoder is None:
            from circuits.atlas.suggest import suggest_classes

            return suggest_classes(atlas, progress=report)
        from circuits.atlas.encoder import PictureEncoder
        from circuits.atlas.words import read_words, suggest_words

        assert words is not None
        asked = read_words(words)
        keep_answers_apart()
        return suggest_words(atlas, PictureEncoder.load(encoder), asked, progress=report)


def _accepted(
    known: "UnitNames", suggested: "Suggested", chosen: "Unit | None", *, everything: bool
) -> "list[UnitName]":
    """Suggestions as names: of one unit, or of all that have none."""
    from circuits.naming.annotations import LONGEST_NAME
    from circuits.naming.names import UnitName

    if chosen is not None and chosen not in suggested:
        raise InputError(f"No suggestion for {chosen}; give an atlas with --atlas, and look for some with --suggest.")
    if not suggested:
        raise InputError("No atlas suggests anything; give one with --atlas, and look for suggestions with --suggest.")
    units = [unit for unit in suggested if not known.of(unit).name] if chosen is None else [chosen]
    if chosen is None and not everything:
        raise InputError(
            f"--accept would name {many(len(units), 'unit')}; give the UNIT to name, or --all for all of them."
        )
    return [
        UnitName(
            unit, suggested[unit].name[:LONGEST_NAME], known.of(unit).note or f"Suggested: {suggested[unit].sentence}."
        )
        for unit in units
    ]


def _found(
    atlas: "Atlas | None", encoder: str | None, text: str, known: "UnitNames", suggested: "Suggested"
) -> "tuple[list[Unit], Suggested]":
    """The units that a text means, the likeliest first, and what says so."""
    if encoder is not None:
        from circuits.atlas.encoder import PictureEncoder
        from circuits.atlas.words import units_like

        assert atlas is not None
        keep_answers_apart()
        with progress("Looking") as report:
            like = units_like(atlas, PictureEncoder.load(encoder), text, progress=report)
        return list(like), like
    from circuits.naming.search import rank_of

    ranks: dict[Unit, tuple[bool, int]] = {}
    for unit in {**known, **suggested}:
        said = [known.of(unit).name, known.of(unit).note, suggested[unit].label if unit in suggested else ""]
        fits = [(n == 2, rank) for n, each in enumerate(said) if each and (rank := rank_of(each, text)) is not None]
        ranks |= {unit: min(fits)} if fits else {}  # what people say comes before what was suggested
    scores = {unit: -each.auc for unit, each in suggested.items()}
    return sorted(ranks, key=lambda unit: (ranks[unit], scores.get(unit, 0.0), unit)), suggested


def _of_suggestions(subject: _NamedNetwork, suggested: "Suggested", encoder: str | None) -> str:
    from circuits.atlas.suggest import FALSE, FLOOR

    one = len(suggested) == 1
    found = "looks like a word of the list" if encoder else "a class from the rest"
    what = f"fire{'s' * one} on what {found}" if encoder else f"tell{'s' * one} {found}"
    return (
        f"{many(len(suggested), 'unit')} of {subject.name} {what}: an AUC of {FLOOR:g} or more on held-out photos, and "
        f"at most {100 * FALSE:.0f} % of these by chance."
    )


def _of_names(subject: _NamedNetwork, known: "UnitNames") -> str:
    if not known:
        return f"No unit of {subject.name} has a name yet; give one: circuits names UNIT 'dog head'."
    return f"{many(len(known), 'unit')} of {subject.name} {'has' if len(known) == 1 else 'have'} a name or a note."


def _print(heading: str, shown: "list[Unit]", known: "UnitNames", suggested: "Suggested", most: int | None) -> None:
    console = output()
    if heading:
        say(console, heading)
    columns = {
        "unit": [str(unit) for unit in shown[:most]],
        "name": [known.of(unit).name for unit in shown[:most]],
        "note": [known.of(unit).note for unit in shown[:most]],
        "suggestion": [suggested[unit].sentence if unit in suggested else "" for unit in shown[:most]],
    }
    filled = {head: cells for head, cells in columns.items() if any(cells)}
    table = plain_table(tuple(filled), numbers=())
    for row in zip(*filled.values(), strict=True):
        table.add_row(*row)
    if filled:
        console.print(table, soft_wrap=True)
    if most is not None and len(shown) > most:
        say(console, f"and {len(shown) - most} more; --all prints them.")


def _facts(subject: _NamedNetwork, shown: "list[Unit]", known: "UnitNames", suggested: "Suggested") -> dict[str, Any]:
    return {
        "network": subject.name,
        "fingerprint": subject.fingerprint,
        "units": [
            {
                "unit": str(unit), "name": known.of(unit).name, "note": known.of(unit).note,
                "suggestion": asdict(suggested[unit]) if unit in suggested else None,
            }
            for unit in shown
        ],
    }  # fmt: skip
