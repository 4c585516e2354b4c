"""The layout of files: it is that of the page, and no line runs through a picture or its words."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from circuits import Circuit, trace
from circuits.report.arrangement import (
    PANE,
    SIDE,
    STEP,
    WORDS,
    UnitPlace,
    arranged,
    bands_between,
    curve,
    fitting,
    ports,
    route,
)
from circuits.report.layout import layered
from circuits.tracing.edge import Edge
from tests.support.handmade import colour_photo, handmade_network

SCRIPT = Path(__file__).parents[2] / "dashboard" / "assets" / "graph" / "arrange.js"


def wide_circuit(units: int) -> Circuit:
    """The handmade circuit with so many more units in its lowest layer, each below one or two of the units above."""
    circuit = trace(handmade_network(), colour_photo(), "warm", depth=2, signs="both")
    graph = circuit.unfrozen()
    plain = {**graph.nodes["conv1:0"], "expanded": False}
    for channel in range(10, 10 + units):
        graph.add_node(f"conv1:{channel}", **{**plain, "channel": channel, "label": f"conv1:{channel}"})
        graph.add_edge(f"conv1:{channel}", f"conv2:{channel % 2}", attribution=1 / channel, rank=channel)
    return Circuit(graph, circuit.photo)


@pytest.fixture(scope="module", params=[0, 9, 31])
def circuit(request: pytest.FixtureRequest) -> Circuit:
    return wide_circuit(request.param)


def test_files_are_laid_out_as_the_page_is(circuit: Circuit, browser: Any) -> None:
    locked = circuit.with_place("conv1:0", (10.0, 300.0)).with_place("conv2:0", (500.0, 216.0))
    page = browser.new_page()
    page.set_content("<p>an empty page</p>")
    page.add_script_tag(path=str(SCRIPT))
    for each in (circuit, locked):
        order = layered(each, wrap=len(each.visible), ranked=True)
        nodes = [{"id": name, "layer": each.nodes[name].unit.layer, "place": each.nodes[name].place} for name in order]
        found = page.evaluate(
            """([nodes, pane]) => {
                const left = new Set(nodes.map(node => node.id));
                const told = { circuit: "a", limit: 0 };
                const { places } = window.circuits.openArrangement().arrange(nodes, left, pane, told);
                return Object.fromEntries([...places].map(([id, { x, y }]) => [id, [x, y]]));
            }""",
            [nodes, PANE],
        )
        assert {name: [place.x, place.y] for name, place in arranged(each).items()} == found
    page.close()


def test_more_units_than_fit_are_wrapped_and_not_shrunk() -> None:
    assert fitting([1, 5]) == 5
    assert fitting([1, 5, 400], (700.0, 500.0)) == int(700 / (56 / SIDE * STEP))
    line = SIDE + WORDS + 14
    lines = {place.y for place in arranged(wide_circuit(31), wrap=12).values()}
    assert lines == {0.0, 216.0, 432.0, 432.0 + line, 432.0 + 2 * line}


def test_a_wrap_that_is_given_is_kept() -> None:
    circuit = wide_circuit(9)
    for wrap in (2, 5, 20):
        rows = [place.y for place in arranged(circuit, wrap=wrap).values()]
        assert max(rows.count(y) for y in rows) <= wrap


def test_no_line_runs_through_a_picture_or_its_words(circuit: Circuit) -> None:
    places, half = arranged(circuit, wrap=5), SIDE / 2
    for target in places:
        edges = circuit.edges_into(target)
        arrive = ports(edges, places)
        for edge in edges:
            stops = route(places[target], places[edge.source], arrive[edge], 38, bands=bands_between(places))
            upright = [(x, y, to_y) for (x, y), (to_x, to_y) in pairwise(stops) if x == to_x]
            for x, y, to_y in upright:
                for name, place in places.items():
                    if name not in (target, edge.source):
                        across, down = abs(place.x - x) < half, y < place.y + half + 38 and to_y > place.y - half
                        assert not (across and down), (edge, name)


def test_lines_that_skip_layers_cross_them_between_two_columns_in_files_as_on_the_page(browser: Any) -> None:
    rows = {"e": [0.0], "d": [0.0], "c": [-1.0, 0.0, 1.0], "b": [-0.5, 0.5], "a": [0.0]}
    places = {
        f"{layer}:{number}": UnitPlace(column * STEP, 216.0 * row, 216.0 * row, 216.0 * row)
        for row, (layer, columns) in enumerate(rows.items())
        for number, column in enumerate(columns)
    }
    stops = route(places["e:0"], places["a:0"], -20.0, 65, bands=bands_between(places))
    # Beside the one of d, between two of three of c, and in the middle of b, each a little to the left as its port.
    assert [x for x, _ in stops] == [-20, -64, -64, -64, -64, -3, -3, 0]
    assert [y for _, y in stops] == [113, 168, 332, 384, 548, 600, 764, 813]
    assert route(places["c:0"], places["b:0"], 0.0, 65, bands=bands_between(places)) == route(
        places["c:0"], places["b:0"], 0.0, 65
    )
    page = browser.new_page()
    page.set_content("<p>an empty page</p>")
    for script in (SCRIPT, SCRIPT.with_name("lines.js")):
        page.add_script_tag(path=str(script))
    found = page.evaluate(
        """nodes => {
            const circuits = window.circuits;
            const { places, rows } = circuits.openArrangement().arrange(
                nodes, new Set(nodes.map(node => node.id)), [634, 612], { circuit: "a", limit: 0 });
            const lines = circuits.openLines(id => places.get(id), () => 0, () => 0, () => rows);
            const plain = { inhibits: false, disagrees: false, residual: false, marks: "", spoken: "" };
            lines.draw([{ source: "a:0", target: "e:0", ...plain }]);
            return lines.svg.querySelector(".line").getAttribute("d");
        }""",
        [{"id": name, "layer": name[0], "place": None} for name in places],
    )
    page.close()
    ends = [tuple(map(float, part.split()[-1].split(","))) for part in found[1:].split("C")]
    expected = route(places["e:0"], places["a:0"], 0.0, WORDS, bands=bands_between(places))
    assert ends == [pytest.approx(stop) for stop in expected]


def test_lines_arrive_side_by_side_in_the_order_of_the_units_below() -> None:
    places = {name: UnitPlace(x, 0.0, 0.0, 0.0) for name, x in (("b:0", 100.0), ("b:1", -50.0), ("b:2", 0.0))}
    edges = [Edge(name, "c:0", 1.0, 1) for name in places]
    found = {edge.source: port for edge, port in ports(edges, places).items()}
    assert found == {"b:1": -17.0, "b:2": 0.0, "b:0": 17.0}
    crowd = {f"b:{n}": UnitPlace(float(n), 0.0, 0.0, 0.0) for n in range(45)}
    spread = ports([Edge(name, "c:0", 1.0, 1) for name in crowd], crowd).values()
    assert max(spread) - min(spread) < SIDE


def test_a_line_goes_up_from_the_lower_unit_through_its_stops() -> None:
    assert curve([(0.0, 0.0), (0.0, 40.0), (30.0, 100.0)]) == "M30 100C30 70 0 70 0 40C0 20 0 20 0 0"
