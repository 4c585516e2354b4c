"""No wait is for ever: not of a test for what may not happen, and not of the page for one of its own threads."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TOP = Path(__file__).parents[1]
CANDIDATES = re.compile(r"\.(join|wait|get|result|acquire|communicate)\(\)|subprocess\.|\burlopen|create_conn|evaluate")
PROMISES = re.compile(r"\bPromise\b|\basync\b|\bawait\b|\.then\(")
ONLY_BEGUN = ("tests/support/places.py", "tests/dashboard/browser/test_browser_unit.py")
"""Files in which `evaluate` begins what it does not wait for."""


def endless(source: str) -> Iterator[str]:
    """Calls that may wait for ever, with their lines."""
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call):
            continue
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        owner = getattr(getattr(call.func, "value", None), "id", "")
        limited = any(keyword.arg in (None, "timeout") for keyword in call.keywords)
        if (
            (name in {"join", "wait", "get", "result", "acquire", "communicate"} and not call.args + call.keywords)
            or (owner == "subprocess" and name in {"run", "call", "check_call", "check_output"} and not limited)
            or (name in {"urlopen", "create_connection"} and not limited and len(call.args) < 2)
            or (name.startswith("evaluate") and any(PROMISES.search(text) for text in texts(call)))
        ):
            yield f"{name} in line {call.lineno}"


def texts(call: ast.Call) -> Iterator[str]:
    """The texts in the arguments of a call."""
    for argument in call.args:
        for each in ast.walk(argument):
            if isinstance(each, ast.Constant) and isinstance(each.value, str):
                yield each.value


def test_every_wait_has_an_end() -> None:
    found = []
    for file in (*TOP.glob("tests/**/*.py"), *TOP.glob("dashboard/**/*.py")):
        name, source = file.relative_to(TOP).as_posix(), file.read_text("utf-8")
        if CANDIDATES.search(source) and file != Path(__file__):
            found += [f"{name}: {call}" for call in endless(source) if not (name in ONLY_BEGUN and "evaluate" in call)]
    assert found == []


def test_endless_waits_are_found() -> None:
    bad = "thread.join(); event.wait(); queue.get(); subprocess.run(['ls']); urlopen(x); tab.evaluate('x.then(y)')"
    good = "', '.join(names); event.wait(3); known.get(1); subprocess.run(['ls'], timeout=3); tab.evaluate('1 + 1')"
    assert [call.split()[0] for call in endless(bad)] == ["join", "wait", "get", "run", "urlopen", "evaluate"]
    assert list(endless(good)) == []
