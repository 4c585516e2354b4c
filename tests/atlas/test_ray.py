"""Ray's local cluster of two workers, one of which is killed in the middle: the same bytes as without it."""

import importlib.util
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from circuits.atlas import engines, plan
from circuits.atlas.build import build_atlas
from circuits.errors import InputError
from circuits.network.network import Network
from tests.atlas.test_build import contents
from tests.support.limits import PATIENCE, join
from tests.support.linked import linked_network

LOCAL = {"num_cpus": 2, "include_dashboard": False, "object_store_memory": 80 * 2**20}


def killed_once(marker: Path) -> Network:
    """Load the network, but end the first process that asks for it, as the system does when memory runs out."""
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        return linked_network("branches")
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.long
def test_same_bytes_with_two_workers_one_of_which_is_killed(
    network: Network, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec("ray") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("Ray is not installed, which is part of the extra `test`.")
        pytest.skip("Ray is not installed: pip install 'circuit-explorer[ray]'.")
    monkeypatch.setattr(plan, "BUCKET", 4)
    build_atlas(network, photos, tmp_path / "one", classes=["class 1", "class 2"])
    marker = tmp_path / "killed"
    build_atlas(
        network,
        photos,
        tmp_path / "two",
        classes=["class 1", "class 2"],
        engine=engines.ray(None, **LOCAL),
        load=partial(killed_once, marker),
    )
    assert marker.exists()
    assert contents(tmp_path / "two") == contents(tmp_path / "one")


@contextmanager
def answering(answer: bytes | None) -> Iterator[str]:
    """The address of a server that says this to whoever comes, and nothing if it is `None`."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                opened, _ = server.accept()
                with opened:
                    opened.sendall(answer or b"")
                    while opened.recv(100):
                        pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            with socket.create_connection(server.getsockname(), PATIENCE):  # so that it ends where nobody came
                pass
            join(thread)


def test_a_cluster_that_is_not_there_is_said_to_be_missing_and_not_waited_for(
    network: Network, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def init(*, address: str, **_: object) -> None:
        said.append(address)
        raise ValueError("Malformed address.\nSee the docs")

    monkeypatch.setattr(engines, "PATIENCE", 0.2)
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(init=init))

    def refused(address: str | None) -> str:
        with pytest.raises(InputError, match=r"Ray does not start or join a cluster at .+ \(.+\); give") as refusal:
            build_atlas(network, photos, tmp_path / "atlas", engine=engines.ray(address), load=lambda: network)
        return str(refusal.value)

    with answering(b"HTTP/1.0 400 Bad Request") as address:
        assert "(what answers there is no cluster)" in refused(address)
    with answering(None) as address:
        assert "(timed out)" in refused(address)
    assert "(Connection refused)" in refused(address)
    assert "(ports go up to 65535)" in refused("127.0.0.1:70000")
    assert said == []
    with answering(b"\0\0\6\4\0\0\0\0\0") as address:  # as a cluster does
        assert "(Malformed address)" in refused(address)
    assert "(Malformed address)" in refused("nowhere")
    monkeypatch.setenv("RAY_ADDRESS", address)
    assert "(Connection refused)" in refused("auto")
    assert "(Malformed address)" in refused(None)
    assert said == [address, "nowhere", "local"]
    assert engines._TRIES not in os.environ
    assert not (tmp_path / "atlas").exists()


def test_a_cluster_without_a_gpu_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[bool] = []
    monkeypatch.setitem(
        sys.modules,
        "ray",
        SimpleNamespace(
            init=lambda **_: None, cluster_resources=lambda: {"CPU": 4.0}, shutdown=lambda: left.append(True)
        ),
    )
    work: Any = SimpleNamespace(subject=SimpleNamespace(device="cuda"))
    with pytest.raises(InputError, match=r"^The Ray cluster has no GPU, and the atlas is one of --device cuda; "):
        list(engines.ray(None)(work, [], lambda photos: None))
    assert left == [True]


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match="--ray needs Ray: pip install"):
        engines.ray("auto")
