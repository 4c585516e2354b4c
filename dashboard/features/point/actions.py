"""What a person can do with photos: take one, go back to one, choose what is seen of it, ask what fires there.

Showing a photo, or another part of it, is work for the network, an `Ask` of the kind `photo`; its subject is the key of
the photo in the strip, followed by the window if another one is wanted, or `example:` and a name. Until the answer is
there the page stays as it is; then photo, predictions and the circuit of the same target take their places in one step.
"""

import math
from dataclasses import replace

from circuits.errors import InputError
from dashboard.library import Explorer
from dashboard.session.state import Session


def _spot(session: Session, subject: str, explorer: Explorer) -> Session:
    """Ask what fires at a place, `x,y` in shares of the crop; "" asks no more."""
    if not subject:
        return replace(session, work=replace(session.work, spot=None)) if session.work.spot is not None else session
    if session.work.photo is None or session.work.locked:
        raise InputError(session.work.locked or "There is no photo to point at; choose one first.")
    try:
        across, down = (float(share) for share in subject.split(","))
    except ValueError:
        across = down = math.nan
    if not (0 <= across <= 1 and 0 <= down <= 1):
        raise InputError(f"{subject!r} is not a place in the photo; write x and y as shares of its sides, 0 to 1.")
    return replace(session, work=replace(session.work, spot=(across, down)))


def _spot_layer(session: Session, subject: str, explorer: Explorer) -> Session:
    """Choose the layer that is asked what fires at a place."""
    if subject not in explorer.placed:
        raise InputError(f"{subject!r} has no places to fire at; these layers have: {', '.join(explorer.placed)}.")
    return replace(session, spot_layer=subject)
