"""Many people with large photos at one server: memory has a ceiling, and is given back when they leave."""

import json
from pathlib import Path

import pytest

from dashboard.session.originals import BUDGET
from tests.support import limits

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system does not tell the peak")


def soak(people: int, photos: int, megapixels: float, seconds: float = 0) -> dict[str, int]:
    arguments = map(str, (people, photos, megapixels, seconds))
    done = limits.python("-m", "tests.support.soak", *arguments, cwd=ROOT, check=False, timeout=seconds + 120)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    told: dict[str, int] = json.loads(done.stdout)
    return told


@pytest.mark.long
def test_photos_of_several_people_take_the_room_of_their_files() -> None:
    """Decoded, the 20 photos would be 610 MiB."""
    told = soak(people=4, photos=5, megapixels=8)
    assert told["sent"] == 20
    assert told["whole"] == 20 + 4  # and the example
    assert told["after"] < 380
    assert told["left"] < told["after"]
    assert told["tabs"] == 0


@pytest.mark.slow
def test_25_people_with_large_photos_for_two_minutes_stay_under_the_ceiling() -> None:
    """Their files within the budget, what three uploads and one network take, and what sessions hold beside photos."""
    told = soak(people=25, photos=10_000, megapixels=12, seconds=120)
    assert told["sent"] > 200
    assert told["peak"] < (BUDGET >> 20) + 700 + 300
    assert told["left"] < 350
    assert told["tabs"] == 0
