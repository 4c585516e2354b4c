"""The site of an atlas: what its pages say, that nothing put into it can do harm, and that it is put in place whole."""

import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image

from circuits.atlas.atlas import Atlas
from circuits.atlas.facts import AtlasLink
from circuits.atlas.suggestion import Suggestion, write_suggestions
from circuits.errors import InputError
from circuits.naming.names import UnitName, UnitNames
from circuits.report.atlas_sentences import batches, estimate
from circuits.report.site.served import EVERY, FREE, LINKED, Served
from circuits.report.site.write import write_site
from circuits.units import Unit
from circuits.visualization.render import Picture
from circuits.visualization.store import PictureStore
from tests.report.test_circuit_html import CALLED, HOSTILE, Outline
from tests.support import limits
from tests.support.invented_atlas import invented_atlas
from tests.support.places import outcome

LAYERS = {"conv1": 3, "CONV1": 5, "aux": 4, "../up": 9}
LABELS = ("cat", "cat", HOSTILE, "犬, dog", "x" * 3000, "unseen", "Ærø café")
PHOTOS = {0: 40, 1: 8, 2: 16, 3: 24, 4: 9, 6: 12}


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    made = invented_atlas(tmp_path_factory.mktemp("invented"), LAYERS, LABELS, PHOTOS)
    write_suggestions(made, "classes", {Unit("aux", 2): Suggestion("犬, dog", 0.968, 12, 80)})
    return made


