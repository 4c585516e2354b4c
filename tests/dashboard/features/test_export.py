"""Circuits as files: what is in them, what they are called, and that nobody else's are given away."""

import base64
import io
import json
import re
from typing import Any
from xml.etree import ElementTree

import networkx as nx
import pytest

from circuits.image.encode import from_data_uri
from circuits.report.circuit_svg import svg_file
from circuits.report.text import number
from circuits.tracing.circuit import Circuit
from dashboard.app import Page
from dashboard.features.export.exports import menu
from dashboard.work.evidence import in_photo_query
from tests.dashboard.features.test_view import find
from tests.support.person import ANN, BOB, Person
from tests.support.pretend import PaintedGallery

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def client(page: Page) -> Any:
    return page.dash.server.test_client()


@pytest.fixture
def circuit(ann: Person, page: Page) -> Circuit:
    ann.why("4")
    ann.rendered()
    return page.callbacks.sessions.find(ANN).session.work.circuit


def get(client: Any, kind: str, *, pictures: bool = False, name: str = ANN) -> Any:
    return client.get(f"/export/{name}/circuit.{kind}{'?pictures=1' if pictures else ''}")


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [
        ("json", "application/json"), ("html", "text/html"), ("svg", "image/svg+xml"),
        ("graphml", "application/graphml+xml"),
    ],
)  # fmt: skip
def test_an_export_is_a_file_to_save(client: Any, circuit: Circuit, kind: str, content_type: str) -> None:
    answer = get(client, kind)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == f"{content_type}; charset=utf-8"
    # The label is <b>ship</b>: none of it may reach the header or a file system.
    assert answer.headers["Content-Disposition"] == f'attachment; filename="patches--b-ship-b--circuit.{kind}"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_json_is_the_circuit(client: Any, circuit: Circuit) -> None:
    assert Circuit.from_dict(json.loads(get(client, "json").data)) == circuit
    assert b'"picture"' not in get(client, "json").data


def test_pictures_that_are_not_drawn_are_left_out_and_no_error(
    client: Any, circuit: Circuit, gallery: PaintedGallery
) -> None:
    missing = next(name for name in circuit.visible if name.startswith("b:"))
    gallery.file(gallery.key(circuit.nodes[missing].unit)).unlink()
    rows = {row["id"]: row for row in json.loads(get(client, "json", pictures=True).data)["nodes"]}
    assert {name for name in circuit.visible if "picture" not in rows[name]} == {missing}
    colour = from_data_uri(rows[circuit.root]["picture"]).getpixel((40, 40))
    assert colour == pytest.approx(from_data_uri(rows[circuit.root]["picture"]).getpixel((1, 1)), abs=3)
    page = get(client, "html", pictures=True).data
    assert page.count(b'class="look picture"') == len(circuit.visible) - 1


@pytest.mark.parametrize("kind", ["html", "svg"])
def test_files_show_what_the_page_shows_in_its_rows(
    client: Any, circuit: Circuit, ann: Person, page: Page, kind: str
) -> None:
    ann.looked()
    shown = {}
    for look in ("picture", "patch", "heat"):
        text = client.get(f"/export/{ANN}/circuit.{kind}?pictures=1&look={look}&wrap=2").data.decode()
        shown[look] = re.findall(r'<g class="look (\w+)">', text)
        rows = re.findall(r'<rect class="tile" x="\S+" y="(\S+)"', text)
        assert max(rows.count(y) for y in rows) == 2
        assert shown[look] == [look] * len(circuit.visible)
        hidden = re.findall(r'<g class="look (\w+)" visibility="hidden">', text)
        assert sorted(set(hidden)) == sorted({"picture", "patch", "heat"} - {look})
    circuit_tiles = page.callbacks.work.tiles(circuit, ann_seen(page, circuit), waiting=False)
    data = page.callbacks.work.results.picture(circuit_tiles[circuit.root].patch.removeprefix("evidence/")[:-5])
    assert f"data:image/webp;base64,{base64.b64encode(data).decode()}" in text


def ann_seen(page: Page, circuit: Circuit) -> Any:
    """What the units of a circuit did in the photo."""
    work = page.callbacks.work
    return work.results.get(in_photo_query(circuit, work.evidence).key)


