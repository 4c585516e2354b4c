"""How a single unit is expanded: as was chosen for it, else as it was, else as the next circuit will be."""

from dataclasses import replace

from dashboard.session.state import Choices, Session


def manner_of(session: Session, name: str) -> Choices:
    """How many units are shown below a unit, and of which signs, when it is expanded.

    Args:
        session: whose circuit.
        name: id of the unit's node.
    """
    chosen, circuit = dict(session.manners).get(name), session.work.circuit
    if circuit is None or name not in circuit.nodes or not circuit.nodes[name].expanded:
        return chosen or session.choices
    edges = circuit.edges_into(name, discarded=True)
    inhibited = any(edge.attribution < 0 for edge in edges)
    # A unit has fewer below it than were asked for where no more of them excite it.
    if chosen is not None and len(edges) <= chosen.top and (chosen.signs == "both" or not inhibited):
        return chosen
    signs = "both" if inhibited else circuit.settings.signs
    return replace(session.choices, top=max(1, len(edges)), signs=signs)
