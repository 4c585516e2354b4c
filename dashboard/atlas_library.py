"""What the page may ask of an atlas: the circuit of a class, and which classes a unit serves."""

from circuits.atlas.atlas import Atlas
from circuits.atlas.class_circuit import expand_class, why_not_unit
from circuits.atlas.facts import AtlasLink
from circuits.errors import InputError, UnknownError
from circuits.network.network import Network
from circuits.report.atlas_sentences import without_atlas
from circuits.tracing.circuit import Circuit
from circuits.units import Unit
from dashboard.atlas_answers import UnitInAtlas
from dashboard.session.state import Choices

MADE_OF = 5
"""Units below that a unit's pane names."""


def circuit_of_class(atlas: Atlas, of: int | Unit, choices: Choices) -> Circuit:
    """The circuit of a class over its photos, or of a unit over all photos.

    Raises:
        CircuitsError: if there is no photo of the class in the atlas, or the unit has no class-free links.
    """
    depth = min(choices.depth, len(atlas.layers) - 1)
    return atlas.circuit(of, depth=depth, top=_kept_top(atlas, choices), signs=choices.signs)


def expanded_class(atlas: Atlas, circuit: Circuit, name: str, choices: Choices) -> Circuit:
    """The circuit of a class with the lower units of one unit."""
    return expand_class(atlas, circuit, name, top=_kept_top(atlas, choices), signs=choices.signs)


def why_not_class(network: Network, atlas: Atlas | None, of: int | Unit) -> str:
    """Why there is no circuit of a class, or of a unit over all photos, in a sentence; "" if there is."""
    if atlas is None:
        return without_atlas(network.name)
    if isinstance(of, Unit):
        return why_not_unit(atlas, of)
    return "" if of in atlas.record.photos else _no_photo(network, of)


def unit_in_atlas(network: Network, atlas: Atlas, unit: Unit) -> UnitInAtlas:
    """What the atlas says of a unit of the network."""
    unit = unit.whole
    try:
        overall = atlas.unit(unit)
    except UnknownError as error:
        return UnitInAtlas(str(error))
    if unit.layer == atlas.layers[-1].name:
        own = tuple(each for each in atlas.classes_of(unit) if each.number == unit.channel)
        missing = "" if own else _no_photo(network, unit.channel)
        return UnitInAtlas(missing, overall if own else None, own, is_class=True)
    links: tuple[AtlasLink, ...] = ()
    gross = 0.0
    if atlas.has_class_free:
        found = (link for link in atlas.links(unit, class_free=True) if link.share > 0)
        links = tuple(sorted(found, key=lambda link: -link.share)[:MADE_OF])
        gross = float(atlas.table("class_free.gross", unit.layer)[unit.channel])
    suggested, unsuggested = None, ""
    try:
        suggested = atlas.suggested.get(unit)
    except InputError as error:  # of one file, which hides nothing else
        unsuggested = str(error)
    return UnitInAtlas(
        "", overall, atlas.classes_of(unit), suggested, unsuggested, made_of=links, gross=gross
    )  # fmt: skip


def _no_photo(network: Network, number: int) -> str:
    return f"The atlas has no photo of {network.label(number)}."


def _kept_top(atlas: Atlas, choices: Choices) -> int:
    """Units below each, as far as the atlas keeps them."""
    return min(choices.top, *atlas.record.links)
