"""The how-tos do what they say, and the reference has every public name."""

import importlib.util
import re
import shlex
import sys
from pathlib import Path

import networkx as nx
import pytest
import typer

import circuits
from circuits.cli.main import app
from circuits.network.labels import read_labels
from circuits.network.loading import load_network
from circuits.tracing.circuit import Circuit
from tests.support.commandline import run

DOCS = Path(__file__).parents[1] / "docs"


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text("utf-8")


def blocks(name: str, kind: str = "python") -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", page(name), re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, and nothing of the person's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_the_reference_has_every_public_name_once() -> None:
    named = re.findall(r"^::: ([\w.]+)\.(\w+)$", page("reference"), re.MULTILINE)
    assert sorted(name for _, name in named) == sorted(circuits.__all__)
    assert all(hasattr(circuits, name) for name in circuits.__all__)
    for module, name in named:
        assert getattr(importlib.import_module(module), name) is getattr(circuits, name)


def test_every_page_of_the_site_is_in_its_contents() -> None:
    contents = (DOCS.parent / "mkdocs.yml").read_text("utf-8")
    listed = set(re.findall(r"([\w-]+)\.md$", contents, re.MULTILINE))
    assert listed >= {path.stem for path in DOCS.glob("*.md")}


PROSE = ("README.md", "CONTRIBUTING.md", "docs/*.md", "docs/*.py", "circuits/builtin/*.md", "mkdocs.yml", ".ci/*")
FILES = re.compile(r"(?<![\w/.])(?:circuits|dashboard|tests|benchmarks|docs|training)/[\w/-]+(?:\.\w+)+")
MODULES = re.compile(r"(?:\bfrom |\bimport |-m )((?:circuits|dashboard|tests|benchmarks|docs|training)(?:\.\w+)+)")


def test_the_page_of_the_command_line_has_every_command_and_option_and_no_other() -> None:
    text = page("command-line")
    sections = dict(re.findall(r"^## `circuits ([\w -]+)`\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert sections.keys() == commands.keys()
    for name, command in commands.items():
        told = set(
            re.findall(
                r"(?<![\w-])--?[a-z][\w-]*(?=[`, ])",
                "\n".join(re.findall(r"^\* `(-.*?`)", sections[name], re.MULTILINE)),
            )
        )
        options = {way for each in command.params for way in (*each.opts, *each.secondary_opts) if way.startswith("-")}
        assert told == options | {"--help"}, name


@pytest.mark.parametrize("pattern", PROSE)
def test_files_and_modules_that_are_named_exist(pattern: str) -> None:
    text = "\n".join(path.read_text("utf-8") for path in DOCS.parent.glob(pattern))
    assert text
    assert not [name for name in FILES.findall(text) if not (DOCS.parent / name).is_file()]
    assert not [name for name in MODULES.findall(text) if importlib.util.find_spec(name) is None]


def test_the_file_is_read_with_networkx_as_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    [command] = re.findall(r"^    circuits (.*)$", page("reading-the-json"), re.MULTILINE)
    assert run(*shlex.split(command)).exit_code == 0
    circuit = Circuit.from_json("cat.json")
    circuit = circuits.discard(circuit, circuit.edges_into(circuit.root)[1].source)
    circuit.to_json("cat.json")
    names: dict[str, object] = {}
    for block in blocks("reading-the-json"):
        exec(compile(block, "reading-the-json", "exec"), names)
    assert set(names["shown"]) == circuit.visible
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "builtin cat"
    edges = circuit.edges_into(circuit.root, discarded=True)
    assert [line.split()[0] for line in said[1:5]] == [edge.source for edge in edges]
    assert nx.is_path(circuit.graph, names["paths"][names["deepest"]][::-1])
    heaviest = max(_shares(circuit, names["deepest"], 1.0))
    assert float(said[-1].rpartition(" ")[2]) == pytest.approx(heaviest)


def _shares(circuit: Circuit, unit: str, share: float) -> list[float]:
    """The product of shares along every path from a unit to the root, by the definition."""
    if unit == circuit.root:
        return [share]
    found: list[float] = []
    for upper in circuit.graph.successors(unit):
        if upper in circuit.visible:
            of_all = abs(circuit.graph.edges[unit, upper]["attribution"]) / circuit.graph.nodes[upper]["gross"]
            found += _shares(circuit, upper, share * of_all)
    return found


def test_labels_are_read_as_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    lines, table = blocks("your-own-labels", "")
    Path("labels.txt").write_text(lines)
    Path("labels.tsv").write_text(table)
    assert read_labels("labels.tsv") == ("cat", "dog", "hamster")
    Path("my_net.py").write_text(blocks("your-own-network")[0])
    [script] = blocks("your-own-labels")
    exec(compile(script, "your-own-labels", "exec"), {})
    network = load_network("my_net.py:PetNet", labels="labels.txt", size=32)
    assert network.find_class("domestic cat") == network.find_class("ca") == 0
    [told] = re.findall(r"`(PetNet has .*?)`", page("your-own-labels"))
    with pytest.raises(circuits.InputError, match=f"^{re.escape(told)}$"):
        load_network("my_net.py:PetNet", labels=["cat", "dog"], size=32)
    sys.modules.pop("circuits_own_my_net", None)


def test_a_live_module_is_explored_from_a_notebook_as_the_page_says() -> None:
    names: dict[str, object] = {}
    for block in blocks("from-a-notebook"):
        exec(compile(block, "from-a-notebook", "exec"), names)
    assert names["circuit"].target["label"] == "cat"
    assert repr(names["page"]) == "The page is closed."


def test_a_circuit_is_scored_as_the_page_says() -> None:
    names: dict[str, object] = {}
    for block in blocks("evaluate"):
        exec(compile(block, "evaluate", "exec"), names)
    card, page_of_card = names["card"], names["page"]
    assert card.row("circuit").faithfulness.value > card.row("random").faithfulness.value
    assert page_of_card.startswith("<!DOCTYPE html>")
    commands = re.findall(r"^circuits (\w+) (\S+)", blocks("evaluate", "console")[0], re.MULTILINE)
    assert commands == [("trace", "cat.jpg"), ("evaluate", "cat.json"), ("evaluate", "cat.json")]


def test_the_known_circuit_is_found_as_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    for block in blocks("a-known-circuit"):
        exec(compile(block, "a-known-circuit", "exec"), names)
    assert capsys.readouterr().out == "".join(blocks("a-known-circuit", "text"))
