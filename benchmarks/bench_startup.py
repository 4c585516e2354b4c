"""How long it takes to start, and how much memory is held: the command line, the library, and the page.

- `circuits --help` and `import circuits`: wall time of a fresh process, the median of several;
- the page, in chromium (left out where that is not installed): from the start of `circuits explore` to the first answer
  200, that of the waiting room, to the page itself, and, *why?* pressed as soon as it is there, to the first circuit;
  the built-in network, the example photo;
- memory in RAM: of that page at rest, and at the peak of tracing and of drawing pictures, each in a process of its own.

Run it with `python benchmarks/bench_startup.py`; it needs a Linux system, which says how much memory a process took.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import time

import typer
from peers.measuring import memory_mib
from rich.console import Console
from rich.table import Table

_TRACE = """
from circuits import load_network, trace
from peers.job import noise_photo
trace(load_network({name!r}{weights}), noise_photo(), depth=6, top=5)
"""
_RENDER = """
from circuits import Unit, load_network
from circuits.visualization import Options, channel, visualize
network = load_network({name!r}, weights='random')
visualize(network, [channel(Unit({layer!r}, n)) for n in range(8)], options=Options(steps=8))
"""


def wall(command: list[str]) -> float:
    """Seconds that a process takes."""
    start = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True)
    return time.perf_counter() - start


def peak_of(code: str) -> float:
    """The most memory that a process which runs some code holds, in MiB."""
    told = code + "\nfrom peers.measuring import memory_mib; print(memory_mib(what='VmHWM'))"
    path = f"import sys; sys.path.insert(0, {sys.path[0]!r})\n"
    answer = subprocess.run([sys.executable, "-c", path + told], capture_output=True, text=True, check=True)
    return float(answer.stdout.split()[-1])


def page_times(executable: str, photo: str) -> tuple[float, float, float, float, float]:
    """Seconds from the start of `circuits explore` to its first answer 200, to the page, and to its first circuit.

    Then the seconds of the press of *why?* alone, from the click to the first units on the page, and the server's
    memory in MiB when nothing has been asked of it yet.
    """
    from playwright.sync_api import sync_playwright

    command = [sys.executable, "-m", "circuits", "explore", photo, "--no-browser", "--port", "0"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        tab = browser.new_page()
        begin = time.perf_counter()
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            answer = tab.goto(until_open(server), wait_until="commit")
            assert answer is not None
            assert answer.status == 200
            answered = time.perf_counter() - begin
            why = tab.get_by_role("button", name=re.compile("^why ")).first
            why.wait_for()
            opened = time.perf_counter() - begin
            held = memory_mib(server.pid)
            pressed = time.perf_counter()
            why.click()
            tab.locator("#graph .unit:not(.root)").first.wait_for()
            shown = time.perf_counter()
        finally:
            server.terminate()
            server.wait()
            browser.close()
    return answered, opened, shown - begin, shown - pressed, held


def until_open(process: subprocess.Popen[str]) -> str:
    """The address that a starting page announces."""
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"http://\S+", line):
            return found.group()
    raise RuntimeError("The page did not start.")


def main(repeats: int = 5, photo: str = "example:cat") -> None:
    """Print the tables."""
    console = Console(width=100)
    times = Table(title=f"Starting, median of {repeats}, ms")
    for column in ("what", "ms"):
        times.add_column(column, justify="right" if column == "ms" else "left")
    program = [sys.executable, "-m", "circuits", "--help"]
    for what, command in (
        ("python -c pass", [sys.executable, "-c", "pass"]),
        ("circuits --help", program),
        ("import circuits", [sys.executable, "-c", "import circuits"]),
        ("load_network()", [sys.executable, "-c", "from circuits import load_network; load_network()"]),
    ):
        times.add_row(what, f"{1000 * statistics.median(wall(command) for _ in range(repeats)):.0f}")
    memory = Table(title="Memory in RAM, MiB")
    for column in ("what", "MiB"):
        memory.add_column(column, justify="right" if column == "MiB" else "left")
    memory.add_row("import torch", f"{peak_of('import torch'):.0f}")
    if executable := os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome"):
        found = [page_times(executable, photo) for _ in range(min(3, repeats))]
        answered, opened, shown, pressed, held = (statistics.median(column) for column in zip(*found, strict=True))
        times.add_row("circuits explore, to the waiting room's answer", f"{1000 * answered:.0f}")
        times.add_row("… to the page, with “why?” to press", f"{1000 * opened:.0f}")
        times.add_row("… to the first circuit, “why?” pressed at once", f"{1000 * shown:.0f}")
        times.add_row("… of it from the press on", f"{1000 * pressed:.0f}")
        memory.add_row("the page at rest, built-in network", f"{held:.0f}")
    else:
        console.print("The page is left out: chromium is not installed; CHROMIUM may name it.")
    for name in ("builtin", "googlenet", "vgg16"):
        weights = "" if name == "builtin" else ", weights='random'"
        memory.add_row(f"tracing {name}, depth 6, at most", f"{peak_of(_TRACE.format(name=name, weights=weights)):.0f}")
    for name, layer in (("googlenet", "inception4a"), ("vgg16", "features.20")):
        code = _RENDER.format(name=name, layer=layer)
        memory.add_row(f"drawing eight units of {name} {layer}, at most", f"{peak_of(code):.0f}")
    console.print(times)
    console.print(memory)


if __name__ == "__main__":
    typer.run(main)