@pytest.mark.parametrize("query", ["look=x-ray", "wrap=0", "wrap=many", "wrap=-3", "wrap=99999"])
def test_what_a_file_cannot_show_is_refused(client: Any, circuit: Circuit, query: str) -> None:
    assert client.get(f"/export/{ANN}/circuit.svg?{query}").status_code == 400


def test_the_graphml_is_the_visible_graph(client: Any, circuit: Circuit) -> None:
    graph = nx.read_graphml(io.BytesIO(get(client, "graphml").data))
    assert set(graph) == circuit.visible
    best = circuit.edges_into(circuit.root)[0]
    assert graph.edges[best.source, best.target]["attribution"] == pytest.approx(best.attribution)


@pytest.mark.parametrize("address", [f"{BOB}/circuit.json", f"{ANN}/circuit.exe", "x/circuit.json"])
def test_what_does_not_exist_is_not_found_and_nothing_is_made(
    client: Any, circuit: Circuit, page: Page, address: str
) -> None:
    assert client.get(f"/export/{address}").status_code == 404
    assert len(page.callbacks.sessions) == 1


def test_a_session_without_a_circuit_has_no_file(client: Any, ann: Person) -> None:
    assert get(client, "json").status_code == 404


def test_the_drawing_holds_every_unit_edge_picture_and_word(client: Any, circuit: Circuit) -> None:
    root = ElementTree.fromstring(get(client, "svg", pictures=True).data)
    assert root.tag == f"{SVG}svg"
    texts = {text.text for text in root.iter(f"{SVG}text")}
    assert {"Why <b>ship</b>?", "excites", "inhibits", "fc", "c", "b"} <= texts
    assert f"{len(circuit.visible) - 1} units and the class, target value {number(circuit.target['value'])}" in texts
    assert {row.label for row in circuit.predictions} <= texts
    drawn = [group for group in root.iter(f"{SVG}g") if group.get("class", "").split(" ")[0] == "node"]
    assert {group.get("data-id") for group in drawn} == circuit.visible
    assert all(group.find(f"{SVG}g/{SVG}image") is not None for group in drawn)
    edges = [path for path in root.iter(f"{SVG}path") if path.get("data-source")]
    assert len(edges) == sum(len(circuit.edges_into(name)) for name in circuit.visible)


def test_the_drawing_needs_nothing_but_itself(client: Any, circuit: Circuit) -> None:
    text = get(client, "svg", pictures=True).data.decode()
    root = ElementTree.fromstring(text)
    assert not [each for each in root.iter() if each.tag in (f"{SVG}script", f"{SVG}a", f"{SVG}foreignObject")]
    addresses = [each.get("href") for each in root.iter() if each.get("href")]
    assert addresses
    assert all(address.startswith("data:image/") for address in addresses)
    # Other programs than browsers know no variables, and no host but the namespace's is named.
    assert "var(" not in text
    assert set(re.findall(r"https?://[^\"'\s]+", text)) == {"http://www.w3.org/2000/svg"}


def test_letters_that_xml_forbids_do_not_spoil_the_drawing(circuit: Circuit) -> None:
    odd = circuit.with_note(circuit.root, "x")
    graph = odd.unfrozen()
    graph.graph["photo"] = graph.graph["photo"] | {"name": "a\x00b\x1b]<&>.png"}
    drawing = svg_file(Circuit(graph))
    texts = [text.text for text in ElementTree.fromstring(drawing).iter(f"{SVG}text")]
    assert r"on a\x00b\x1b]<&>.png" in texts


def test_the_menu_says_what_each_file_is_for() -> None:
    items = find(menu(), className="menu-item")
    labels = [item.children[0].children for item in items]
    assert labels == [
        "Copy link", "Picture of what is on screen (PNG)", "JSON", "JSON with pictures", "HTML page", "SVG",
        "Whole graph (PNG)", "GraphML",
    ]  # fmt: skip
    assert all(len(item.children[1].children) > 20 for item in items)
    assert [getattr(item, "data-made", "") for item in items] == ["", "", "", "", "", "", "png", ""]
