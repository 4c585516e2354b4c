"""Ray's local cluster of two workers, one of which is killed in the middle: the same bytes as without it."""

import importlib.util
import os
import signal
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from circuits.atlas import engines, plan
from circuits.atlas.build import build_atlas
from circuits.errors import InputError
from circuits.network.network import Network
from tests.atlas.test_build import contents
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


@pytest.mark.parametrize("error", [ConnectionError(), ValueError("Malformed address.\nSee the docs")])
def test_a_cluster_that_is_not_there_is_said_to_be_missing(
    error: Exception, network: Network, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def init(**_: object) -> None:
        raise error

    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(init=init))
    engine = engines.ray("10.0.0.1:6379")
    with pytest.raises(InputError, match=r"Ray does not start or join a cluster at 10\.0\.0\.1:6379 \(.+\); give"):
        build_atlas(network, photos, tmp_path / "atlas", engine=engine, load=lambda: network)


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match="--ray needs Ray: pip install"):
        engines.ray("auto")
