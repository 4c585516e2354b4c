"""What is to be found out about the chosen edge."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from circuits.tracing.groups import dictionaries_key
from dashboard.session.selection import outside_unit
from dashboard.session.state import Session
from dashboard.work.evidence import relative_query
from dashboard.work.results import Query, photo_key

if TYPE_CHECKING:
    from dashboard.work.scheduler import Scheduler


def queries(session: Session, work: "Scheduler") -> Sequence[Query]:
    """Where the edge comes from and arrives and, of channels, the lower unit through the upper one."""
    circuit, edge, evidence = session.work.circuit, session.work.edge, work.evidence
    if circuit is None or edge is None or session.work.locked or outside_unit(session, work.library) is not None:
        return ()
    key = f"{photo_key(circuit)}/{edge[0]}/edge/{edge[1]}/{dictionaries_key(circuit)}"
    shown = Query("edge", key, lambda _: evidence.edge(circuit, *edge), 2)
    if not evidence.has_relative(circuit, *edge):
        return (shown,)
    return shown, relative_query(circuit, *edge, session.looking, evidence)
