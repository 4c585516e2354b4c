"""`circuits doctor`: what is installed here, where files are kept, and whether a network can be explained."""

import os
import platform
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from circuits.cli.console import output, print_json
from circuits.cli.options import AS_JSON, LAYERS, NETWORK, NetworkOptions
from circuits.errors import listed, mixed_installation
from circuits.files import DISTRIBUTION
from circuits.report.text import network_and_source, size_in_words

if TYPE_CHECKING:
    from circuits.network.network import Network

_PACKAGES = (
    "torch",
    "torchvision",
    "numpy",
    "networkx",
    "pillow",
    "scikit-image",
    "dash",
    "plotly",
    "timm",
    "transformers",
)


def doctor(
    network: str = NETWORK,
    layers: str = LAYERS,
    as_json: bool = AS_JSON,
    *,
    options: NetworkOptions,
) -> None:
    """Information for a bug report: versions, device, threads, folders, and whether a network can be explained."""
    report: dict[str, Any] = {"versions": _versions(), "system": _system(), "folders": _folders()}
    failure = None
    try:
        report["device"] = _device()
        report["network"] = _check(options.load(network, layers))
    except Exception as error:  # a torch that does not load is a finding too
        failure = error
        report["network"] = {"name": network, "error": " ".join(f"{type(error).__name__}: {error}".split())}
    if as_json:
        print_json(report)
    else:
        output().print(_table(report))
    if failure is not None:
        raise failure


def _versions() -> dict[str, str | None]:
    """The version of this package, Python, and those that it stands on; `None` for what is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    def installed(name: str) -> str | None:
        try:
            return version(name)
        except PackageNotFoundError:
            return None

    return {
        "circuits": installed(DISTRIBUTION),
        "python": platform.python_version(),
        **{name: installed(name) for name in _PACKAGES},
    }


def _system() -> dict[str, Any]:
    """What it runs on; the memory in bytes, `None` where the system does not say."""
    names = getattr(os, "sysconf_names", {})
    known = {"SC_PHYS_PAGES", "SC_PAGE_SIZE"} <= set(names)
    return {
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "memory": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if known else None,
        "installation": mixed_installation(),
    }


def _folders() -> dict[str, dict[str, Any]]:
    """Where pictures and indices, and the sessions of the page are kept: path, whether writable, size in bytes."""
    import platformdirs

    from circuits.naming.store import names_folder

    folders = {
        "cache": platformdirs.user_cache_path("circuits"), "state": platformdirs.user_state_path("circuits"),
        "names": names_folder(),
    }  # fmt: skip
    return {
        name: {"path": _homeless(folder), "writable": _is_writable(folder), "bytes": _size(folder)}
        for name, folder in folders.items()
    }


def _homeless(folder: Path) -> str:
    """A path that may be posted: without the name of the person whose home it lies in."""
    home = Path.home()
    return str(Path("~", folder.relative_to(home))) if folder.is_relative_to(home) else str(folder)


def _is_writable(folder: Path) -> bool:
    """Whether files can be made in a folder, or the folder where it is missing."""
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _device() -> dict[str, Any]:
    """What torch calculates with: its threads, and the accelerator that it sees."""
    import torch

    seen = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return {"threads": torch.get_num_threads(), "accelerator": str(seen) if seen else None}


def _check(network: "Network") -> dict[str, Any]:
    """A network's layers, how many of them are exact, and the seconds of one forward pass."""
    import torch

    image = torch.zeros(1, network.preprocessing.channels, *network.preprocessing.size, device=network.device)
    with torch.inference_mode():
        network.traced(image)
        begun = time.perf_counter()
        network.traced(image)
        seconds = time.perf_counter() - begun
    above = network.layer_list[1:]
    return {
        "name": network.name,
        "source": network.source,
        "sha256": network.sha256,
        "classes": len(network.labels),
        "size": list(network.preprocessing.size),
        "parameters": sum(parameter.numel() for parameter in network.traced.parameters()),
        "device": str(network.device),
        "layers": len(network.layers),
        "exact": sum(layer.piecewise_linear for layer in above),
        "inexact": [layer.name for layer in above if not layer.piecewise_linear],
        "forward_seconds": round(seconds, 5),
    }


def _table(report: dict[str, Any]) -> Table:
    """The report as two columns, for people and for a bug report."""
    system, device, network = report["system"], report.get("device"), report["network"]
    memory = f", {system['memory'] / 2**30:.1f} GiB of memory" if system["memory"] else ""
    rows = [(name, version or "not installed") for name, version in report["versions"].items()]
    rows.append(("system", f"{system['system']}, {system['machine']}, {system['processors']} processors{memory}"))
    if system["installation"]:
        rows.append(("installation", system["installation"]))
    for name, folder in report["folders"].items():
        writable = "writable" if folder["writable"] else "not writable"
        rows.append((name, f"{folder['path']}, {writable}, {size_in_words(folder['bytes'])}"))
    if device is not None:
        rows.append(("threads", f"{device['threads']}, accelerator: {device['accelerator'] or 'none'}"))
    rows += _network_rows(network)
    table = Table(box=None, show_header=False)
    for row in rows:
        table.add_row(*row)
    return table


def _network_rows(network: dict[str, Any]) -> list[tuple[str, str]]:
    if "error" in network:
        return [("network", f"{network['name']} failed: {network['error']}")]
    height, width = network["size"]
    above = network["layers"] - 1
    close = f"attributions sum exactly in {network['exact']} of the {above} layers above the lowest"
    if network["inexact"]:
        close += f", up to a remainder in {listed(network['inexact'], limit=4)}"
    return [
        ("network", f"{network_and_source(network['name'], network['source'])}, sha256 {network['sha256'][:12]}"),
        ("", f"{network['classes']} classes, {height}×{width} pixels, {network['parameters'] / 1e6:.2f} M parameters"),
        ("layers", f"{network['layers']}; {close}"),
        ("forward pass", f"{network['forward_seconds'] * 1000:.1f} ms on {network['device']}"),
    ]
