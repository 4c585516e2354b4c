"""What if, as plain HTTP beside Dash: units scaled, predictions told, while a slider is moved.

Answers come from a thread of their own, one at a time, so that neither drawing nor tracing keeps a slider waiting.
"""

import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flask import Flask, Response, request

import circuits
from circuits.errors import CircuitsError, InputError
from circuits.tracing.intervene import Effect, Outcome
from circuits.units import Address, parse_address
from dashboard.features.what_if.view import stamp
from dashboard.library import Library
from dashboard.session.state import Session
from dashboard.session.tabs import TabSessions
from dashboard.work.networks import Networks

MOST_UNITS = 32
LARGEST = 2.0
_MOST_BYTES = 16 * 2**10
_PATIENCE = 30.0


def add_routes(server: Flask, sessions: TabSessions, networks: Networks) -> None:
    """Add `/what-if` to a server.

    It takes `{"session", "stamp", "changes": [{"unit", "factor"}]}` and answers with `{"effects": [{"class", "label",
    "before", "after", "logits": [before, after]}], "milliseconds"}`; 400, 404, 409 or 422 come with
    `{"refused": sentence}`.

    Args:
        server: the Flask server of the app.
        sessions: whose photos are changed.
        networks: with their libraries.
    """
    alone = ThreadPoolExecutor(1, "what-if", initializer=_one_thread)

    def what_if() -> Response:
        try:
            name, wanted, changes = read(request.get_data(cache=False)) if _is_short() else read(b"")
        except CircuitsError as refusal:
            return _answer(400, refused=str(refusal))
        tab_session = sessions.own(name)
        if tab_session is None:
            return _answer(404, refused="This session is not on the server any more; reload the page.")
        with tab_session.lock:
            session = tab_session.session
        if stamp(session) != wanted:
            return _answer(409, refused="The photo or the circuit has changed meanwhile.")
        began = time.perf_counter()
        try:
            outcome = alone.submit(changed, session, networks.of(session).library, changes).result(timeout=_PATIENCE)
        except CircuitsError as refusal:
            return _answer(422, refused=str(refusal))
        except TimeoutError:
            return _answer(503, refused="The network is busy; move the slider again.")
        took = round(1000 * (time.perf_counter() - began), 1)
        return _answer(200, effects=[_told(effect) for effect in outcome.effects], milliseconds=took)

    server.add_url_rule("/what-if", "what_if", what_if, methods=["POST"])


def read(body: bytes) -> tuple[str, str, dict[Address, float]]:
    """Session, stamp and changes of a request.

    Raises:
        InputError: if it has another form, too many units, or a factor outside of 0 to 2.

    Example:
        >>> read(b'{"session": "ab", "stamp": "1", "changes": [{"unit": "conv4:17@3,5", "factor": 0.5}]}')
        ('ab', '1', {Unit(layer='conv4', channel=17, position=(3, 5)): 0.5})
    """
    try:
        asked = json.loads(body)
        name, wanted, rows = asked["session"], asked["stamp"], asked["changes"]
        texts = [(row["unit"], row["factor"]) for row in rows]
        plain = isinstance(rows, list) and all(isinstance(text, str) for text in (name, wanted, *dict(texts)))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        plain = False
    if not plain:
        raise InputError("A what-if request is JSON with a session, a stamp, and changes of a unit and a factor each.")
    if len(rows) > MOST_UNITS:
        raise InputError(f"{len(rows)} units are changed; at most {MOST_UNITS} can be at once.")
    changes = {parse_address(text): factor for text, factor in texts}
    for unit, factor in changes.items():
        is_number = isinstance(factor, int | float) and not isinstance(factor, bool)
        if not is_number or not 0 <= factor <= LARGEST:  # NaN is not, and a whole number may be too large for a float
            raise InputError(f"The factor of {unit} must be a number from 0, which switches it off, to {LARGEST:g}.")
    return name, wanted, changes


def changed(session: Session, library: Library, changes: Mapping[Address, float]) -> Outcome:
    """What the network says of a session's photo with some units, or groups of its circuit, scaled.

    Raises:
        CircuitsError: if the circuit is locked, there is no photo, or the network has no such unit.
    """
    work = session.work
    if work.locked:
        raise InputError(work.locked)
    source = work.circuit if work.circuit is not None else work.photo
    if source is None:
        raise InputError("There is no photo; choose one first.")
    return circuits.intervene(library.network, source, changes)


def _is_short() -> bool:
    return request.content_length is not None and request.content_length <= _MOST_BYTES


def _told(effect: Effect) -> dict[str, Any]:
    return {
        "class": effect.before.index, "label": effect.label,
        "before": effect.before.probability, "after": effect.after.probability,
        "logits": [effect.before.logit, effect.after.logit],
    }  # fmt: skip


def _answer(status: int, **told: Any) -> Response:
    answer = Response(json.dumps(told, allow_nan=False), status=status, mimetype="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _one_thread() -> None:
    import torch

    # With more, it would wait for the threads of whoever draws.
    torch.set_num_threads(1)
