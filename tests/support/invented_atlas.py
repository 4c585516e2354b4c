"""Atlases of networks that do not exist: any layers, classes and names, with numbers of chance."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from circuits.atlas.atlas import Atlas
from circuits.atlas.begin import begun
from circuits.atlas.link_means import KEPT
from circuits.atlas.publish import overall_arrays
from circuits.atlas.storage import AtlasFolder
from circuits.atlas.subject import AtlasLayer, AtlasRecord, Subject
from circuits.attribution.links import Link, Piece


def invented_atlas(
    folder: Path, layers: Mapping[str, int], labels: Sequence[str], photos: Mapping[int, int], seed: int = 0
) -> Atlas:
    """An atlas of a chain of layers, the last of which has a unit for each label, over so many photos a class."""
    widths = {**layers, "logits": len(labels)}
    names = list(widths)
    subject = Subject(
        {"name": "invented", "source": "random", "sha256": "ab" * 32, "layers": names, "piecewise_linear": True},
        {"size": [8, 8], "resize": 8, "mean": [0.0] * 3, "std": [1.0] * 3, "interpolation": "bilinear"},
        tuple(labels),
        tuple(
            AtlasLayer(name, width, 1, 1, below=tuple(names[at - 1 : at]), piecewise_linear=True, is_rectified=True)
            for at, (name, width) in enumerate(widths.items())
        ),
        tuple(
            Link(up, 0, widths[up], widths[low], 1, (Piece(0, widths[low], low, 0),), "mix", "read")
            for low, up in pairwise(names)
        ),
        (), "cpu", {"circuits": "0"},
    )  # fmt: skip
    written = AtlasFolder(folder)
    chance = torch.Generator().manual_seed(seed)
    record = AtlasRecord(subject, "photos", dict(photos), {}, KEPT)
    with begun(written, subject):
        for channel, count in photos.items():
            header = {"class": channel, "photos": count, "batches": -(-count // 8), "digest": f"{channel:064x}"}
            written.write_arrays(written.class_file(channel), _of_class(widths, channel, count, chance), header)
        arrays = overall_arrays(written, record)
        linked = _of_class(widths, 0, 1, chance)
        arrays |= {name: value for name, value in linked.items() if name.startswith("links.")}
        free = {name: each for name, each in _of_class(widths, 0, 1, chance).items() if name.startswith("links.")}
        arrays |= {name.replace("links", "class_free"): _below_top(each, len(labels)) for name, each in free.items()}
        written.write_arrays(
            written.overall_file, arrays, {"photos": sum(photos.values()), "batches": 1, "digest": "0" * 64}
        )
        written.write_record(record)
    return Atlas.open(folder)


def _below_top(values: Tensor, top: int) -> Tensor:
    """What is said of all units, but nothing of the logits."""
    nothing = torch.full_like(values[-top:], -1 if values.dtype == torch.int32 else 0)
    return torch.cat([values[:-top], nothing])


def _of_class(widths: Mapping[str, int], channel: int, photos: int, chance: torch.Generator) -> dict[str, Tensor]:
    units, kept, top = sum(widths.values()), sum(KEPT), list(widths.values())[-1]
    arrays: dict[str, Tensor] = {"logit": torch.tensor(2.0), "logit.error": torch.tensor(0.1)}
    for name in ("contribution", "activation", "peak"):
        arrays[name] = torch.randn(units, generator=chance)
        arrays[f"{name}.error"] = torch.rand(units, generator=chance) / 10
    arrays["contribution"][units - top :] *= torch.arange(top) == channel
    arrays |= {name: torch.randint(photos + 1, (units,), generator=chance) for name in ("fires", "summit")}
    source, start = torch.full((units, kept), -1, dtype=torch.int32), 0
    for lower, upper in pairwise(widths.values()):
        rows, few = slice(start + lower, start + lower + upper), min(kept, lower)
        source[rows, :few] = start + torch.rand(upper, lower, generator=chance).argsort(1)[:, :few].int()
        start += lower
    there = source >= 0
    share = torch.randn(units, kept, generator=chance).sort(1, descending=True).values * there
    arrays |= {
        "links.source": source, "links.share": share,
        "links.error": torch.rand(units, kept, generator=chance) / 20 * there,
        "links.consistency": torch.rand(units, kept, generator=chance) * (share > 0),
        "links.total": share.sum(1), "links.gross": share.abs().sum(1) * 1.5,
    }  # fmt: skip
    return arrays
