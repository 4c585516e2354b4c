"""In a notebook: what shows itself, the page in the background, and the example notebook."""

import base64
import html
import io
import json
import re
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from torch import nn

import circuits
from circuits import explorer
from circuits.atlas.atlas import Atlas
from circuits.builtin import atlas_folder
from circuits.errors import InputError
from circuits.explorer import Exploration, Server, explore, named_network
from circuits.image.photo import load_photo
from circuits.network.loading import load_network
from circuits.network.network import Network
from circuits.network.prepare import prepare
from circuits.tracing.circuit import Circuit
from circuits.visualization.render import Picture
from circuits.visualization.settings import Settings
from tests.support import limits
from tests.support.commandline import HANDMADE

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"


@pytest.fixture(autouse=True)
def no_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the person's own is read or written."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def network() -> Network:
    return load_network()


@pytest.fixture(scope="module")
def circuit(network: Network) -> Circuit:
    return circuits.trace(network, "example:cat", "cat", depth=2, top=2)


def test_a_picture_shows_itself_with_its_unit_and_activation(network: Network) -> None:
    picture = circuits.render(network, ["conv2:3"], settings=Settings(size=32, steps=1))[0]
    shown = picture._repr_html_()
    assert "<figcaption>conv2:3: reaches " in shown
    data = re.search(r'src="data:image/\w+;base64,([^"]+)"', shown)[1]
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == picture.image.size
    again = Image.open(io.BytesIO(picture._repr_png_()))
    assert (again.format, again.tobytes()) == ("PNG", picture.image.tobytes())


def test_a_picture_of_a_unit_that_nothing_excites_says_so() -> None:
    picture = Picture(circuits.Unit("a", 1), Image.new("RGB", (4, 4)), 0.0)
    assert "<figcaption>a:1: no image was found that activates it</figcaption>" in picture._repr_html_()


def test_a_unit_of_a_circuit_shows_its_value_books_and_picture(circuit: Circuit) -> None:
    root = circuit.node(circuit.root)
    shown = root._repr_html_()
    assert f"<b>{circuit.root} cat</b>: value " in shown
    assert f"{root.books.coverage:.0%}".replace("%", " %") in shown
    assert "<img" not in shown
    picture = "data:image/webp;base64,UklGRg=="
    named = circuit.with_pictures({circuit.root: picture}).with_name(circuit.root, "<b>my cat</b>")
    again = named.node(circuit.root)._repr_html_()
    assert f'<img src="{picture}" width="120"' in again
    assert html.escape("<b>my cat</b>") in again


def test_a_circuit_shows_itself_in_a_frame(circuit: Circuit) -> None:
    assert circuit._repr_html_().startswith('<iframe srcdoc="&lt;!DOCTYPE html&gt;')


SHOWS_ITSELF = """
import sys
from circuits import load_network, trace

assert not any(name.startswith("circuits.report") for name in sys.modules)
circuit = trace(load_network(), "example:cat", "cat", depth=1, top=2)
print(circuit._repr_html_()[:15], circuit.node(circuit.root)._repr_html_()[:3])
"""


def test_a_circuit_shows_itself_where_nobody_has_imported_the_reports() -> None:
    found = limits.python("-c", SHOWS_ITSELF, check=False)
    assert (found.stdout, found.stderr) == ("<iframe srcdoc= <p>\n", "")


def fetched(page: Exploration) -> str:
    with urllib.request.urlopen(page.url, timeout=10) as answer:
        return answer.read().decode()


def test_the_page_is_served_in_the_background_until_it_is_closed(circuit: Circuit) -> None:
    page = explore(circuit, open_browser=False)
    assert page.is_open
    assert "<title>Circuit explorer</title>" in fetched(page)
    assert repr(page) == f"The page is at {page.url} until it is closed."
    assert f'<a href="{page.url}" target="_blank">' in page._repr_html_()
    page.close()
    page.close()
    assert not page.is_open
    assert (repr(page), page._repr_html_()) == ("The page is closed.", "<p>The page is closed.</p>")
    with pytest.raises(OSError, match="refused"):
        fetched(page)


