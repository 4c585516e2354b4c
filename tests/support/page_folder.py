"""The files that pages of the docs speak of."""

from pathlib import Path

import platformdirs
import pytest

from circuits.image.photo import load_photo
from circuits.visualization.optimize import GradientAscent


def page_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that a page speaks of, where each picture takes one step and caches are empty."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "cache" / name)
    monkeypatch.setattr(GradientAscent, "done", property(lambda ascent: ascent.taken >= 1))
    cat = load_photo("example:cat").image
    cat.save("cat.jpg")
    Path("photos").mkdir()
    for number in range(2):
        cat.crop((100 * number, 0, 100 * number + 200, 200)).save(f"photos/{number}.png")
    return tmp_path
