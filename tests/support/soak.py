"""Many people at one server, each with large photos: a process of its own, which tells how much memory it took.

    python -m tests.support.soak PEOPLE PHOTOS MEGAPIXELS SECONDS

Each person sends photos of their own and asks why, over HTTP, until all are sent or, with SECONDS, until the time is
over; then everybody leaves. Prints JSON: MiB beyond the beginning `after` the last photo, at the `peak`, and when all
have `left`, and how many photos were sent and are still whole.
"""

import base64
import gc
import io
import json
import re
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
from PIL import Image

from dashboard.app import PageSettings, create_page
from dashboard.server import Running
from dashboard.session import originals, tabs
from tests.support import limits
from tests.support.pretend import PaintedCollection, PaintedGallery, tiny_network
from tests.support.renderer import CALLBACKS, asked


def mebibytes(what: str) -> int:
    """`VmRSS`, what the process takes now, or `VmHWM`, the most that it took."""
    found = re.search(rf"{what}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) >> 10


def phone(seed: int, megapixels: float) -> bytes:
    """A photo as phones make them, in a quarter of a byte a pixel."""
    side = int((megapixels * 1e6) ** 0.5)
    noise = np.random.default_rng(seed).integers(0, 255, (side // 24, side // 24, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC).save(file, "JPEG", quality=92)
    return file.getvalue()


_drawing = threading.Lock()


class Visitor(threading.Thread):
    """Somebody who sends photos and asks why."""

    def __init__(self, running: Running, number: int, *, photos: int, megapixels: float, until: float) -> None:
        super().__init__()
        self.running, self.number, self.session = running, number, f"{number:032x}"
        self.photos, self.megapixels, self.until = photos, megapixels, until
        self.sent = 0

    def run(self) -> None:
        """Send one photo after the other, all of them different, and those of others too."""
        while self.sent < self.photos and time.monotonic() < self.until:
            with _drawing:
                data = phone(10_000 * self.number + self.sent, self.megapixels)
            self.sent += 1
            self.send(data)
            self.act("why", target="0")

    def send(self, data: bytes) -> None:
        """As the page does, again where the server says so."""
        contents = "data:image/jpeg;base64," + base64.b64encode(data).decode()
        file = {"kind": "photo", "name": "x.jpg", "contents": contents, "number": self.sent}
        body = asked(self.running.page, "received.data", {"file": file | {"session": self.session, "tab": "t"}})
        while self.post(body)["response"]["received"]["data"].get("again"):
            time.sleep(0.1)

    def act(self, kind: str, **payload: str) -> None:
        """Do one thing."""
        queue = [{"number": self.sent, "kind": kind, "payload": payload}]
        self.post(
            asked(self.running.page, "view.data", {"actions": {"session": self.session, "tab": "t", "queue": queue}})
        )

    def post(self, body: object) -> Any:
        """Ask for a callback."""
        address = self.running.url.rstrip("/") + CALLBACKS
        data = json.dumps(body).encode()
        with urlopen(Request(address, data, {"Content-Type": "application/json"}), timeout=120) as answer:
            return json.loads(answer.read())


def main(people: int, photos: int, megapixels: float, seconds: float) -> None:
    """Everybody comes, works and leaves."""
    network = tiny_network()
    folder = Path(tempfile.mkdtemp())
    page = create_page(
        PageSettings(network, gallery=PaintedGallery(folder, network), collection=PaintedCollection(), folder=folder)
    )
    running = Running(page, host="127.0.0.1", port=0)
    threading.Thread(target=running.run, daemon=True).start()
    until = time.monotonic() + (seconds or 3600)
    visitors = [Visitor(running, number, photos=photos, megapixels=megapixels, until=until) for number in range(people)]
    first = Visitor(running, people, photos=1, megapixels=megapixels, until=until)
    first.run()  # what is loaded once is no part of what they take
    gc.collect()
    originals.give_back()
    before = mebibytes("VmRSS")
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        limits.join(visitor, 3600.0)
    told = {"after": mebibytes("VmRSS") - before, "sent": sum(visitor.sent for visitor in visitors)}
    sessions = [page.callbacks.sessions.tab(visitor.session).session for visitor in visitors]
    told["whole"] = sum(photo.whole for session in sessions for photo in session.photos)
    del sessions
    tabs.GRACE = 0.5
    for visitor in [first, *visitors]:
        urlopen(Request(running.url + "leave", visitor.session.encode()), timeout=60).close()
    time.sleep(2)
    page.callbacks.sessions.release()
    told |= {
        "tabs": len(page.callbacks.sessions),
        "left": mebibytes("VmRSS") - before,
        "peak": mebibytes("VmHWM") - before,
    }
    print(json.dumps(told))
    running.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))