@pytest.fixture(scope="module")
def site(atlas: Atlas, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of the atlas: all units of a layer but one have a picture, of which one shows that nothing excites."""
    folder = tmp_path_factory.mktemp("out") / "my site"
    store = PictureStore(folder.parent / "pictures")
    for channel in range(4):
        picture = Picture(Unit("aux", channel), Image.new("RGB", (16, 16), "teal"), activation=float(channel))
        if channel != 3:
            store._write(store.key("ab" * 32, picture.unit), picture)
    names = UnitNames([UnitName(Unit("aux", 1), CALLED, "striped <fur>")])
    made = write_site(atlas, folder, store=store, names=names)
    assert (made.pages, made.pictures, made.missing) == (1 + 5 + 6 + atlas.units, 2, atlas.units - 3)
    assert made.size == sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return folder


def pages(site: Path) -> Iterator[tuple[Path, Outline, str]]:
    for file in sorted(site.rglob("*.html")):
        text = file.read_text("utf-8")
        yield file, Outline(text), text


def shown(links: Sequence[AtlasLink]) -> list[AtlasLink]:
    """The six that excite most, and the three that inhibit most."""
    ordered = sorted(links, key=lambda link: -link.share)
    excite, inhibit = ([link for link in ordered if link.share * sign > 0] for sign in (1, -1))
    return [*excite[:6], *inhibit[::-1][:3]]


def test_links_are_gathered_as_the_atlas_has_them(atlas: Atlas) -> None:
    served = Served(atlas)
    for row, found in enumerate(atlas.classes):
        served.gather(row, atlas.arrays(found.number))
    units = list(atlas.all_units())
    for place, unit in enumerate(units):
        assert [units[at] for at in served.below[EVERY, place].place] == [
            link.source for link in shown(atlas.links(unit))
        ]
        assert [units[at] for at in served.above[EVERY, place].place] == [u.target for u in atlas.users(unit)[:6]]
        free, used = served.below[FREE, place], served.above[FREE, place]
        wanted = shown(atlas.links(unit, class_free=True))
        assert list(zip([units[at] for at in free.place], free.share, strict=True)) == [
            (link.source, pytest.approx(link.share)) for link in wanted
        ]
        assert [units[at] for at in used.place] == [u.target for u in atlas.users(unit, class_free=True)[:6]]
        classes = [each for each in atlas.classes_of(unit) if each.contribution.mean != 0]
        assert [atlas.classes[row].number for row in served.most[place]] == [each.number for each in classes][:8]
        for row, each in zip(served.most[place][:LINKED], classes, strict=False):
            assert served.ranks[row, place] == each.rank
            assert served.selectivity[row, place] == pytest.approx(each.selectivity, abs=1e-5)
            wanted = shown(atlas.links(unit, each.number))
            below, above = served.below[row, place], served.above[row, place]
            assert [units[at] for at in below.place] == [link.source for link in wanted]
            assert below.error.tolist() == pytest.approx([link.error for link in wanted])
            users = atlas.users(unit, each.number)[:6]
            assert [units[at] for at in above.place] == [link.target for link in users]
            assert above.share.tolist() == pytest.approx([link.share for link in users])
            assert above.consistency.tolist() == pytest.approx([link.consistency for link in users])


def test_every_address_is_of_a_file_beside_it_and_nothing_comes_from_elsewhere(site: Path) -> None:
    linked = set()
    for file, page, text in pages(site):
        assert page.all("html")[0]["lang"] == "en"
        assert len(page.all("h1")) == len(page.all("main")) == text.count("<title>", 0, text.index("<body")) == 1
        policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv"))
        assert policy.startswith("default-src 'none'; img-src 'self' file:;")
        assert "unsafe" not in policy
        assert not [given for _, given in page.elements for name in given if name == "style" or name.startswith("on")]
        for tag, given in page.elements:
            address = given.get("href") or given.get("src") or ""
            if address.startswith(("#", "https://pypi.org/")) or not address:
                continue
            assert not address.startswith("/")
            target = (file.parent / unquote(address.partition("#")[0])).resolve()
            assert target.is_file(), (tag, address)
            linked.add(target)
        assert file.stat().st_size < 1_000_000
    assert linked >= set(site.rglob("*.html")) | set(site.rglob("*.webp"))
    names = [file.relative_to(site).as_posix() for file in site.rglob("*")]
    assert len({name.lower() for name in names}) == len(names)
    assert {"units/conv1/2.html", "units/conv1-2/4.html", "units/layer-aux/3.html", "units/up/8.html"} <= set(names)
    assert all(re.fullmatch(r"[a-z0-9/.-]+", name) for name in names)


def test_pages_say_what_the_atlas_says(atlas: Atlas, site: Path) -> None:
    unit = (site / "units" / "up" / "2.html").read_text("utf-8")
    said = " ".join(" ".join(Outline(unit).texts).split())
    for each in atlas.classes_of("../up:2", 3):
        assert estimate(each.contribution.mean, each.contribution.error) in said
    best = atlas.classes_of("../up:2", 1)[0]
    for link in atlas.links("../up:2", best.number)[:4]:
        if link.share > 0:
            assert estimate(link.share, link.error) in said
            assert batches(link.consistency, link.photos) in said
    free, _, of_classes = said.partition("Whatever the class")[2].partition(" For ")
    for link in shown(atlas.links("../up:2", class_free=True)):
        assert estimate(link.share, link.error) in free
    assert "Shares of the mean activation" in free
    assert "Shares of the mean activation" not in of_classes
    start = Outline((site / "index.html").read_text("utf-8"))
    assert "5 classes have fewer than 30, which say little: about" in " ".join(" ".join(start.texts).split())
    page = Outline((site / "classes" / "0.html").read_text("utf-8"))
    text = " ".join(page.texts)
    circuit = atlas.circuit(0, depth=3, top=(5, 4, 3))
    edges = [edge for name in circuit.nodes if name in circuit.visible for edge in circuit.edges_into(name)]
    told = " ".join(text.partition(f"{len(edges)} links in a table")[2].split())
    for edge in edges:  # from the class down, each time the site is made
        _, found, told = told.partition(estimate(edge.attribution, edge.error))
        assert found, (edge.source, edge.target)
    assert len(page.all("a", "node")) == len(circuit.visible)
    assert {node["href"] for node in page.all("a", "node")} >= {"../units/logits/0.html"}
    named, guessed, silent = ((site / "units" / "layer-aux" / f"{at}.html").read_text("utf-8") for at in (1, 2, 0))
    assert CALLED in "".join(Outline(named).texts)
    assert "striped <fur>" in "".join(Outline(named).texts)
    assert "Suggested: tells 犬 from the rest, 0.97, held out (12 photos of it, 80 others)." in guessed
    assert "Nothing was found that excites it" in silent


def test_a_site_is_renewed_whole_and_nothing_else_is_touched(atlas: Atlas, site: Path, tmp_path: Path) -> None:
    out = tmp_path / "site"
    first = invented_atlas(tmp_path / "atlas", {"conv": 2}, ["a", "b"], {0: 1, 1: 2})
    write_site(first, out, store=PictureStore(tmp_path / "none"))
    (out / "CNAME").write_text("atlas.example")
    before = {file.relative_to(out): file.read_bytes() for file in out.rglob("*") if file.is_file()}

    write_site(first, out, store=PictureStore(tmp_path / "none"))
    assert {file.relative_to(out): file.read_bytes() for file in out.rglob("*") if file.is_file()} == before

    def stop(done: int, total: int, message: str) -> None:
        if message == "Writing pages of units":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_site(atlas, out, store=PictureStore(tmp_path / "none"), progress=stop)
    assert {file.relative_to(out): file.read_bytes() for file in out.rglob("*") if file.is_file()} == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["atlas", "site"]
    write_site(atlas, out, store=PictureStore(tmp_path / "none"))
    assert (out / "CNAME").read_text() == "atlas.example"
    assert not (out / "units" / "conv").exists()
    assert len(list(out.rglob("*.html"))) == len(list(site.rglob("*.html")))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "index.html").write_text("my home page")
    for folder, why in (
        (tmp_path / "mine", "holds index.html, and is not a site"),
        (atlas.folder / "site", "lies in the folder of the atlas"),
        (tmp_path / "no" / "site", "there is no folder"),
        (tmp_path / "mine" / "index.html", "cannot be written to"),
    ):
        with pytest.raises(InputError, match=why):
            write_site(atlas, folder, store=PictureStore(tmp_path / "none"))
    assert (tmp_path / "mine" / "index.html").read_text() == "my home page"


def test_two_that_are_written_at_once_do_not_mix(atlas: Atlas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = invented_atlas(tmp_path / "atlas", {"conv": 2}, ["a", "b"], {0: 1, 1: 2})
    out, alone, none = tmp_path / "site", tmp_path / "alone", PictureStore(tmp_path / "none")
    write_site(atlas, alone, store=none)
    other = Thread(target=write_site, args=(atlas, out), kwargs={"store": none})
    move = shutil.move

    def slowly(source: Path, target: Path) -> None:
        if not other.ident:  # once pieces of the first are in place, the second begins
            other.start()
            other.join(1.0)
            assert not (out / "units" / "logits" / "3.html").exists()
        move(source, target)

    monkeypatch.setattr("circuits.report.site.folder.shutil.move", slowly)
    write_site(first, out, store=none)
    limits.join(other)
    found, expected = ({file.relative_to(each) for file in each.rglob("*")} for each in (out, alone))
    assert found == expected


def test_long_lists_go_on_on_further_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("circuits.report.site.pages.A_PAGE", 4)
    wide = invented_atlas(
        tmp_path / "atlas", {"conv": 9}, [f"class {at}" for at in range(6)], dict.fromkeys(range(6), 1)
    )
    write_site(wide, tmp_path / "site", store=PictureStore(tmp_path / "none"))
    shown = [len(Outline((tmp_path / "site" / name).read_text("utf-8")).all("a", "tile"))
             for name in ("layers/conv.html", "layers/conv/2.html", "layers/conv/3.html")]  # fmt: skip
    assert shown == [4, 4, 1]
    assert "../layers/conv/3.html" in (tmp_path / "site" / "layers" / "conv.html").read_text("utf-8")
    assert 'href="../../layers/conv/3.html"' in (tmp_path / "site" / "units" / "conv" / "8.html").read_text("utf-8")
    assert "class 5" in (tmp_path / "site" / "classes" / "list-2.html").read_text("utf-8")


def test_it_is_walked_by_keyboard_from_disk_and_keeps_nobody_out(site: Path, browser: Any) -> None:
    told: list[str] = []
    tab = browser.new_page(viewport={"width": 375, "height": 800})
    tab.on("console", lambda message: told.append(message.text))
    tab.on("pageerror", lambda error: told.append(str(error)))
    grave, wide = [], []
    for name in ("index", "classes/2", "layers/layer-aux", "units/layer-aux/1", "classes/4"):
        tab.goto(f"{site.as_uri()}/{name}.html")
        tab.evaluate(Axe().axe_script)
        if tab.evaluate("document.documentElement.scrollWidth") > 375:
            wide.append(name)
        for theme, rules in (("light", "{preload: false}"), ("dark", "{preload: false, runOnly: ['color-contrast']}")):
            tab.emulate_media(color_scheme=theme)
            for fault in outcome(tab, f"() => axe.run({rules}).then(found => found.violations)"):
                grave += [f"{name}, {theme}, {fault['id']}: {node['html'][:200]}" for node in fault["nodes"]]
    assert (grave, wide) == ([], [])
    for asked, label, page in (
        ("æRØ CAFE", "Ærø café", "classes/6.html"),
        ("dog", "犬, dog", "classes/3.html"),
        ("<svg onload", CALLED, "units/layer-aux/1.html"),
        ("../up:7", "../up:7", "units/up/7.html"),
    ):
        tab.keyboard.press("/")
        tab.keyboard.type(asked)
        tab.locator("#found a").first.wait_for()
        assert tab.locator("#found a .name").first.inner_text().splitlines()[0] == label
        tab.keyboard.press("ArrowDown")
        tab.keyboard.press("Enter")
        tab.wait_for_url(f"**/{page}")
    tab.goto(f"{site.as_uri()}/classes/0.html")
    node = tab.locator("a.node").nth(1)
    address = node.get_attribute("data-id")
    node.focus()
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/units/**")
    assert address in tab.locator("main").inner_text()
    assert tab.title() != "owned"
    tab.close()
    assert told == []
