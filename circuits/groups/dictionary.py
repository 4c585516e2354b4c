"""A layer's dictionary: the directions that its groups stand for, as a value that a circuit's file carries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from circuits.errors import InputError, UnknownError, listed
from circuits.network.network import Network

Directions = Float[Tensor, "groups channels"]
"""One direction a row, over the channels of a layer."""

LARGEST_SIZE = 2**26
LARGEST_GROUPS = 100_000
"""Groups of a layer that a dictionary can hold."""


@dataclass(frozen=True, eq=False)
class Dictionary:
    """The directions of a layer's groups: a ≈ Σ_g h_g · d_g at each position.

    Without an encoder the code h ≥ 0 is the best fit (non-negative least squares). With one, that of a sparse
    autoencoder, it is h = max(0, E a + b); what the autoencoder adds of its own after decoding belongs in no group.

    Args:
        directions: d_g, one a row, (K, C), float32.
        source: what they were fitted to, such as `this photo`, or `cats (40 photos)`.
        weighted: whether fit and code weigh each channel and position by what it does for the target.
        encoder: E, (K, C), or `None`.
        bias: b, (K,), where there is an encoder.

    Raises:
        InputError: if the shapes do not belong together, or a number is not finite.

    Example:
        >>> pair = Dictionary(torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 2.0]]), "by hand")
        >>> pair.groups, pair.channels
        (2, 3)
    """

    directions: Directions
    source: str
    weighted: bool = False
    encoder: Directions | None = field(default=None, repr=False)
    bias: Float[Tensor, " groups"] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.directions.dim() != 2:
            raise InputError(f"The directions are {_size(self.directions)}; they must be groups × channels.")
        groups, channels = self.directions.shape
        if not 1 <= groups <= LARGEST_GROUPS:
            raise InputError(f"A dictionary has {groups} directions; it must have 1 to {LARGEST_GROUPS}.")
        if (self.encoder is None) != (self.bias is None):
            raise InputError("A dictionary has an encoder without its bias, or a bias alone; give both or neither.")
        if self.encoder is not None and tuple(self.encoder.shape) != (groups, channels):
            raise InputError(
                f"The encoder is {_size(self.encoder)} and the directions are {groups} × {channels}; both must be "
                "groups × channels."
            )
        if self.bias is not None and tuple(self.bias.shape) != (groups,):
            raise InputError(f"The encoder's bias is {_size(self.bias)}; with {groups} groups it must be {groups}.")
        for name, part in (("directions", self.directions), ("encoder", self.encoder), ("bias", self.bias)):
            if part is not None and not bool(torch.isfinite(part).all()):
                raise InputError(f"The {name} of a dictionary are not all finite numbers; fit it again.")
        if bool((self.directions == 0).all(1).any()):
            number = int((self.directions == 0).all(1).nonzero()[0])
            raise InputError(f"Direction {number} of a dictionary is zero everywhere; leave it out.")

    @property
    def groups(self) -> int:
        """K, the number of groups."""
        return self.directions.shape[0]

    @property
    def channels(self) -> int:
        """C, the number of channels of the layer."""
        return self.directions.shape[1]

    def strongest_channels(self, group: int, top: int = 5) -> list[tuple[int, float]]:
        """The channels that make up most of a group, with their weights in its direction, the largest first.

        Example:
            >>> Dictionary(torch.tensor([[0.5, 2.0, 0.0, -1.0]]), "by hand").strongest_channels(0, top=2)
            [(1, 2.0), (3, -1.0)]
        """
        direction = self.directions[group]
        order = direction.abs().argsort(descending=True, stable=True)[:top].tolist()
        return [(channel, float(direction[channel])) for channel in order if direction[channel] != 0]

    def to_row(self) -> dict[str, Any]:
        """The dictionary as a circuit's file carries it; of each row the numbers that are not zero."""
        row: dict[str, Any] = {"source": self.source, "channels": self.channels, "weighted": self.weighted}
        row["directions"] = _sparse(self.directions)
        if self.encoder is not None and self.bias is not None:
            row |= {"encoder": _sparse(self.encoder), "bias": self.bias.tolist()}
        return row

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> "Dictionary":
        """Read what `to_row` wrote.

        Raises:
            InputError: if a channel does not exist, or the parts do not belong together.

        Example:
            >>> one = Dictionary(torch.tensor([[0.0, 0.1]]), "by hand")
            >>> bool((Dictionary.of_row(one.to_row()).directions == one.directions).all())
            True
        """
        channels = int(row["channels"])  # in a file 384 may be written 384.0
        for part in ("directions", "encoder"):
            if len(row.get(part, ())) * channels > LARGEST_SIZE:
                raise InputError(
                    f"A dictionary of {len(row[part])} groups × {channels} channels is too large; a circuit's file "
                    f"holds at most {LARGEST_SIZE >> 20} million numbers of each."
                )
        encoder = _dense(row["encoder"], channels) if "encoder" in row else None
        bias = torch.tensor(row["bias"], dtype=torch.float32) if "bias" in row else None
        return cls(_dense(row["directions"], channels), row["source"], row["weighted"], encoder, bias)


def checked(network: Network, dictionaries: Mapping[str, Dictionary]) -> Mapping[str, Dictionary]:
    """Dictionaries, each of a layer of the network.

    Raises:
        InputError: if one has directions over another number of channels.
        UnknownError: if the network has no such layer.
    """
    for layer, dictionary in dictionaries.items():
        if not isinstance(dictionary, Dictionary):
            raise InputError(
                f"The groups of {layer} are a {type(dictionary).__name__}; give a Dictionary, such as "
                f"Dictionary(directions, 'by hand')."
            )
        if layer not in network.layers:
            raise UnknownError(
                f"The dictionary is of layer {layer!r}, which {network.name} lacks; it has {listed(network.layers)}."
            )
        channels = network.layer(layer).channels
        if dictionary.channels != channels:
            raise InputError(
                f"The dictionary of {layer} has directions over {dictionary.channels} channels; the layer has "
                f"{channels}. It belongs to another layer or network."
            )
    return dictionaries


def matched(ours: Directions, theirs: Directions) -> list[tuple[int, int, float]]:
    """Pairs of directions, one to one, so that their cosines add up to the most: ours, theirs, cosine.

    Example:
        >>> matched(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[0.0, 2.0], [3.0, 0.0]]))
        [(0, 1, 1.0), (1, 0, 1.0)]
    """
    from scipy.optimize import linear_sum_assignment

    one, other = (torch.nn.functional.normalize(rows.double(), dim=1) for rows in (ours, theirs))
    cosines = (one @ other.T).numpy()
    rows, columns = linear_sum_assignment(-cosines)
    return [(int(row), int(column), float(cosines[row, column])) for row, column in zip(rows, columns, strict=True)]


def _size(part: Tensor) -> str:
    return " × ".join(map(str, part.shape))


def _sparse(rows: Tensor) -> list[dict[str, list[Any]]]:
    found = [row.nonzero().flatten() for row in rows]
    return [{"at": at.tolist(), "weights": row[at].tolist()} for row, at in zip(rows, found, strict=True)]


def _dense(rows: Sequence[Mapping[str, Any]], channels: int) -> Tensor:
    dense = torch.zeros(len(rows), channels, dtype=torch.float32)
    for number, row in enumerate(rows):
        if len(row["at"]) != len(row["weights"]) or any(at >= channels for at in row["at"]):
            raise InputError(
                f"Row {number} of a dictionary names channels that its layer of {channels} lacks, or gives not one "
                "number for each."
            )
        dense[number, row["at"]] = torch.tensor(row["weights"], dtype=torch.float32)
    return dense
