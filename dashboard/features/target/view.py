"""The left pane and the words over the graph as Dash components, made from the session."""

from collections.abc import Sequence
from typing import Any

from dash import html

from circuits.attribution.baseline import Baseline
from circuits.network.predict import Prediction
from circuits.report.atlas_sentences import keeps_in_words
from circuits.report.sentences import (
    ALL,
    below_in_words,
    by_units_in_words,
    from_mean_in_words,
    held_in_words,
    larger_network,
    unsure_in_words,
    value_in_words,
)
from circuits.report.text import chance, many, number
from dashboard.breakdowns import inspect
from dashboard.choice_texts import BASELINES, MODES, SIGNS, SUM_OF_CURVED
from dashboard.components import attributes, button, sends, setting, unbroken, with_code
from dashboard.features.target.actions import BUDGETS
from dashboard.glossary import term, with_term
from dashboard.library import Library
from dashboard.session.questions import against, question_of, subject_of
from dashboard.session.questions import explained as classes_explained
from dashboard.session.selection import why_not_asked
from dashboard.session.state import Session

Component = Any


def explained(session: Session, library: Library) -> list[Component]:
    """What is explained, with its probability in this photo; where another class is likelier, a button explains that.

    Nothing without a circuit.
    """
    circuit = session.work.circuit
    if circuit is None:
        return []
    words: list[Component] = [term("target", "Explaining"), ": ", *_asked(subject_of(circuit))]
    if circuit.collection is not None:
        words.append(f", over {many(circuit.collection.photos, 'photo')}")
    classes = [number for number in classes_explained(circuit) or () if number is not None]
    if classes and not session.work.locked:
        chances = " and ".join(chance(library.chance(circuit, number)) for number in classes)
        words.append(unbroken(f", {chances} here"))
        best = session.work.predictions[0]
        if best.index not in classes:
            instead = html.Button(
                f"explain {best.label} instead", type="button", className="link", **sends("why", target=str(best.index))
            )
            words += [" · ", instead]
    return [html.P(words, className="small")]


def _asked(parts: tuple[str, ...]) -> list[Component]:
    """A question, with what it is about set off."""
    return [html.B(part) if place % 2 else part for place, part in enumerate(parts)]


_SOON = "They appear as soon as there is a photo."


def unsure(session: Session, library: Library, networks: Sequence[str] = ()) -> list[Component]:
    """That perhaps no class fits the photo, and how to take a network with more classes; nothing if one fits."""
    words = unsure_in_words(library.network, session.work.predictions)
    if not words or session.work.locked:
        return []
    others = [name for name in networks if name != library.name]
    if others:
        choose = f" For other classes, choose {' or '.join(others[:3])} above."
        return [html.P(f"{words}{choose}", className="notice small", role="note")]
    command = html.Code(f"circuits explore {larger_network()}")
    return [html.P([words, " For 1,000 classes, start with ", command], className="notice small", role="note")]


def predictions(session: Session, library: Library) -> list[Component]:
    """The network's answers, each with its probability and a button that asks why, or why not."""
    if not session.work.predictions:
        return [html.P("This network names no classes." if session.work.photo else _SOON, className="muted small")]
    plus, minus = classes_explained(session.work.circuit) or (None, None)
    asked = {request.payload.target for request in session.requests if request.kind == "why"}
    locked = why_not_asked(session, library)
    return [_prediction(session, row, plus, minus, asked, locked) for row in session.work.predictions]


def _prediction(
    session: Session, row: Prediction, plus: int | None, minus: int | None, asked: set[str], locked: str
) -> Component:
    buttons = [
        button(
            "…" if str(row.index) in asked else "why?", "why", {"target": str(row.index)}, disabled=bool(locked),
            title=locked or f"Why {row.label}?", **attributes(aria_label=f"why {row.label}?"),
        )
    ]  # fmt: skip
    if plus is not None and plus != row.index and not session.work.locked:
        buttons.append(_not(session, row, plus, pressed=minus == row.index, asked=asked))
    kinds = {plus: " explained", minus: " against"}
    return html.Div(
        [
            html.Span(row.label, className="label", title=f"{row.label}, logit {number(row.logit)}"),
            html.Span(chance(row.probability), className="numbers"),
            html.Span(html.I(style={"width": f"{row.probability * 100:.1f}%"}), className="meter"),
            html.Span(buttons, className="buttons"),
        ],
        className=f"prediction{kinds.get(row.index, '')}",
        **attributes(data_class=str(row.index)),
    )


def _not(session: Session, row: Prediction, plus: int, *, pressed: bool, asked: set[str]) -> Component:
    """A button that explains the difference of the class that is explained and this one."""
    circuit, wish = session.work.circuit, against(plus, row.index)
    about = next((each.label for each in session.work.predictions if each.index == plus), "")
    if not about and circuit is not None:
        about = question_of(circuit)[1]
    question = f"Why {about}, not {row.label}?"
    return button(
        "…" if wish in asked else "why not?", "why", {"target": wish}, title=question,
        **attributes(aria_label=f"why not {row.label}?", aria_pressed=str(pressed).lower()),
    )  # fmt: skip


