"""The line at the bottom of the page: what is worked out, scored or drawn, or what there is."""

from dataclasses import dataclass

from dashboard.session.state import Session
from dashboard.work.queue import Report


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
    """

    text: str
    done: float = 0.0
    total: float = 1.0
    live: bool = False
    can_cancel: bool = False
    can_resume: bool = False


def status(
    session: Session,
    tracing: Report,
    rendering: Report,
    scoring: Report | None = None,
    *,
    missing: int,
    failed: int,
) -> Status:
    """The status line: what is worked out, what is scored, what is rendered, or what there is.

    Args:
        session: whose page.
        tracing: the owner's report of the queue that answers requests.
        rendering: the owner's report of the queue that renders pictures.
        scoring: the owner's report of the queue that scores circuits.
        missing: visible units without a picture.
        failed: those of them whose rendering failed.
    """
    if session.requests:
        text = tracing.label or "Waiting for the network"
        done = tracing.progress if tracing.total else 0.0
        return Status(f"{text} …", done, 1.0, live=True, can_cancel=True)
    if scoring is not None and scoring.state != "idle":
        text = f"{scoring.label} …" if scoring.state == "running" else "Waiting to score the circuit"
        return Status(text, scoring.done + scoring.progress, scoring.total, live=True, can_cancel=True)
    if rendering.state == "running":
        text = f"Rendering {rendering.label} ({min(rendering.done + 1, rendering.total)} of {rendering.total})"
        return Status(
            text + remaining(rendering.seconds_left), rendering.done + rendering.progress, rendering.total,
            live=True, can_cancel=True,
        )  # fmt: skip
    if rendering.state == "queued":
        count = rendering.total - rendering.done
        text = f"Waiting for the renderer; {count} picture{_s(count)} to go"
        return Status(text, rendering.done, rendering.total, live=True, can_cancel=True)
    if missing and session.paused:
        return Status(f"Rendering cancelled; {missing} picture{_s(missing)} missing", can_resume=True)
    if failed:
        return Status(f"{failed} picture{_s(failed)} could not be rendered; the server's log says why")
    return Status(summary(session))


def summary(session: Session) -> str:
    """What the page shows, when nothing goes on."""
    circuit = session.work.circuit
    if circuit is None:
        return "Ready" if session.work.photo is not None else "Choose a photo to begin"
    units = len(circuit.visible)
    visible = circuit.visible
    edges = sum(lower in visible and upper in visible for lower, upper in circuit.graph.edges)
    return f"{units} unit{_s(units)}, {edges} edge{_s(edges)}"


def remaining(seconds: float | None) -> str:
    """Time left for people, to the precision that it is known.

    Example:
        >>> remaining(None), remaining(3.2), remaining(48), remaining(200)
        ('', ', a few seconds left', ', about 50 s left', ', about 3 min left')
    """
    if seconds is None:
        return ""
    if seconds < 5:
        return ", a few seconds left"
    if seconds < 90:
        return f", about {max(10, round(seconds / 10) * 10)} s left"
    return f", about {round(seconds / 60)} min left"


def _s(count: int) -> str:
    return "" if count == 1 else "s"
