"""What an atlas is of: the network, its layers and links, and how many photos of which classes."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from circuits.attribution.links import Link, Piece, UnlinkedLayer
from circuits.attribution.weight_links import free_of_classes
from circuits.exemplars.storage import LayerRecord
from circuits.tracing.facts import NetworkInfo

FORMAT, WITHOUT_CLASS_FREE = "circuits-atlas/2", "circuits-atlas/1"
"""The format of an atlas, and of one without class-free links, which older versions made and read."""


@dataclass(frozen=True)
class AtlasLayer(LayerRecord):
    """A layer whose units are in an atlas.

    Args:
        below: the nearest layers below it.
        piecewise_linear: whether attributions to these add up to a unit's value, less the bias.
        is_rectified: whether a silent unit is zero.
    """

    below: tuple[str, ...] = ()
    piecewise_linear: bool = False
    is_rectified: bool = False


@dataclass(frozen=True)
class Subject:
    """What an atlas is made with: all that its numbers depend on beside the photos.

    Args:
        network: name, source and sha256, as circuits name it.
        preprocessing: how photos are shown to the network.
        labels: of its classes.
        layers: whose units are in it, from the image up.
        links: between these.
        unlinked: layers of which some units have no links, and why.
        device: where the network ran.
        versions: of what computed it.
        class_free: whether it has links without a class also.
    """

    network: Mapping[str, Any]
    preprocessing: Mapping[str, Any]
    labels: tuple[str, ...]
    layers: tuple[AtlasLayer, ...]
    links: tuple[Link, ...]
    unlinked: tuple[UnlinkedLayer, ...]
    device: str
    versions: Mapping[str, str]
    class_free: bool = True

    @property
    def format(self) -> str:
        """Of its files."""
        return FORMAT if self.class_free else WITHOUT_CLASS_FREE

    @property
    def class_free_links(self) -> tuple[Link, ...]:
        """The links that are told without a class too."""
        return free_of_classes(self.links, self.top) if self.class_free else ()

    @property
    def key(self) -> str:
        """A hash of what decides its numbers: a bucket of another one is not read."""
        names = [layer.name for layer in self.layers]
        facts = [self.format, self.network["sha256"], self.preprocessing, names, self.device]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    @property
    def units(self) -> int:
        """How many units all layers have."""
        return sum(layer.channels for layer in self.layers)

    @property
    def top(self) -> str:
        """The layer of the logits."""
        return self.layers[-1].name

    @property
    def called(self) -> str:
        """What tells it from another, for a sentence."""
        size = "×".join(map(str, self.preprocessing["size"]))
        known = f"{self.network['sha256'][:8]}, {size}, {len(self.layers)} layers, {self.device}"
        known += ", with class-free links" if self.class_free else ", without class-free links"
        return f"{self.network['name']} ({known})"

    def to_row(self) -> dict[str, Any]:
        """What a file says of it."""
        facts = asdict(self)
        del facts["class_free"]  # it is what the format says
        return {"format": self.format, **facts}

    @classmethod
    def of_row(cls, facts: Any) -> "Subject":
        """What `to_row` wrote.

        Raises:
            ValueError: if it is something else.
        """
        try:
            layers = tuple(AtlasLayer(**{**row, "below": tuple(row["below"])}) for row in facts["layers"])
            links = tuple(
                Link(**{**row, "pieces": tuple(Piece(**piece) for piece in row["pieces"])}) for row in facts["links"]
            )
            unlinked = tuple(UnlinkedLayer(**row) for row in facts["unlinked"])
            seen, labels = facts["preprocessing"], tuple(facts["labels"])
            if not all(isinstance(label, str) for label in labels) or len(layers) < 2:
                raise ValueError("labels or layers")
            if not all(type(number) is int for number in (*seen["size"], *(layer.channels for layer in layers))):
                raise ValueError("sizes")
            if len(seen["size"]) != 2 or not isinstance(seen["mean"], list):
                raise ValueError("preprocessing")
            network = dict(NetworkInfo.of_row(facts["network"]))
            if not all(isinstance(network[name], str) for name in ("name", "source", "sha256")):
                raise ValueError("network")
            written = facts.get("format", WITHOUT_CLASS_FREE)
            if written not in (FORMAT, WITHOUT_CLASS_FREE):
                raise ValueError(f"the format {written!r}, and this version reads {FORMAT!r}")
            versions, is_free = facts["versions"], written == FORMAT
            return cls(network, seen, labels, layers, links, unlinked, facts["device"], versions, is_free)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(error) from None


@dataclass(frozen=True)
class AtlasRecord:
    """What `atlas.json` says.

    Args:
        subject: what it is made with.
        folder: of the photos, when it was made.
        photos: by number of a class, how many.
        skipped: files that cannot be read as photos, and why.
        links: strongest links of a unit that are kept, those that excite and those that inhibit.
    """

    subject: Subject
    folder: str
    photos: Mapping[int, int]
    skipped: Mapping[str, str]
    links: tuple[int, int]
