"""The line at the bottom of the page: what is worked out, scored or drawn, or what there is."""

from dataclasses import dataclass

from circuits.report.text import cut, many, units_in_words
from dashboard.session.state import Session
from dashboard.work.queue import Report

LONG = 45 * 60
"""Seconds beyond which nobody needs to know how long exactly, nor could."""
_REASON = 120
"""Characters of what a drawing failed with."""


@dataclass(frozen=True)
class Status:
    """The line at the bottom of the page.

    Args:
        text: what goes on.
        done: finished part of `total`.
        total: of the progress bar.
        live: something goes on, so the page must ask again.
        can_cancel: there is something to cancel.
        can_resume: pictures are missing because the person cancelled.
        can_refine: there are sketches alone, because finished pictures would take long.
        can_retry: pictures failed, and can be tried again.
    """

    text: str
    done: float = 0.0
    total: float = 1.0
    live: bool = False
    can_cancel: bool = False
    can_resume: bool = False
    can_refine: bool = False
    can_retry: bool = False


def status(
    session: Session,
    tracing: Report,
    rendering: Report,
    scoring: Report | None = None,
    indexing: Report | None = None,
    *,
    missing: int,
    failed: int,
    reason: str = "",
    refining: float | None = None,
    unindexed: bool = False,
) -> Status:
    """The status line: what is worked out, what is scored, what is rendered, or what there is.

    Args:
        session: whose page.
        tracing: the owner's report of the queue that answers requests.
        rendering: the owner's report of the queue that renders pictures.
        scoring: the owner's report of the queue that scores circuits.
        indexing: the owner's report of the queue that indexes photos.
        missing: visible units without a picture.
        failed: those of them whose rendering failed.
        reason: why it did.
        refining: seconds that they would take, if that is asked about first.
        unindexed: photos are not indexed because the person cancelled.
    """
    if session.requests:
        text = tracing.label or "Waiting for the network"
        done = tracing.progress if tracing.total else 0.0
        return Status(f"{text} …", done, 1.0, live=True, can_cancel=True)
    if scoring is not None and scoring.state != "idle":
        text = f"{scoring.label} …" if scoring.state == "running" else "Waiting to score the circuit"
        return Status(text, scoring.done + scoring.progress, scoring.total, live=True, can_cancel=True)
    if rendering.state == "running":
        counted = f": {rendering.done} of {rendering.total} picture{_s(rendering.total)}" if rendering.total else ""
        return Status(
            f"Rendering {rendering.label}{counted}{remaining(rendering.seconds_left)}",
            rendering.done + rendering.progress, max(1, rendering.total), live=True, can_cancel=True,
            can_refine=refining is not None,
        )  # fmt: skip
    if rendering.state == "queued":
        count = rendering.total - rendering.done
        text = f"Waiting for the renderer; {count} picture{_s(count)} to go"
        return Status(text, rendering.done, rendering.total, live=True, can_cancel=True)
    if indexing is not None and indexing.state != "idle":
        running = indexing.state == "running"
        text = f"{indexing.label}{remaining(indexing.seconds_left)}" if running else "Waiting to index photos"
        return Status(text, indexing.progress, 1.0, live=True, can_cancel=True, can_refine=refining is not None)
    if missing and session.paused:
        return Status(f"Rendering cancelled; {missing} picture{_s(missing)} missing", can_resume=True)
    if unindexed:
        return Status("Indexing of photos cancelled; what was done is kept", can_resume=True)
    if failed:
        why = next((line.strip() for line in reason.splitlines() if line.strip()), "the server's log says why")
        text = f"{failed} picture{_s(failed)} failed: {cut(why, _REASON)}"
        return Status(text, can_retry=True, can_refine=refining is not None)
    if refining is not None:
        text = f"{missing} coarse picture{_s(missing)}; refining them takes{remaining(refining, '')}"
        return Status(text, can_refine=True)
    return Status(summary(session))


def summary(session: Session) -> str:
    """What the page shows, when nothing goes on."""
    circuit = session.work.circuit
    if circuit is None:
        return "Ready" if session.work.photo is not None else "Choose a photo to begin"
    visible = circuit.visible
    edges = sum(lower in visible and upper in visible for lower, upper in circuit.graph.edges)
    return f"{units_in_words(circuit)}, {many(edges, 'edge')}"


def remaining(seconds: float | None, left: str = " left") -> str:
    """Time left for people, to the precision that it is known, after a comma or, without `left`, a space.

    Example:
        >>> remaining(None), remaining(3.2), remaining(48), remaining(200), remaining(9000)
        ('', ', a few seconds left', ', about 50 s left', ', about 3 min left', ', more than 45 min left')
    """
    if seconds is None:
        return ""
    if seconds < 5:
        words = "a few seconds"
    elif seconds < 90:
        words = f"about {max(10, round(seconds / 10) * 10)} s"
    elif seconds > LONG:
        words = f"more than {LONG // 60} min"
    else:
        words = f"about {round(seconds / 60)} min"
    return f"{',' if left else ''} {words}{left}"


def _s(count: int) -> str:
    return "" if count == 1 else "s"
