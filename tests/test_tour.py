"""The tour's pictures are there, small, and each of them is shown and described."""

import re
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).parents[1] / "docs"


def test_each_picture_of_the_tour_is_shown_once_and_described() -> None:
    shown = re.findall(r"!\[([^\]]+)\]\((images/tour/[^)]+)\)", (DOCS / "tour.md").read_text("utf-8"))
    made = sorted(str(path.relative_to(DOCS)) for path in (DOCS / "images" / "tour").iterdir())
    assert sorted(path for _, path in shown) == made
    assert len(made) == 12
    assert all(len(words) >= 30 for words, _ in shown)


def test_the_pictures_of_the_tour_are_small_and_of_one_size() -> None:
    for path in (DOCS / "images" / "tour").iterdir():
        assert path.stat().st_size <= 120_000
        with Image.open(path) as image:
            assert (image.format, image.size) == ("WEBP", (1280, 800))
