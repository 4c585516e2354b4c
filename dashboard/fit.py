"""Whether circuits fit the network of a page, and what each of them can be asked there."""

from circuits.atlas import class_circuit
from circuits.atlas.atlas import Atlas
from circuits.errors import CircuitsError, InputError
from circuits.network.network import Network
from circuits.report.atlas_sentences import EXPANDING_NEEDS_ATLAS, GROUPS_NEED_PHOTOS, needs_one_photo, without_atlas
from circuits.tracing.circuit import Circuit
from circuits.units import Unit
from dashboard.once import Once

_CUTS = 32


class Fit:
    """How circuits fit a network, and its atlas; may be asked by many threads.

    Args:
        network: the network.
        atlas: that was made with it, if there is one.
    """

    def __init__(self, network: Network, atlas: Atlas | None) -> None:
        self.network = network
        self.atlas = atlas
        self._once = Once(_CUTS)

    def is_own(self, circuit: Circuit) -> bool:
        """Whether a circuit was found in this network: it says so, and the network has all of its units."""
        return circuit.network.sha256 == self.network.sha256 and not self._misfit(circuit)

    def is_known(self, circuit: Circuit) -> bool:
        """Whether this network has the layers of a circuit; that of a class needs no photo for it."""
        return self.is_own(circuit) if circuit.collection is not None else not self.why_locked(circuit)

    def cut(self, circuit: Circuit) -> Network:
        """The network cut at the circuit's layers, which may have been chosen by hand."""
        return self._cut_at(circuit.layers)

    @property
    def cut_like_atlas(self) -> Network:
        """The network cut at the layers of the atlas, of which there is one."""
        return self._cut_at(tuple(layer.name for layer in of_atlas(self.network, self.atlas).layers))

    @property
    def cut_at_hidden(self) -> Network | None:
        """Of a transformer that is cut at its tokens, the network cut at the hidden units that write them."""
        if not any(layer.is_stream for layer in self.network.layer_list):
            return None
        return self._once("auto", lambda: self.network.with_layers("auto"))

    def is_at_hidden(self, layers: tuple[str, ...]) -> bool:
        """Whether layers are those hidden units, of which neither groups nor means are known."""
        hidden = self.cut_at_hidden
        return hidden is not None and hidden.layers == layers

    def _cut_at(self, layers: tuple[str, ...]) -> Network:
        return self._once(layers, lambda: self.network.with_layers(layers))

    def why_locked(self, circuit: Circuit) -> str:
        """Why no unit of a circuit can be expanded, in a sentence; "" if they can."""
        if circuit.network.sha256 != self.network.sha256:
            name = circuit.network.name
            which = f"{name} ({circuit.network.sha256[:12]})" if name == self.network.name else name
            return (
                f"This circuit is of another network, {which}: you can look at it and discard "
                f"units, but {self.network.name} cannot expand it."
            )
        if circuit.collection is not None:
            return self._misfit(circuit) or needs_one_photo(circuit)
        if circuit.photo is None:
            return self._misfit(circuit) or "This circuit's file holds no photo: you can look at it, but not expand it."
        crop, (height, width) = circuit.photo, self.network.preprocessing.size
        if not crop.whole and crop.image.size != (width, height):
            size = f"{crop.image.width}×{crop.image.height}"
            return f"This circuit's photo is {size} pixels, and {self.network.name} sees {width}×{height}."
        return self._misfit(circuit)

    def why_not_expand(self, circuit: Circuit, name: str, locked: str) -> str:
        """Why one unit cannot be expanded, in a sentence; "" if it can."""
        if refused := self.why_not_grow(circuit, locked):
            return refused
        if circuit.collection is not None:
            return class_circuit.why_not_expand(of_atlas(self.network, self.atlas), circuit, Unit.parse(name))
        if self.cut(circuit).below(circuit.nodes[name].unit.layer) is None:
            return f"{name} is in the lowest layer; only the image is below it."
        return ""

    def most_below(self, circuit: Circuit) -> int | None:
        """Units that the circuit of a class can show below one, as many as the atlas keeps; `None` of a photo."""
        return None if circuit.collection is None or self.atlas is None else min(self.atlas.record.links)

    def why_not_grow(self, circuit: Circuit, locked: str) -> str:
        """Why a circuit cannot be expanded, in a sentence; "" if it can: that of a class needs the atlas alone."""
        if circuit.collection is None or not self.is_own(circuit):
            return locked
        if circuit.dictionaries:
            return GROUPS_NEED_PHOTOS
        return "" if self.atlas is not None else EXPANDING_NEEDS_ATLAS

    def _misfit(self, circuit: Circuit) -> str:
        """Why a circuit that says it is of this network cannot be, in a sentence; "" if it can."""

        def compare() -> str:
            try:
                network = self.cut(circuit)
                for unit in circuit.extent:
                    network.check_unit(unit)
            except CircuitsError as error:
                return f"This circuit's layers are not those of {self.network.name}: {error}"
            return ""

        return self._once((circuit.layers, circuit.extent), compare)


def of_atlas(network: Network, atlas: Atlas | None) -> Atlas:
    """The atlas of a network.

    Raises:
        InputError: if there is none.
    """
    if atlas is None:
        raise InputError(without_atlas(network.name))
    return atlas
