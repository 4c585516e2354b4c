"""Ctrl-C at a real server with work under way that never ends: the server ends all the same, and says nothing."""

import signal
from pathlib import Path

import pytest

from tests.support.limits import child, until

# Where the tests themselves run in the background, SIGINT is ignored, and children inherit that.
SERVE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path[:0] = {paths!r}
import time
from dashboard.server import Running, serve
from tests.support.pretend import PaintedGallery, tiny_network
from pathlib import Path

class Slow(PaintedGallery):
    def render(self, units, progress, preview):
        (self.folder / "begun").touch()
        time.sleep(3600)

network = tiny_network()
import dashboard.app
dashboard.app._stored_gallery = lambda network: Slow(Path({folder!r}), network)
serving = Running.run

def asked(self):
    requests = [{{"number": 1, "kind": "why", "payload": {{"target": "0"}}}}]
    self.page.callbacks.act({{"session": "a" * 32, "tab": "t", "queue": requests}})
    serving(self)

Running.run = asked
try:
    serve(network, port=0, open_browser=False, announce=lambda url: print(url, flush=True))
except KeyboardInterrupt:
    sys.exit(130)
"""
HERE = Path(__file__).resolve().parent


def test_ctrl_c_ends_the_process_in_the_middle_of_a_step_of_an_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that can be stopped between its steps is, as for any other end of a queue."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    code = SERVE.format(paths=[str(HERE.parents[2])], folder=str(tmp_path))
    with child("-c", code) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        until((tmp_path / "begun").exists, "a picture is begun")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) in (0, 130)
        assert process.stderr.read() == ""
