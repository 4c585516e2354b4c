"""Make the atlas that ships with the built-in network: numbers alone, of photos that do not ship.

python -m training.builtin.atlas tiny-imagenet-100.npz

Its full atlas, over `PHOTOS` photos of each class evenly from all of the archive, is made first, or taken from a folder
(`--atlas`), where it is gone on with if it was begun. Of that the sample keeps what is read, in less room (`smaller`,
`fewer_links`) and packed (`xz`): of a unit's links the five that excite most, and those that inhibit among the five
largest; and which class a unit tells from the rest. It names no photo.
"""

import argparse
import json
import lzma
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from circuits import Atlas, build_atlas, builtin, index_photos, load_network, suggest_classes
from circuits.atlas.array_files import PACKED
from circuits.atlas.build import LINKED, cut
from circuits.atlas.fixed import narrowed
from circuits.atlas.storage import CLASS_FREE, LINK_ARRAYS, LINKS, NOBODY, AtlasFolder
from circuits.atlas.suggestion import write_suggestions
from circuits.files import write_atomically
from training.builtin.classes import LABELS, merge

PHOTOS = 160
"""Of each class."""
KEPT = 5
"""Links of a unit that excite most, and of the largest size."""
FINE = (
    "contribution", "activation", "classes", "logit",
    *(f"{kind}.{name}" for kind in (LINKS, CLASS_FREE) for name in ("total", "consistency")),
)  # fmt: skip
COLLECTION = "Tiny ImageNet"
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9, "lc": 3, "lp": 1, "pb": 1}]  # for numbers of two bytes


def write_photos(archive: Path, folder: Path, count: int = PHOTOS) -> None:
    """So many photos of each class as they are, evenly over all of it, one folder a class."""
    with np.load(archive, allow_pickle=False) as read:
        jpeg, offsets, labels, names = (read[name] for name in ("jpeg", "offsets", "labels", "names"))
    classes = np.asarray(merge(names.tolist()))[labels]
    for channel, label in enumerate(LABELS):
        own = np.flatnonzero(classes == channel)
        (folder / label).mkdir(parents=True)
        for number in own[np.linspace(0, len(own) - 1, min(count, len(own))).round().astype(int)].tolist():
            (folder / label / f"{number}.jpg").write_bytes(jpeg[offsets[number] : offsets[number + 1]].tobytes())


def write_sample(atlas: Path, out: Path) -> None:
    """Write what is read of a finished atlas in less room, without its photos' names."""
    folder, sample = AtlasFolder(atlas), AtlasFolder(out)
    record = folder.read_record()
    kept = replace(record, folder=COLLECTION, skipped={}, links=(KEPT, KEPT))
    (out / "classes").mkdir(parents=True, exist_ok=True)
    for channel in (None, *record.photos):
        file, into = (each.overall_file if channel is None else each.class_file(channel) for each in (folder, sample))
        arrays = folder.read(channel, record)
        for kind in (LINKS, CLASS_FREE):
            if f"{kind}.source" in arrays:
                arrays |= fewer_links(arrays, kind)
        content = {name: smaller(name, value).contiguous() for name, value in sorted(arrays.items())}
        header = {"atlas": json.dumps(folder.read_header(file), sort_keys=True)}
        packed = lzma.compress(save(content, header), filters=_FILTERS)
        write_atomically(into.with_name(into.name + PACKED), packed)
    sample.write_record(kept)
    if suggestions := Atlas.open(atlas).suggestions:
        write_suggestions(Atlas.open(out), "classes", suggestions)


def fewer_links(arrays: Mapping[str, Tensor], kind: str = LINKS) -> dict[str, Tensor]:
    """Of the links of each unit the `KEPT` that excite most, and of the `KEPT` largest those that inhibit.

    Example:
        >>> shares = torch.tensor([[9.0, 8, 7, 6, 5, 4, 3, 2, -8, -1, 0, 0, 0, 0, 0, 0]])
        >>> arrays = {f"links.{name}": shares for name in LINK_ARRAYS} | {"links.source": (shares != 0).int() - 1}
        >>> fewer_links(arrays)["links.share"].tolist()
        [[9.0, 8.0, 7.0, 6.0, 5.0, -8.0, 0.0, 0.0, 0.0, 0.0]]
    """
    share = arrays[f"{kind}.share"].masked_fill(arrays[f"{kind}.source"] == NOBODY, 0.0)
    excite = _among_first(share, share > 0)
    inhibit = _among_first(share.abs(), share < 0)
    order = (~(excite | inhibit)).int().argsort(dim=1, stable=True)[:, : 2 * KEPT]
    here = (excite | inhibit).gather(1, order)
    return {
        f"{kind}.{name}": arrays[f"{kind}.{name}"]
        .gather(1, order)
        .masked_fill(~here, NOBODY if name == "source" else 0)
        for name in LINK_ARRAYS
    }


def _among_first(size: Tensor, wanted: Tensor) -> Tensor:
    order = size.argsort(dim=1, descending=True, stable=True)[:, :KEPT]
    return torch.zeros_like(wanted).scatter(1, order, True) & wanted


def smaller(name: str, values: Tensor) -> Tensor:
    """The same numbers in less room: contributions to 0.05 %, errors to 3 %, others to 0.4 %; whole ones as they are.

    Example:
        >>> [float(smaller(name, torch.tensor(0.1234))) for name in ("contribution", "links.share", "peak.error")]
        [0.1234130859375, 0.12353515625, 0.125]
    """
    if not values.is_floating_point():
        return narrowed(values)
    if name in FINE:
        return values.half()
    if name.endswith(".error"):  # to five binary digits
        mantissa, exponent = values.float().frexp()
        values = ((mantissa * 32).round() / 32).ldexp(exponent)
    return values.bfloat16()


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the full atlas if it is not there, and write its sample."""
    from circuits.cli.console import note, progress

    parser = argparse.ArgumentParser()
    parser.add_argument("archive", type=Path, help="tiny-imagenet-100.npz")
    parser.add_argument("--atlas", type=Path, help="the folder of the full atlas, which is kept")
    parser.add_argument("--out", type=Path, default=builtin.atlas_folder())
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as made, progress("Explaining photos") as report:
        photos, full = Path(made, "photos"), given.atlas or Path(made, "atlas")
        write_photos(given.archive, photos)
        network = load_network(device="cpu")
        build_atlas(network, photos, full, progress=report)
        if Atlas.open(full).exemplars is None:
            index_photos(cut(network, LINKED), photos, into=full / "exemplars", progress=report)
        suggest_classes(Atlas.open(full))
    write_sample(full, given.out)
    size = sum(file.stat().st_size for file in given.out.rglob("*") if file.is_file())
    note(f"Wrote {Atlas.open(given.out)}, {size / 1e6:.2f} MB.")


if __name__ == "__main__":
    main()