TOPS = (3, 5, 8, 12)
_BUDGET = "Units to show in all, instead of units per node: those that do most for the target, by the method target."
_SIGNS = {"positive": "excitatory only", "both": "both"}
_BASELINES = {"zero": "zero", "mean": "the mean"}
_METHODS = {"sum": "gradient", "target": "target", "ig": "integrated", "ablate": "ablation", "frozen": "frozen"}


def settings(
    session: Session,
    depths: tuple[int, ...],
    modes: tuple[str, ...],
    means: Baseline | None = None,
    *,
    most: int | None = None,
) -> list[Component]:
    """How the next circuit is to be found, each setting with a line on what the choice means.

    Args:
        session: whose.
        depths: numbers of layers that can be walked down.
        modes: the methods that differ.
        means: what shares can be measured from beside zero.
        most: units that can be shown below each one of the circuit of a class, if that is shown.
    """
    chosen = session.choices
    start = chosen.baseline if means is not None else "zero"
    from_what = BASELINES[start].format(source="" if means is None else means.source)
    from_what += "" if means is not None else " The mean needs an index of photos: circuits exemplars FOLDER."
    mode = chosen.mode_asked or "target"
    setter = "" if chosen.mode_asked else "Set by best units. " if chosen.units else "Set by groups. "
    # Only where something bends the network it can be frozen.
    method = f"{setter}{SUM_OF_CURVED if mode == 'sum' and 'frozen' in modes else MODES[mode]}"
    return [
        setting("depth", "Depth", "Layers to walk down from the class.", depths, min(chosen.depth, depths[-1])),
        setting(
            "top",
            with_term("Units per node", "unit", "units"),
            "Units to show below each unit." + (f" {keeps_in_words(most)}" if most and most < chosen.top else ""),
            TOPS,
            0 if chosen.units else chosen.top,
        ),
        setting("units", "Best units", _BUDGET, BUDGETS, chosen.units),
        setting("signs", "Units shown", SIGNS[chosen.signs], tuple(SIGNS), chosen.signs, shown=_SIGNS),
        setting("mode", term("method", "Method"), method, modes, mode, shown=_METHODS),
        setting(
            "baseline",
            with_term("Shares from", "baseline", "from"),
            from_what,
            tuple(BASELINES),
            start,
            shown=_BASELINES,
            refused=() if means is not None else ("mean",),
        ),
    ]


def story(session: Session, library: Library) -> list[Component]:
    """What the graph answers, in a sentence or two over it."""
    circuit = session.work.circuit
    if circuit is None:
        return []
    words = _asked(value_in_words(circuit))
    broken = inspect(library, circuit, circuit.root, session.work.locked).breakdown
    if broken is not None:
        held = held_in_words(circuit)
        below = held or below_in_words(broken.named, broken.rest_count, broken.coverage)
        words += with_term(f" {below}", "gross attribution", ALL)
    if library.lacks_index and library.fit.is_own(circuit) and not circuit.dictionaries and not session.work.of_class:
        words += with_code(f" {by_units_in_words('on a page of `circuits explore --exemplars FOLDER`')}")
    if start := from_mean_in_words(circuit):
        words += with_term(f" {start}", "base")
    return [html.P(words)]


def invitation(session: Session) -> Component:
    """What to do first, in the middle of the empty graph."""
    if session.work.photo is not None and not session.work.predictions:
        return _without_classes(session)
    if not session.work.predictions:
        hint = html.P("Drop or paste one anywhere, or begin with the example.", className="muted")
        return html.Div(
            [html.Strong("Choose a photo"), hint, button("Use the cat", "example", {"name": "cat"}, className="main")]
        )
    best = session.work.predictions[0]
    if session.is_waiting("why"):
        return _tracing()
    kind = "groups" if session.choices.groups else "channels"
    return html.Div(
        [
            html.Strong(f"The network says: {best.label}"),
            html.P(
                f"Press why to see the {kind} that contributed most to it, what they look for, and the {kind} below "
                "them.",
                className="muted",
            ),
            button(f"Why {best.label}?", "why", {"target": str(best.index)}, className="main"),
        ]
    )


def _tracing() -> Component:
    hint = html.P("The line below says how far.", className="muted")
    return html.Div([html.Strong("Tracing the circuit …"), hint])


def _without_classes(session: Session) -> Component:
    """What to do first with a network that names no classes, such as the backbone of a detector."""
    if session.is_waiting("why"):
        return _tracing()
    hint = "Ask why one of its units fired: choose it among all units of a layer, or write its address in the search."
    return html.Div(
        [
            html.Strong("This network names no classes"),
            html.P(hint, className="muted"),
            button("See all units", "page", {"page": "layers"}, className="main"),
        ]
    )
