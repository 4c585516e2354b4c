"""What a feature of the page consists of, and what it is given to show itself.

Each folder of `features/` makes one `Feature` in its `feature.py`, and `app.py` lists them all. No feature knows
another.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flask import Flask

from circuits.groups.layer_direction import Subject
from dashboard.components import Pane
from dashboard.library import Library
from dashboard.session.actions import ActionType, RequestType
from dashboard.session.envelope import NOTHING, Have
from dashboard.session.state import Session
from dashboard.session.tabs import TabSession, TabSessions
from dashboard.work.queue import Task
from dashboard.work.results import Answers, Query
from dashboard.work.tiles import Tile

if TYPE_CHECKING:
    from dashboard.work.networks import Networks
    from dashboard.work.scheduler import Scheduler


@dataclass(frozen=True)
class View:
    """What there is to show for one browser tab at the moment; its lock is held.

    Args:
        tab: the tab.
        work: the work behind the page.
        answers: to the queries of its session, by name.
        tiles: what stands for the units of its circuit, by node id.
        drawing: whether missing pictures are on their way.
        have: what the page has already.
        made: what a feature keeps of it from one of its functions for another.
    """

    tab: TabSession
    work: "Scheduler"
    answers: Answers
    tiles: Mapping[str, Tile]
    drawing: bool
    have: Have = NOTHING
    made: dict[str, Any] = field(default_factory=dict)

    @property
    def session(self) -> Session:
        return self.tab.session

    @property
    def library(self) -> Library:
        return self.work.library


@dataclass(frozen=True)
class Output:
    """A property of an element that a feature writes.

    Args:
        element: its id.
        name: of the property.
        evidence: it is made anew when an answer has come.
    """

    element: str
    name: str = "children"
    evidence: bool = False


@dataclass(frozen=True)
class Feature:
    """A feature of the page; each part may be left out.

    Args:
        actions: what a person can do, by kind.
        requests: what the network is asked for, by kind.
        queries: what is to be found out for a session.
        units: whose pictures are to be drawn, in groups, the first first.
        drawings: further pictures to be drawn, before those of `units`.
        tiles: what stands for units that are on the page but not in its circuit, by the name that the scripts know.
        outputs: what `render` writes, by name.
        render: the values of the outputs.
        pane: the right pane, if what is chosen is this feature's; the first feature that has one shows it.
        data: what the scripts of the page are told.
        chosen: what the scripts in the right pane are told together with the pane itself, so that what somebody does
            there concerns the unit that they see.
        state: what tells one state of what the feature shows from another, beside the answers; "" if nothing does.
        routes: adds the feature's addresses to the server.
    """

    actions: Mapping[str, ActionType] = field(default_factory=dict)
    requests: Mapping[str, RequestType] = field(default_factory=dict)
    queries: Callable[[Session, "Scheduler"], Sequence[Query]] = lambda session, work: ()
    units: Callable[[TabSession, "Scheduler"], Sequence[Sequence[Subject]]] = lambda tab, work: ()
    drawings: Callable[[Session, "Scheduler"], Sequence[Task]] = lambda session, work: ()
    tiles: Callable[[View], Mapping[str, Tile]] = lambda view: {}
    outputs: Mapping[str, Output] = field(default_factory=dict)
    render: Callable[[View], Mapping[str, Any]] = lambda view: {}
    pane: Callable[[View], Pane | None] = lambda view: None
    data: Callable[[View], Mapping[str, Any]] = lambda view: {}
    chosen: Callable[[View], Mapping[str, Any]] = lambda view: {}
    state: Callable[[View], str] = lambda view: ""
    routes: Callable[[Flask, TabSessions, "Networks"], None] = lambda server, sessions, networks: None
