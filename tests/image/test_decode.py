"""Several photos decoded at once: how many fit together, in which order, and that nothing of it can be seen outside."""

import io
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from circuits.errors import InputError
from circuits.image.decode import PixelBudget, _upright_rgb, decode
from tests.support import limits


def jpeg(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (90 + seed, 120, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


class Visitors:
    """Threads that take budget and stay until they are sent away."""

    def __init__(self, budget: PixelBudget) -> None:
        self.budget, self.inside, self.threads = budget, [], []
        self.gates: dict[str, threading.Event] = {}

    def arrive(self, name: str, pixels: int) -> None:
        self.gates[name] = threading.Event()
        self.threads.append(threading.Thread(target=self._visit, args=(name, pixels)))
        self.threads[-1].start()
        time.sleep(0.02)

    def _visit(self, name: str, pixels: int) -> None:
        with self.budget.taken(pixels):
            self.inside.append(name)
            self.gates[name].wait(10)
            self.inside.remove(name)

    def leave(self, name: str) -> None:
        self.gates[name].set()
        time.sleep(0.02)

    def until(self, *names: str) -> None:
        deadline = time.monotonic() + 5
        while sorted(self.inside) != sorted(names) and time.monotonic() < deadline:
            time.sleep(0.005)
        assert sorted(self.inside) == sorted(names)


def test_photos_are_decoded_together_as_far_as_they_fit_and_a_large_one_is_not_overtaken() -> None:
    visitors = Visitors(PixelBudget(10))
    visitors.arrive("a", 4)
    visitors.arrive("b", 4)
    visitors.until("a", "b")
    visitors.arrive("large", 99)
    visitors.arrive("c", 1)
    time.sleep(0.05)
    visitors.until("a", "b")
    visitors.leave("a")
    time.sleep(0.05)
    visitors.until("b")
    visitors.leave("b")
    visitors.until("large")
    visitors.leave("large")
    visitors.until("c")
    visitors.leave("c")
    for thread in visitors.threads:
        limits.join(thread)
    with visitors.budget.taken(10):
        assert visitors.inside == []


def test_room_is_given_back_when_decoding_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("circuits.image.decode._budget", PixelBudget(120 * 90))
    for _ in range(3):
        with pytest.raises(InputError, match="photo is damaged or cut short"):
            decode(jpeg(0)[:4000], "photo")
    assert decode(jpeg(0), "photo").size == (120, 90)


def test_many_threads_get_the_pixels_that_one_gets_and_two_decode_at_the_same_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = [jpeg(seed) for seed in range(12)]
    alone = [decode(data, "photo").tobytes() for data in files]
    meeting = threading.Barrier(2, timeout=10)
    plain, met = _upright_rgb, []

    def meet(image: Image.Image, name: str) -> Image.Image:
        meeting.wait(10)
        met.append(name)
        return plain(image, name)

    monkeypatch.setattr("circuits.image.decode._upright_rgb", meet)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda data: decode(data, "photo").tobytes(), files))
    assert together == alone
    assert len(met) == 12


def test_what_pillow_remarks_on_an_odd_photo_is_silenced_and_other_warnings_are_not() -> None:
    exif = b"Exif\0\0MM\0*\xff\xff\xff\xff"
    file = io.BytesIO()
    Image.new("RGB", (8, 6), "red").save(file, "JPEG", exif=exif)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        decode(file.getvalue(), "photo")
        warnings.warn("of ours", UserWarning, stacklevel=1)
        filters = list(warnings.filters)
        decode(file.getvalue(), "photo")
        assert warnings.filters == filters
    assert [str(each.message) for each in said] == ["of ours"]
