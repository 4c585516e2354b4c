"""What the server refuses, and what it says to the browser."""

import io
import re
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import pytest
from PIL import Image

from circuits.errors import InputError
from circuits.network.network import Network
from circuits.units import Unit
from dashboard.app import Page, PageSettings, create_page
from dashboard.security import MAX_BODY, trusted_hosts
from dashboard.server import Running, serve, start
from tests.dashboard.features.test_view import find
from tests.support import serving
from tests.support.actions import payload
from tests.support.person import ANN, Person
from tests.support.pretend import PaintedGallery

POST = "/_dash-update-component"


@pytest.fixture
def client(page: Page) -> Any:
    return page.dash.server.test_client()


@pytest.fixture
def running(network: Network, gallery: PaintedGallery) -> Iterator[Running]:
    made = start(PageSettings(network, gallery=gallery), port=0)
    yield made
    made.close()


def test_the_page_and_its_layout_are_served(client: Any) -> None:
    assert client.get("/").status_code == 200
    assert client.get("/_dash-layout").status_code == 200
    assert b"Circuit explorer" in client.get("/").data


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8050", "127.0.0.1.evil.example"])
def test_other_host_names_are_refused(client: Any, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["127.0.0.1:8050", "localhost", "localhost:99", "[::1]:8050"])
def test_this_machine_is_not_refused(client: Any, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost:1"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("path", [POST, "/leave"])
def test_requests_of_other_sites_are_refused(client: Any, path: str, headers: dict[str, str]) -> None:
    assert client.post(path, data="{}", headers=headers).status_code == 403


def test_requests_of_the_page_itself_are_taken(client: Any) -> None:
    own = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert client.post("/leave", data="a" * 32, headers=own).status_code == 204


def test_bodies_over_the_limit_are_refused(client: Any) -> None:
    assert client.post(POST, data=b"x" * (MAX_BODY + 1), content_type="application/json").status_code == 413


def test_the_policy_allows_no_foreign_and_no_unknown_script(client: Any) -> None:
    policy = client.get("/").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    (scripts,) = re.findall(r"script-src ([^;]*)", policy)
    assert scripts.split()[0] == "'self'"
    assert all(word.startswith("'sha256-") for word in scripts.split()[1:])
    assert "frame-ancestors 'none'" in policy
    assert client.get("/").headers["X-Content-Type-Options"] == "nosniff"


def test_nothing_comes_from_another_server(client: Any) -> None:
    assert re.findall(rb"(?:src|href)=\"(?:https?:)?//", client.get("/").data) == []


def test_a_picture_is_served_for_ever(client: Any, gallery: PaintedGallery) -> None:
    unit = Unit("c", 3)
    gallery.paint(unit)
    answer = client.get(f"/picture/{gallery.key(unit)}.webp")
    assert answer.status_code == 200
    assert answer.mimetype == "image/webp"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("key", ["00000000", "..", "x" * 32, "a" * 200, "A" * 32])
def test_other_picture_addresses_are_not_found(client: Any, key: str) -> None:
    assert client.get(f"/picture/{key}.webp").status_code == 404


def test_a_session_name_of_another_form_is_no_session(client: Any, page: Page) -> None:
    client.post("/leave", data="../../etc/passwd")
    assert len(page.callbacks.sessions) == 0


def test_another_address_to_listen_at_is_trusted_too() -> None:
    assert "192.168.0.9" in trusted_hosts("192.168.0.9")
    assert "fe80::1" in trusted_hosts("fe80::1")
    assert set(trusted_hosts("0.0.0.0")) > {"127.0.0.1", "localhost"}


def test_port_zero_is_any_free_one(running: Running) -> None:
    assert re.fullmatch(r"http://127\.0\.0\.1:\d{2,5}/", running.url)


def test_a_taken_port_is_a_sentence_that_names_the_option(running: Running, network: Network) -> None:
    port = int(running.url.rsplit(":", 1)[1].rstrip("/"))
    with pytest.raises(InputError, match=rf"^Port {port} of 127.0.0.1 is taken .*--port 0"):
        start(PageSettings(network, gallery=running.page.callbacks.library.gallery), port=port)


def test_serve_tells_its_address_and_ends_with_work_under_way(
    network: Network, gallery: PaintedGallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    pages: list[Page] = []

    def interrupted(self: Running) -> None:
        pages.append(self.page)
        gallery.gate.clear()
        tab_session = {
            "session": "a" * 32,
            "tab": "t",
            "queue": [{"number": 1, "kind": "why", "payload": payload("why", "0")}],
        }
        self.page.callbacks.act(tab_session)

    monkeypatch.setattr(Running, "run", interrupted)
    monkeypatch.setattr("dashboard.app._stored_gallery", lambda network: gallery)
    serve(network, port=0, open_browser=False, announce=told.append)
    assert told[0].startswith("http://127.0.0.1:")
    assert not pages[0].callbacks.work.rendering._thread.is_alive()
    assert not pages[0].callbacks.work.tracing._thread.is_alive()


TOKEN = "abc-DEF_123"


@pytest.fixture
def guarded(network: Network, gallery: PaintedGallery) -> Iterator[Any]:
    page = create_page(PageSettings(network, gallery=gallery, token=TOKEN))
    yield page.dash.server.test_client()
    page.close()


@pytest.mark.parametrize(
    "address",
    ["/", "/?token=", "/?token=abc", f"/?token={TOKEN}x", "/_dash-layout", "/assets/core/actions.js", "/alive",
     f"/export/{'a' * 32}/circuit.json", "/?token=%ff"],
)  # fmt: skip
def test_strangers_get_a_page_that_says_what_to_do(guarded: Any, address: str) -> None:
    answer = guarded.get(address)
    assert answer.status_code == 403
    assert "Open the address that <code>circuits explore</code> shows" in answer.text
    assert "Set-Cookie" not in answer.headers
    assert TOKEN not in answer.text


def test_a_stranger_can_send_nothing(guarded: Any) -> None:
    assert guarded.post(POST, json={}).status_code == 403
    assert guarded.post(f"/leave?token={TOKEN}", data="a" * 32).status_code == 403


def test_the_token_is_taken_once_and_kept_as_a_cookie(guarded: Any) -> None:
    answer = guarded.get(f"/?token={TOKEN}")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    cookie = answer.headers["Set-Cookie"]
    assert re.fullmatch(rf"circuits-[0-9a-f]{{12}}={TOKEN}; HttpOnly; Path=/; SameSite=Strict", cookie)
    assert guarded.get("/").status_code == 200
    with guarded.get("/assets/core/actions.js") as script:
        assert script.status_code == 200
    assert guarded.post("/leave", data="a" * 32).status_code == 204


def test_another_cookie_is_no_token(guarded: Any) -> None:
    name = guarded.get(f"/?token={TOKEN}").headers["Set-Cookie"].split("=")[0]
    guarded.delete_cookie(name)
    guarded.set_cookie(name, "guess")
    assert guarded.get("/").status_code == 403


def test_who_comes_from_another_site_is_sent_on_by_the_page_itself(guarded: Any) -> None:
    linked = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    answer = guarded.get(f"/?token={TOKEN}", headers=linked)
    assert answer.status_code == 200
    assert '<meta http-equiv="refresh" content="0;url=/">' in answer.text
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    guarded.delete_cookie(answer.headers["Set-Cookie"].split("=")[0])
    assert '<meta http-equiv="refresh" content="0">' in guarded.get("/", headers=linked).text
    assert "refresh" not in guarded.get("/", headers={"Sec-Fetch-Site": "same-origin"}).text


def test_other_hosts_are_refused_before_the_token_is_looked_at(guarded: Any) -> None:
    assert guarded.get(f"/?token={TOKEN}", headers={"Host": "evil.example"}).status_code == 400


def test_without_a_token_nothing_is_asked(client: Any) -> None:
    assert client.get("/").status_code == 200
    assert "Set-Cookie" not in client.get("/?token=x").headers


@pytest.mark.parametrize(("host", "shown"), [("0.0.0.0", "127.0.0.1"), ("127.0.0.1", "127.0.0.1")])
def test_only_a_page_that_others_can_reach_has_a_token_and_a_warning(
    network: Network, gallery: PaintedGallery, monkeypatch: pytest.MonkeyPatch, host: str, shown: str
) -> None:
    told: list[str] = []
    warned: list[str] = []
    monkeypatch.setattr(Running, "run", lambda self: None)
    monkeypatch.setattr("dashboard.app._stored_gallery", lambda network: gallery)
    serve(network, host=host, port=0, open_browser=False, announce=told.append, warn=warned.append)
    if host == "0.0.0.0":
        (token,) = re.findall(rf"^http://{shown}:\d+/\?token=([\w-]{{32}})$", told[0])
        assert "can see the photos and circuits" in warned[0]
        assert warned[0].endswith(f"/?token={token}")
    else:
        assert re.fullmatch(rf"http://{shown}:\d+/", told[0])
        assert warned == []


def test_an_ipv6_page_is_served_and_its_address_can_be_opened(network: Network, gallery: PaintedGallery) -> None:
    with serving.served(start(PageSettings(network, gallery=gallery, host="::1"), port=0)) as made:
        assert re.fullmatch(r"http://\[::1\]:\d+/", made.url)
        with urlopen(f"{made.url}alive", timeout=10) as answer:
            assert answer.status == 204


def test_what_the_network_sees_of_a_photo_is_fetched_by_those_who_have_it(client: Any, ann: Person) -> None:
    address = find(ann.seen["photo"], alt="patches, cropped as the network sees it")[0].src
    answer = client.get(f"/{address}")
    assert (answer.status_code, answer.mimetype) == (200, "image/webp")
    assert answer.headers["Cache-Control"] == "private, max-age=86400, immutable"
    assert Image.open(io.BytesIO(answer.data)).size == (32, 32)


@pytest.mark.parametrize("key", ["0" * 64, "x", "%2e%2e", "a" * 32])
def test_other_photos_are_not_found(client: Any, ann: Person, key: str) -> None:
    assert client.get(f"/photo/{key}.webp").status_code == 404


def test_a_photo_goes_with_the_session_that_has_it(client: Any, ann: Person, page: Page) -> None:
    address = find(ann.seen["photo"], alt="patches, cropped as the network sees it")[0].src
    page.callbacks.sessions._desks.clear()
    assert client.get(f"/{address}").status_code == 404


def bomb() -> bytes:
    buffer = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "photo.png"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "photo.png"),
        (b"\x89PNG\r\n\x1a\n" + b"\x00" * 50, "photo.png"),
        (bomb(), "photo.png"),
        (b"", "photo.png"),
    ],
    ids=["svg", "eps", "truncated", "bomb", "empty"],
)
def test_what_is_no_photo_by_its_content_is_refused_in_a_sentence(
    ann: Person, page: Page, data: bytes, sentence: str
) -> None:
    before = page.callbacks.sessions.find(ANN).session.work.photo
    (said,) = ann.send(data, "photo.png")
    assert sentence in said
    assert page.callbacks.sessions.find(ANN).session.work.photo is before
