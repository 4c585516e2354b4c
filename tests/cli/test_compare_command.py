"""`circuits compare` and `circuits trace --measure`, on a network whose numbers are known."""

import json
from pathlib import Path

import pytest

from circuits import Circuit, compare
from tests.support.commandline import on_handmade, refusal, run, save_photo

RED, GREEN = 255 / 255, 128 / 255


@pytest.fixture
def asked(tmp_path: Path) -> list[str]:
    """A photo and the options of the hand-wired network."""
    return [str(save_photo(tmp_path)), *on_handmade(tmp_path)]


@pytest.fixture
def two(asked: list[str], tmp_path: Path) -> tuple[Path, Path]:
    """The circuits of both classes."""
    for target in ("warm", "cold"):
        result = run("trace", *asked, "--target", target, "--signs", "both", "-o", tmp_path / f"{target}.json")
        assert result.exit_code == 0
    return tmp_path / "warm.json", tmp_path / "cold.json"


def test_compare_prints_what_is_shared_layer_by_layer(two: tuple[Path, Path]) -> None:
    result = run("compare", *two)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "A: Why warm? Handmade on photo.png" in result.stdout
    assert "B: Why cold? Handmade on photo.png" in result.stdout
    assert "2 units shared, 4 only in A, 1 only in B (Jaccard index 0.29)." in result.stdout
    assert "1 edge shared, 4 only in A, 1 only in B (Jaccard index 0.17)." in result.stdout
    assert "differ" not in result.stdout
    rows = {line.split()[0]: line.split() for line in result.stdout.splitlines() if line.strip()}
    assert rows["fc"][1:] == ["none", "0", "1"]
    assert next(row for name, row in rows.items() if name.startswith(("conv2", "relu_")))[1:] == [
        "1", "12.0", "12.0", "−14", "%", "100", "%", "0",
    ]  # fmt: skip


def test_compare_writes_the_comparison_of_the_library(two: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    result = run("compare", *two, "-o", out)
    assert result.stderr == f"Wrote {out}.\n"
    expected = compare(Circuit.from_json(two[0]), Circuit.from_json(two[1])).to_dict()
    assert json.loads(out.read_text("utf-8")) == expected


def test_compare_says_when_addresses_are_only_names(two: tuple[Path, Path]) -> None:
    data = json.loads(two[1].read_text("utf-8"))
    data["graph"]["network"]["sha256"] = "0" * 64
    two[1].write_text(json.dumps(data), "utf-8")
    said = run("compare", *two).stdout
    assert "The networks differ, so equal addresses of units mean nothing." in said


def test_compare_says_when_values_are_in_different_units(two: tuple[Path, Path]) -> None:
    data = json.loads(two[1].read_text("utf-8"))
    data["graph"]["settings"]["mode"] = "target"
    two[1].write_text(json.dumps(data), "utf-8")
    said, other = run("compare", *two).stdout, run("compare", two[0], two[0]).stdout
    assert (
        "The methods differ (gradient × activation; gradient × activation weighted by the target), so values and"
        in said
    )
    assert [("value A" in each, "share B" in each, "its value in A" in each) for each in (said, other)] == [
        (False, False, False), (True, True, True),
    ]  # fmt: skip
    assert "%" not in said


def test_compare_refuses_what_it_cannot_read_or_would_overwrite(two: tuple[Path, Path], tmp_path: Path) -> None:
    assert "There is no file" in refusal(run("compare", two[0], tmp_path / "none.json"))
    odd = tmp_path / "odd.json"
    odd.write_text("{}")
    assert "odd.json: This is no circuit" in refusal(run("compare", odd, two[1]))
    before = two[0].read_bytes()
    assert "is one of the circuits; give the comparison a name of its own" in refusal(
        run("compare", *two, "-o", two[0])
    )
    assert two[0].read_bytes() == before
    assert "there is no folder" in refusal(run("compare", *two, "-o", tmp_path / "nowhere" / "out.json"))


def test_trace_measures_every_edge_and_writes_it(asked: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    result = run("trace", *asked, "--target", "warm", "--signs", "both", "--measure", "-o", out)
    assert result.exit_code == 0
    assert "Measured by ablation: 0 of 5 edges disagree (another sign, or one more than twice the other)." in (
        result.stdout
    )
    circuit = Circuit.from_json(out)
    edges = [edge for name in circuit.nodes for edge in circuit.edges_into(name)]
    assert len(edges) == 5
    assert all(edge.ablation is not None for edge in edges)
    top = {edge.source.partition(":")[2]: edge.ablation for edge in circuit.edges_into("fc:0")}
    assert top["0"] == pytest.approx(3 * (2 * RED - GREEN), abs=1e-5)
    bare = run("trace", *asked, "--target", "warm", "--signs", "both", "--json")
    assert "ablation" not in bare.stdout


def test_trace_names_the_edges_that_disagree(asked: list[str], tmp_path: Path) -> None:
    import numpy as np
    from PIL import Image

    photo = tmp_path / "dim.png"
    Image.fromarray(np.full((4, 4, 3), (76, 128, 64), dtype=np.uint8)).save(photo)
    layer = next(row["name"] for row in json.loads(run("layers", asked[2], "--size", 4, "--json").stdout)["layers"][1:])
    result = run("trace", photo, *asked[1:], "--target", f"{layer}:0", "--depth", 1, "--measure", "--signs", "both")
    lines = result.stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("Measured by ablation: 1 of 2 edges"))
    red, green = 76 / 255, 128 / 255
    assert lines[at + 1].strip().endswith(f":0 → {layer}:0: +{16 * 2 * red:.2f}, ablated +{16 * (2 * red - green):.2f}")
