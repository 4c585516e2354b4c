"""The table of `circuits trace` at the widths that terminals have."""

import re
from pathlib import Path

import pytest
from rich.cells import cell_len

from circuits import Circuit, Network, load_network, trace
from circuits.cli._trace_tables import circuit_table
from circuits.report.text import number, percent, units_in_words
from circuits.tracing.paths import strongest_path
from tests.support.commandline import on_handmade, run, save_photo


@pytest.fixture(scope="module")
def network() -> Network:
    return load_network()


@pytest.fixture(scope="module")
def circuit(network: Network) -> Circuit:
    return trace(network, "example:cat", "cat", depth=2, top=5)


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_every_number_stands_whole_in_a_line_that_fits(circuit: Circuit, width: int) -> None:
    lines = circuit_table(circuit, width).splitlines()
    assert max(map(cell_len, lines)) <= width
    for name in circuit.visible:
        for edge in circuit.edges_into(name):
            channel = edge.source.partition(":")[2]
            part = f"{channel}: {number(edge.attribution, sign=True)} ({percent(abs(circuit.share(edge)))})"
            assert any(re.search(rf"(?<!\d){re.escape(part)}", line) for line in lines), part
        node = circuit.nodes[name]
        if node.books is not None:
            row = next(line for line in lines if line.split(" ")[0] == name)
            assert row[len(name) :].removeprefix(" cat").split()[:2] == [
                number(node.value),
                number(node.books.shown, sign=True),
            ]


def test_lower_units_stand_beside_the_numbers_where_two_of_them_fit(circuit: Circuit) -> None:
    narrow, wide = circuit_table(circuit, 80).splitlines(), circuit_table(circuit, 200).splitlines()
    assert "from the layer below" not in narrow[0]
    assert wide[0].endswith("from the layer below")
    assert len(wide) < len(narrow)
    assert narrow[3].startswith("  281: +1.26 (8 %), ")


def test_a_long_name_has_a_line_of_its_own_where_the_numbers_do_not_fit_beside_it(circuit: Circuit) -> None:
    lines = circuit_table(circuit, 48).splitlines()
    at = lines.index("conv7:281")
    assert lines[at + 1].split()[0] == number(circuit.nodes["conv7:281"].value)
    assert max(map(len, lines)) <= 48


def test_the_last_line_is_the_strongest_path(circuit: Circuit) -> None:
    best = max(
        ((lower, upper) for upper in circuit.edges_into(circuit.root) for lower in circuit.edges_into(upper.source)),
        key=lambda pair: abs(circuit.share(pair[0]) * circuit.share(pair[1])),
    )
    assert strongest_path(circuit) == best[::-1]
    shares = [percent(abs(circuit.share(edge))) for edge in best]
    said = f"Strongest path: cat ← {best[1].source} ({shares[1]}) ← {best[0].source} ({shares[0]})"
    assert circuit_table(circuit, 80).splitlines()[-1] == said


def test_more_lines_than_are_wanted_are_counted(network: Network, circuit: Circuit) -> None:
    lines = circuit_table(circuit, 80, 12).splitlines()
    whole = circuit_table(circuit, 80).splitlines()
    left = next(line for line in lines if line.startswith("…"))
    shown = lines[: lines.index(left) - 1]
    assert len(shown) <= 12
    assert shown == whole[: len(shown)]
    rows = sum(line.split(" ")[0] in circuit.visible for line in shown)
    assert left == f"… and {len(circuit.visible) - rows} more of {units_in_words(circuit)}; --all prints them all, " + (
        "--json in full."
    )
    assert lines[-1].startswith("Strongest path: ")


def test_a_terminal_of_80_columns_gets_lines_of_80(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FORCE_COLOR", "1")
    result = run(
        "trace", save_photo(tmp_path, "a-photo-with-quite-a-long-name-of-many-words.png"), *on_handmade(tmp_path)
    )
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert max(map(cell_len, lines)) <= 80
    assert lines[-1].startswith("Strongest path: warm ← ")


def test_the_depth_is_two_and_more_than_there_is_is_told(tmp_path: Path) -> None:
    asked = [save_photo(tmp_path), *on_handmade(tmp_path)]
    assert '"depth": 2' in run("trace", *asked, "--json").stdout
    assert run("trace", *asked).stderr == ""
    told = run("trace", *asked, "--depth", 9).stderr
    assert told == "Handmade has 2 layers below fc, so the circuit goes down 2 and not 9.\n"
    assert run("trace", *asked, "--depth", 2).stderr == ""
