"""What the server refuses, and what it says to the browser."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from pretend import PaintedGallery

from circuits.errors import InputError
from circuits.networks import Network
from circuits.units import Unit
from dashboard.app import Page, Settings
from dashboard.security import MAX_BODY, trusted_hosts
from dashboard.server import Running, serve, start

POST = "/_dash-update-component"


@pytest.fixture
def client(page: Page) -> Any:
    return page.dash.server.test_client()


@pytest.fixture
def running(network: Network, gallery: PaintedGallery) -> Iterator[Running]:
    made = start(Settings(network, gallery=gallery), port=0)
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
        start(Settings(network, gallery=running.page.callbacks.explorer.gallery), port=port)


def test_serve_tells_its_address_and_ends_with_work_under_way(
    network: Network, gallery: PaintedGallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    pages: list[Page] = []

    def interrupted(self: Running) -> None:
        pages.append(self.page)
        gallery.gate.clear()
        desk = {"session": "a" * 32, "tab": "t", "queue": [{"number": 1, "kind": "why", "subject": "0"}]}
        self.page.callbacks.act(desk)

    monkeypatch.setattr(Running, "run", interrupted)
    monkeypatch.setattr("dashboard.app._stored_gallery", lambda network: gallery)
    serve(network, port=0, open_browser=False, announce=told.append)
    assert told[0].startswith("http://127.0.0.1:")
    assert not pages[0].callbacks.background.rendering._thread.is_alive()
    assert not pages[0].callbacks.background.tracing._thread.is_alive()
