"""The one window onto the library: what the page may ask of `circuits`, for one network."""

import base64
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import TYPE_CHECKING

from PIL import Image

import circuits
from circuits.atlas.atlas import Atlas
from circuits.atlas.means import mean_of_atlas
from circuits.attribution.baseline import Baseline
from circuits.errors import InputError, printable
from circuits.evidence.descent import methods_of
from circuits.image.encode import from_data_uri, to_data_uri
from circuits.image.photo import EXAMPLES, Photo, load_photo
from circuits.network.layers import stream_names
from circuits.network.network import Network
from circuits.network.predict import Prediction
from circuits.tracing import circuit_file
from circuits.tracing.circuit import Circuit
from circuits.tracing.compare import Comparison
from circuits.tracing.groups import subject_of
from circuits.tracing.source import forward_cache
from circuits.tracing.targets import Target, find_target, target_of
from circuits.tracing.usual import usual_view
from circuits.units import Progress, Unit
from dashboard.atlas_library import expanded_class
from dashboard.choice_texts import MODES, without_means
from dashboard.fit import Fit, of_atlas
from dashboard.once import Once
from dashboard.session.state import Choices
from dashboard.webp import WebP, kept, webp

if TYPE_CHECKING:
    from dashboard.work.galleries import Gallery

PICTURE = 340
_ALL_DEPTHS = 8
"""Layers up to which every depth is offered."""
_KEPT = 64
_CIRCUIT_LIMIT = 12 * 2**20
_WEBP = "data:image/webp;base64"


