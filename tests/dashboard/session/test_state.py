"""Desks: one a tab, apart from each other, bounded in number and time."""

import pytest

from dashboard.session.state import Choices, Session
from dashboard.session.tabs import TabSessions

ANN, BOB, CAT = "a" * 32, "b" * 32, "c" * 32


def test_the_same_name_finds_the_same_desk_and_another_name_another() -> None:
    sessions = TabSessions()
    assert sessions.tab(ANN) is sessions.tab(ANN)
    assert sessions.tab(ANN) is not sessions.tab(BOB)
    assert len(sessions) == 2


def test_what_one_desk_holds_is_not_on_another() -> None:
    sessions = TabSessions()
    sessions.tab(ANN).put(Session(paused=True))
    sessions.tab(ANN).say("only for Ann")
    assert not sessions.tab(BOB).session.paused
    assert sessions.tab(BOB).toasts == ()


@pytest.mark.parametrize("name", ["", "a" * 31, "A" * 32, "../" + "a" * 29, "a" * 33, None, 7])
def test_a_name_of_another_form_is_refused(name: object) -> None:
    with pytest.raises(ValueError, match="32 hexadecimal digits"):
        TabSessions().tab(name)  # type: ignore[arg-type]  # what a browser sends may be anything


def test_beyond_the_limit_the_desk_used_longest_ago_is_dropped() -> None:
    now, dropped = [0.0], []
    sessions = TabSessions(limit=2, clock=lambda: now[0], dropped=dropped.append)
    for moment, name in enumerate((ANN, BOB, ANN, CAT)):
        now[0] = float(moment)
        sessions.tab(name)
    assert dropped == [BOB]
    assert len(sessions) == 2


def test_an_idle_desk_is_dropped() -> None:
    now, dropped = [0.0], []
    sessions = TabSessions(idle=60, clock=lambda: now[0], dropped=dropped.append)
    sessions.tab(ANN).put(Session(paused=True))
    now[0] = 61.0
    sessions.tab(BOB)
    assert dropped == [ANN]
    assert not sessions.tab(ANN).session.paused


def test_the_revision_counts_replacements_only() -> None:
    tab_session = TabSessions().tab(ANN)
    tab_session.put(tab_session.session)
    assert tab_session.revision == 0
    tab_session.put(Session())
    assert tab_session.revision == 1


def test_each_numbered_action_of_a_tab_is_new_once() -> None:
    tab_session = TabSessions().tab(ANN)
    assert [tab_session.fresh("tab", number) for number in (1, 2, 2, 1, 3)] == [True, True, False, False, True]
    assert tab_session.fresh("another tab", 1)


def test_only_the_last_tabs_are_remembered() -> None:
    tab_session = TabSessions().tab(ANN)
    for number in range(100):
        tab_session.fresh(f"tab {number}", 1)
    assert len(tab_session.seen) == 16
    assert not tab_session.fresh("tab 99", 1)


def test_the_last_five_toasts_are_kept_and_numbered() -> None:
    tab_session = TabSessions().tab(ANN)
    for word in "abcdefg":
        tab_session.say(word)
    assert [(toast.number, toast.text) for toast in tab_session.toasts] == [(n, w) for n, w in enumerate("abcdefg", 1)][
        -5:
    ]


def test_a_new_step_forgets_what_was_undone() -> None:
    session = Session()
    one = session.changed(session.work)
    assert one.past == (session.work,)
    assert one.future == ()
    assert Choices() == Choices(depth=2, top=5, signs="positive", mode="sum")