def test_the_page_has_the_atlas_that_is_given(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Atlas | None] = []

    class Nowhere:
        url = ""

        def close(self) -> None: ...

    def serve(network: Network, *, atlas: Atlas | None, started: Callable[[Server], None], **options: Any) -> None:
        shown.append(atlas)
        started(Nowhere())

    monkeypatch.setattr(explorer, "find_explorer", lambda: serve)
    opened = Atlas.open(atlas_folder())
    for atlas in (None, atlas_folder(), str(atlas_folder()), opened):
        explore(network, atlas=atlas)
    assert [None if each is None else each.folder for each in shown] == [None, *[opened.folder] * 3]
    assert shown[3] is opened
    tiny = prepare(nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 2)), size=8)
    with pytest.raises(InputError, match="was made with builtin"):
        explore(tiny, atlas=opened)
    with pytest.raises(InputError, match="There is no atlas in"):
        explore(network, atlas=tmp_path)


def test_two_pages_may_be_open_at_once_and_close_with_their_blocks(network: Network) -> None:
    with explore(network, open_browser=False) as one, explore(network, photo="example:cat", open_browser=False) as two:
        assert one.url != two.url
        assert fetched(one)
        assert fetched(two)
    assert not one.is_open
    assert not two.is_open


def test_the_browser_is_opened_at_the_page(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    with explore(network) as page:
        fetched(page)
        assert opened == [page.url]


def test_a_port_that_is_taken_is_refused_where_it_was_asked_for(network: Network) -> None:
    with explore(network, open_browser=False) as page:
        port = int(page.url.rstrip("/").rpartition(":")[2])
        with pytest.raises(InputError, match=rf"^Port {port} of 127\.0\.0\.1 is taken"):
            explore(network, port=port, open_browser=False)


def test_a_circuit_from_a_file_is_explored_with_the_network_that_it_names(circuit: Circuit) -> None:
    with explore(Circuit.from_dict(circuit.to_dict()), open_browser=False) as page:
        assert fetched(page)


def test_a_circuit_of_another_network_or_with_a_photo_is_refused(circuit: Circuit) -> None:
    tiny = prepare(nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 2)), size=8)
    with pytest.raises(InputError, match="network"):
        explore(circuit, network=tiny, open_browser=False)
    with pytest.raises(InputError, match=r"^A circuit brings its own photo"):
        explore(circuit, photo="example:cat", open_browser=False)


def test_a_circuit_of_a_network_of_ones_own_needs_that_network_named() -> None:
    own = load_network(HANDMADE, size=4)
    circuit = circuits.trace(own, load_photo("example:cat"), depth=1)
    with pytest.raises(InputError, match=r"^The circuit was traced with Handmade \(as made\), .*network= in Python"):
        named_network(circuit, None)


def code_cells() -> list[dict[str, Any]]:
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def test_the_example_notebook_was_run_from_the_top_without_an_error() -> None:
    cells = code_cells()
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for cell in cells for output in cell["outputs"] if output["output_type"] in ("error", "stream")]


def test_the_example_notebook_is_what_its_script_makes() -> None:
    from docs.make_notebook import CELLS

    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    assert [(cell["cell_type"], "".join(cell["source"])) for cell in cells] == [tuple(cell) for cell in CELLS]


def test_the_cells_of_the_example_notebook_run_and_show_what_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from docs.make_notebook import run_cell

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("webbrowser.open", lambda url: False)
    names: dict[str, Any] = {}
    kinds = []
    for cell in code_cells():
        shown = run_cell("".join(cell["source"]), names)
        stored = cell["outputs"][0]["data"] if cell["outputs"] else {}
        assert (shown is None) == (not stored)
        assert hasattr(shown, "_repr_html_") == ("text/html" in stored)
        if stored and "text/html" not in stored:
            assert repr(shown) == "".join(stored["text/plain"])
        kinds += sorted(stored)
    assert kinds.count("text/html") >= 4
    assert names["page"].is_open is False


@pytest.mark.parametrize("end", [None, SystemExit(3)], ids=["returns", "exits"])
def test_a_page_that_ends_before_it_is_there_keeps_nobody_waiting(
    network: Network, monkeypatch: pytest.MonkeyPatch, end: BaseException | None
) -> None:
    def serve(*_: object, **__: object) -> None:
        if end is not None:
            raise end

    monkeypatch.setattr("circuits.explorer.find_explorer", lambda: serve)
    with pytest.raises((InputError, SystemExit), match=r"^The page was closed before it could be opened\.$|^3$"):
        explore(network, open_browser=False)