class Library:
    """The library, for one network and one gallery of pictures; may be used by many threads.

    Args:
        network: the network.
        gallery: pictures of its units.
        baseline: what ablated units are set to beside zero, if there is such a thing when it is asked.
        name: of the network, as the page's menu has it.
        atlas: that was made with the network, if there is one.
        others: finds the library of another network of the page by its fingerprint, if that is loaded.
    """

    def __init__(
        self,
        network: Network,
        gallery: "Gallery",
        baseline: Callable[[], Baseline | None] = lambda: None,
        *,
        name: str = "",
        atlas: Atlas | None = None,
        others: Callable[[str], "Library | None"] = lambda fingerprint: None,
    ) -> None:
        self.network = network
        self.name = name
        self.atlas = atlas
        self._others = others
        self.gallery = gallery
        self._baseline = baseline
        self.fit = Fit(network, atlas)
        self._once = Once(_KEPT)

    @property
    def depths(self) -> tuple[int, ...]:
        """Numbers of layers that a circuit may walk down, for the page to offer; the last reaches the lowest."""
        below = len(self.network.layers) - 1
        return tuple(range(1, below + 1)) if below <= _ALL_DEPTHS else (1, 2, 3, 4, 6, below)

    @property
    def lacks_index(self) -> bool:
        """Whether this is a transformer that is explained by single units for want of an index of photos."""
        return bool(stream_names(self.network.traced)) and self.fit.cut_at_hidden is None

    def predict(self, photo: Photo) -> tuple[Prediction, ...]:
        """The five classes with the highest logits."""
        return circuits.predict(self.network, photo, top=5)

    def chance(self, circuit: Circuit, index: int) -> float:
        """The probability of a class in the photo of a circuit of this network."""
        known = next((each for each in circuit.predictions if each.index == index), None)
        return known.probability if known is not None else self.chances(circuit)[index]

    def chances(self, source: Circuit | Photo) -> tuple[float, ...]:
        """The probability of every class in a photo, or in that of a circuit of this network; found once."""

        def run() -> tuple[tuple[float, ...], Circuit | None]:
            if isinstance(source, Photo):
                rows = circuits.predict(self.network, source, top=max(1, len(self.network.labels)))
                return tuple(row.probability for row in sorted(rows, key=lambda row: row.index)), None
            cache = forward_cache(self.network, source)
            logits = cache.activations[cache.network.layers[-1]].sum((0, 2, 3))
            # The circuit is kept with the answer, so that no other can get its identity meanwhile.
            return tuple(self.network.probabilities(logits).tolist()), source

        which = _identity(source) if isinstance(source, Photo) else (id(source),)
        return self._once(("chances", *which), run)[0]

    @property
    def modes(self) -> tuple[str, ...]:
        """The modes of attribution that differ: freezing what bends a network is nothing where nothing does."""
        return tuple(mode for mode in MODES if mode != "frozen" or not self.network.piecewise_linear)

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods of gradient pictures that are defined for the network."""
        return methods_of(self.network)

    @property
    def placed(self) -> tuple[str, ...]:
        """The layers with more than one position, from the image up."""
        return tuple(layer.name for layer in self.network.layer_list if layer.has_places)

    def target(self, wish: str, *, like: Network | None = None) -> Target:
        """What a person means who asks why: a class, a unit, a neuron, or `A - B`.

        Args:
            wish: as it was written.
            like: the network cut at the layers that there are; as it was opened, if `None`.

        Raises:
            CircuitsError: if it names nothing, or there is nothing below it.
        """
        network = like or self.network
        target = find_target(network, self._numbered(wish), 0)
        if network.below(target.unit.layer) is None:
            raise InputError(f"{target.id} is in the lowest layer; only the image is below it.")
        return target

    def _numbered(self, wish: str) -> str:
        """What actions write, "2" or "2 - 5", where a class is also called so: classes by their units."""
        numbers = wish.split(" - ")
        if not set(numbers) & set(self.network.labels) or not all(number.isdecimal() for number in numbers):
            return wish
        return " - ".join(f"{self.network.layers[-1]}:{number}" for number in numbers)

    def trace(
        self,
        photo: Photo,
        target: int | str | Unit,
        choices: Choices,
        progress: Progress,
        *,
        like: Network | None = None,
    ) -> Circuit:
        """The circuit of a target: a class, a unit, a neuron, or the difference of two classes.

        Args:
            photo: the photo.
            target: a number or label, `layer:channel`, `layer:channel@row,column`, or `A - B`.
            choices: how it is found.
            progress: told how far, and raises to stop.
            like: the network cut at the layers that it is to have; as it was opened, if `None`.
        """
        target = self._numbered(target) if isinstance(target, str) else target
        return circuits.trace(
            like or self.network, photo, target, depth=choices.depth,
            top=choices.top_asked, mode=choices.mode_asked, signs=choices.signs, groups=choices.groups or None,
            units=choices.units or None, baseline=self._start(choices), progress=progress,
        )  # fmt: skip

    def mean(self) -> Baseline | None:
        """The means that shares can be measured from: over an index of exemplars, or else over the atlas."""
        means = (self._baseline(), None if self.atlas is None else mean_of_atlas(self.atlas))
        needed = set(self.network.layers[:-1])
        return next((mean for mean in means if mean is not None and needed <= mean.means.keys()), None)

    def usual_choices(self) -> Choices:
        """How circuits are found where nobody has chosen anything."""
        view = usual_view(self.network, lambda network: self.mean())
        if not view.groups or view.network.layers != self.network.layers:
            return Choices()
        return Choices(groups=view.groups, units=view.units or 0, signs=view.signs, baseline=view.baseline.name)

    def _start(self, choices: Choices) -> Baseline | None:
        """What shares are to be measured from; `None` for zero."""
        if choices.baseline == "zero":
            return None
        mean = self.mean()
        if mean is None:
            raise InputError(without_means(self.network.name))
        return mean

    def expand(self, circuit: Circuit, name: str, choices: Choices) -> Circuit:
        """The circuit with the lower units of one unit."""
        if circuit.collection is not None:
            return expanded_class(self.of_atlas(), circuit, name, choices)
        return circuits.expand(self.network, circuit, name, top=choices.top, signs=choices.signs)

    def measure(self, circuit: Circuit, name: str, progress: Progress) -> Circuit:
        """The circuit with what ablation says of the edges into a unit; with a mean too, if all layers have one."""
        baseline = self._baseline() if circuit.baseline.name == "zero" else None  # or else it has its own
        if baseline is not None and not baseline.means.keys() >= set(circuit.layers):
            baseline = None
        return circuits.measure(self.network, circuit, name, baseline=baseline, progress=progress)

    def grow(self, circuit: Circuit, layer: str | None, choices: Choices, progress: Progress) -> Circuit:
        """The circuit with the lower units of all units of a layer, or of all units; of a class those with links."""
        if circuit.collection is not None:
            for name in closed(circuit, layer):
                if not self.fit.why_not_expand(circuit, name, ""):
                    circuit = self.expand(circuit, name, choices)
            return circuit
        return circuits.grow(
            self.network, circuit, layer=layer, top=choices.top, signs=choices.signs, progress=progress
        )

    def of_atlas(self) -> Atlas:
        """The atlas.

        Raises:
            InputError: if there is none.
        """
        return of_atlas(self.network, self.atlas)

    def like_class(self, photo: Photo, circuit: Circuit, progress: Progress) -> Circuit:
        """The circuit of a photo that can be compared with that of a class: of the same layers and settings."""
        told, target = circuit.settings, target_of(circuit)
        asked = target.unit.channel if target.kind == "class" else str(target.unit)
        return circuits.trace(
            self.fit.cut(circuit), photo, asked, depth=told.depth, top=told.top,
            mode=told.mode, signs=told.signs, progress=progress,
        )  # fmt: skip

    def discard(self, circuit: Circuit, name: str) -> Circuit:
        """The circuit without a unit and what only it needs."""
        return circuits.discard(circuit, name)

    def restore(self, circuit: Circuit, name: str) -> Circuit:
        """The circuit with a discarded unit again."""
        return circuits.restore(circuit, name)

    def example(self, name: str) -> Photo:
        """An example photo, by its name without `example:`."""
        return load_photo(f"example:{name or next(iter(EXAMPLES))}")

    def photo(self, data: bytes, name: str) -> Photo:
        """A photo from the bytes of a file."""
        return self.network.preprocessing.packed(load_photo(data, name=name[:80] or "photo"), data)

    def only_seen(self, photo: Photo) -> Photo:
        """A photo of which no more is left than what the network saw."""
        return replace(photo, pixels=self.network.preprocessing.crop_of(photo), whole=False)

    def circuit(self, data: bytes, name: str = "the file") -> Circuit:
        """A circuit from the bytes of a file of that name.

        Raises:
            InputError: if it is too large, not JSON, or not a circuit.
        """
        if len(data) > _CIRCUIT_LIMIT:
            raise InputError(f"The circuit file has {len(data) >> 20} MiB; at most {_CIRCUIT_LIMIT >> 20} are taken.")
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = ""
        if not text.lstrip().startswith(("{", "[")):
            raise InputError(
                f"{printable(name)} is not a circuit; choose a .json file that this page or `circuits trace -o` has "
                "written. A photo goes to the left pane."
            )
        return Circuit.from_dict(circuit_file.from_text(text))

    def crop(self, photo: Photo, circuit: Circuit | None, *, lossless: bool = False) -> str:
        """What the network sees of a photo, as a data URI; a circuit carries it with every pixel."""
        if circuit is not None and circuit.photo_info.thumbnail:
            return circuit.photo_info.thumbnail

        def pack() -> str:
            return to_data_uri(self.network.preprocessing.crop_of(photo), lossless=lossless, quality=90)

        return self._once(("crop", *_identity(photo), lossless), pack)

    def seen(self, photo: Photo, circuit: Circuit | None) -> WebP:
        """What the network sees of a photo, for the page to fetch."""
        uri = self.crop(photo, circuit)

        def pack() -> WebP:
            head, _, body = uri.partition(",")
            # A file may carry it in another format.
            return kept(base64.b64decode(body)) if head == _WEBP else webp(from_data_uri(uri))

        return self._once(("seen", uri), pack)

    def compared(self, left: Circuit, right: Circuit) -> Comparison:
        """What two circuits share; found once for the two."""
        # The circuits are kept with the answer, so that no other can get their identities meanwhile.
        return self._once(("compared", id(left), id(right)), lambda: (left, right, circuits.compare(left, right)))[2]

    def channels(self, circuit: Circuit, layer: str) -> int | None:
        """Channels of a circuit's layer, or `None` if it is not one of this network."""
        return self.fit.cut(circuit).layer(layer).channels if self.fit.is_known(circuit) else None

    def home(self, circuit: Circuit) -> "Library":
        """The library of the network that a circuit was found in, if that is loaded; else this one."""
        sha256 = circuit.network.sha256
        return self if sha256 == self.network.sha256 else self._others(sha256) or self

    def warmed(self, circuit: Circuit) -> Circuit:
        """A circuit of this network with its photo's activations at hand, so that no question waits for them."""
        return replace(circuit, cache=forward_cache(self.network, circuit))

    def key(self, circuit: Circuit, name: str) -> str:
        """Content address of the picture of a unit of this network; "" of what is in no group, which has none."""
        subject = subject_of(circuit, name)
        return "" if subject is None else self.gallery.key(subject)

    def is_dead(self, circuit: Circuit, name: str) -> bool:
        """Whether nothing was found that excites a unit; `False` if that is not known."""
        subject = subject_of(circuit, name)
        return subject is not None and self.fit.is_own(circuit) and self.gallery.dead(subject)

    def picture(self, circuit: Circuit, name: str) -> str:
        """Address of a unit's picture for the page: made by this network, or in the file; "" if missing."""
        node = circuit.nodes[name]
        if self.fit.is_own(circuit):
            key = self.key(circuit, name)
            return f"picture/{key}.webp" if key and self.gallery.file(key) is not None else ""
        return node.picture or ""

    def with_pictures(self, circuit: Circuit) -> Circuit:
        """The circuit with all pictures that are made; unfinished ones and those that show nothing are left out."""
        if not self.fit.is_own(circuit):
            return circuit
        found: dict[str, str] = {}
        for node in circuit.nodes.values():
            key = self.key(circuit, node.id)
            path = self.gallery.file(key) if key else None
            if path is not None and not self.is_dead(circuit, node.id):
                with Image.open(path) as image:
                    found[node.id] = to_data_uri(image.convert("RGB"))
        return circuit.with_pictures(found)


def _identity(photo: Photo) -> tuple[Hashable, ...]:
    """What tells a photo as it is shown from others.

    A whole one is told by its pixels and is not kept alive; of others the fingerprint says nothing of the crop.
    """
    return (photo.sha256, photo.window) if photo.whole else (id(photo.pixels), photo)


def closed(circuit: Circuit, layer: str | None = None) -> list[str]:
    """Ids of the visible units, of one layer or of all, that are not expanded although something lies below them."""
    nodes = (circuit.nodes[name] for name in circuit.visible)
    return [
        node.id
        for node in nodes
        if not node.expanded and node.unit.layer not in circuit.lowest and layer in (None, node.unit.layer)
    ]
