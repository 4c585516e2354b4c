"""`circuits trace` by groups and budgets, its files, and `circuits what-if` on a group of a circuit's file."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch

from circuits import Circuit, Group, intervene, load_network, trace
from circuits.cli._trace_tables import circuit_table
from circuits.groups.storage import save_groups
from circuits.report.circuit import to_html
from circuits.report.circuit_svg import svg_file
from circuits.report.sentences import held_in_words
from circuits.report.text import number
from tests.support.commandline import refusal, run

CAT = "example:cat"


@pytest.fixture(scope="module")
def circuit() -> Circuit:
    return trace(load_network(), CAT, "cat", groups=3, depth=2)


@pytest.fixture
def file(circuit: Circuit, tmp_path: Path) -> Path:
    path = tmp_path / "cat.json"
    circuit.to_json(path)
    return path


def traced(tmp_path: Path, *options: object) -> tuple[Circuit, str]:
    """The circuit that the command writes, and what it prints."""
    path = tmp_path / "out.json"
    result = run("trace", CAT, "--target", "cat", "-o", path, *options)
    assert result.exit_code == 0, result.stderr
    return Circuit.from_json(path), result.stdout


def test_groups_are_traced_as_the_library_traces_them(circuit: Circuit, tmp_path: Path) -> None:
    found, said = traced(tmp_path, "--groups", 3)
    assert found == circuit
    assert held_in_words(circuit) in " ".join(said.split())


def test_one_number_a_level_also_says_how_deep(tmp_path: Path) -> None:
    found, _ = traced(tmp_path, "--groups", "2,0")
    assert {layer: each.groups for layer, each in found.dictionaries.items()} == {"conv7": 2}
    assert found.settings.depth == 2
    assert any(name.startswith("conv6:") for name in found.visible)


def test_groups_of_a_file_are_taken_as_they_are(tmp_path: Path) -> None:
    network = load_network()
    own = trace(network, CAT, "cat", groups=2, depth=1).dictionaries
    save_groups(tmp_path / "own.safetensors", network, own)
    found, _ = traced(tmp_path, "--groups", tmp_path / "own.safetensors", "--depth", 1)
    assert torch.equal(found.dictionaries["conv7"].directions, own["conv7"].directions)


def test_a_budget_is_spent_over_the_whole_circuit(tmp_path: Path) -> None:
    found, _ = traced(tmp_path, "--units", 7, "--depth", 3)
    assert len(found.visible) == 8
    assert (found.settings.mode, found.settings.units) == ("target", 7)
    half, _ = traced(tmp_path, "--share", 0.5, "--groups", 4, "--depth", 1)
    books = half.nodes[half.root].books
    assert books.shown >= 0.5 * half.target.value
    assert len(half.edges_into(half.root)) < 5


def test_the_table_has_a_column_for_what_is_in_no_group(circuit: Circuit) -> None:
    lines = circuit_table(circuit, 200).splitlines()
    heads = re.split(r"\s{2,}", lines[0])
    assert heads[:7] == ["unit", "value", "shown", "other groups", "no group", "bias", "coverage"]
    for name in ("fc:0", "conv7/1"):
        books = circuit.nodes[name].books
        row = next(line for line in lines if line.split(" ")[0] == name)
        cells = row[len(name) :].removeprefix(" cat").split()
        assert cells[3] == number(books.residual, sign=True)
        assert cells[1] == number(books.shown, sign=True)
    assert any("no group: " in line for line in lines)
    assert not any("/rest" in line for line in lines)


def test_what_is_in_no_group_is_no_group_and_rounding_is_no_part(circuit: Circuit) -> None:
    lines = circuit_table(circuit, 200).splitlines()
    assert any(line.startswith("3 of conv6 ") for line in lines)
    assert not any("e\u2212" in line for line in lines)


def test_a_circuit_of_channels_has_no_such_column() -> None:
    assert "no group" not in circuit_table(trace(load_network(), CAT, "cat", depth=1), 200).splitlines()[0]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--groups", "eight"), "Error: --groups 'eight' is no number of groups; give one such as 8"),
        (("--groups", "3,x"), "Error: --groups '3,x' is no number of groups"),
        (("--groups", "0"), "Error: groups is 0 at every level; leave it out to explain by channels."),
        (("--groups", "missing.safetensors"), "Error: There is no file missing.safetensors"),
        (("--groups", "3,3,3", "--depth", "2"), "Error: groups gives 3 numbers for a depth of 2"),
        (("--units", "8", "--top", "3"), "Error: top and units (or share) are two ways"),
        (("--units", "8", "--mode", "ig"), "Error: mode is 'ig'; units and share go by what a unit does"),
        (("--share", "1.5"), "Error: share is 1.5; give the part of the target to reach"),
        (("--units", "0"), "Error: units is 0; give a whole number from 1"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(options: tuple[str, ...], sentence: str) -> None:
    assert refusal(run("trace", CAT, *options)).startswith(sentence)


def test_a_group_of_a_circuit_is_switched_off(circuit: Circuit, file: Path) -> None:
    result = run("what-if", file, "-u", "conv7/0=0", "-u", "conv7/rest=2", "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["changes"] == [{"unit": "conv7/0", "factor": 0.0}, {"unit": "conv7/rest", "factor": 2.0}]
    expected = intervene(load_network(), circuit, {Group("conv7", 0): 0, Group("conv7", None): 2})
    after = {each["class"]: each["after"]["logit"] for each in told["effects"]}
    for effect in expected.effects:
        assert after[effect.before.index] == pytest.approx(effect.after.logit, abs=1e-4)


def test_groups_need_the_circuit_that_has_them(file: Path) -> None:
    assert "No group conv7/3; conv7 has 3 groups, from 0" in refusal(run("what-if", file, "-u", "conv7/3=0"))
    assert "conv7/0 is a group of channels, whose direction a circuit carries" in refusal(
        run("what-if", CAT, "-u", "conv7/0=0")
    )
    assert "is a circuit, which carries its part of the photo; leave out --window" in refusal(
        run("what-if", file, "-u", "conv7/0=0", "--window", "0,0,9,9")
    )
    assert "'conv7/x' is not a group" in refusal(run("what-if", file, "-u", "conv7/x=0"))


def test_graphml_tells_groups_by_their_ids(circuit: Circuit, tmp_path: Path) -> None:
    path = tmp_path / "cat.graphml"
    circuit.to_graphml(path)
    tree = ElementTree.parse(path)
    ids = {node.get("id") for node in tree.iter("{http://graphml.graphdrawing.org/xmlns}node")}
    assert ids == set(circuit.visible)


def test_the_page_and_the_drawing_set_the_residual_apart(circuit: Circuit) -> None:
    page, drawing = to_html(circuit), svg_file(circuit)
    left = [name for name in circuit.visible if name.endswith("/rest")]
    assert len(left) == 2
    for text in (page, drawing):
        assert text.count('class="node residual"') + text.count('class="node expanded residual"') == len(left)
        count = sum(edge.source in left for name in circuit.visible for edge in circuit.edges_into(name))
        assert text.count('class="edge neutral" data-source') == count
        assert "3 groups" in text
    assert '<th scope="col">in no group</th>' in page
    assert f"<td>{number(circuit.nodes['fc:0'].books.residual, sign=True)}</td>" in page
    assert held_in_words(circuit) in page
    assert "in no group" not in to_html(trace(load_network(), CAT, "cat", depth=1))
