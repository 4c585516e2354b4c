"""`circuits trace` of a vision transformer: by groups of tokens where their means are at hand, else by single units."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.commandline import run

NETWORK = """
import torch

from tests.support.tokens import Tokens


def net():
    torch.manual_seed(3)
    return Tokens(width=6)
"""


def test_how_a_transformer_is_explained_depends_on_the_means_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "own.py").write_text(NETWORK)
    (tmp_path / "photos").mkdir()
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 256, (8, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{number}.png")
    photo, own = tmp_path / "photos" / "0.png", f"{tmp_path / 'own.py'}:net"
    options = ["--network", own, "--size", "4x6"]
    before = run("trace", photo, *options)
    assert before.exit_code == 0, before.output
    assert "by single units" in before.stderr
    assert "blocks.0.act" in before.output
    assert run("exemplars", tmp_path / "photos", "--layers", "stream", *options).exit_code == 0
    after = run("trace", photo, *options)
    assert after.exit_code == 0, after.output
    assert "Explained by groups of the tokens after each block" in after.stderr
    assert "blocks.1.cls/0" in after.output
    assert "0 of blocks" not in after.output
    (index,) = (tmp_path / "cache" / "circuits" / "exemplars").iterdir()
    named = run("trace", photo, *options, "--exemplars", index)  # itself, and not the folder that it is kept in
    assert (named.exit_code, named.output) == (0, after.output)
    assert "from each unit's mean over photos (4 photos)" in " ".join(after.output.split())
    for asked in (["--top", "5"], ["--layers", "fine"], ["--mode", "frozen"], ["--target", "blocks.1.act:2"]):
        other = run("trace", photo, *options, *asked)
        assert other.exit_code == 0, other.output
        assert "groups of the tokens" not in other.stderr
    assert "From zero the shares" in run("trace", photo, *options, "--layers", "stream", "--groups", "4").stderr
    of_class = run("class", "0", *options, "--layers", "stream", "--depth", "1", "--photos", tmp_path / "photos")
    assert of_class.exit_code == 0, of_class.output
    assert "--baseline mean measures them from the mean" in of_class.stderr
