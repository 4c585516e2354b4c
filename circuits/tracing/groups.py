"""Groups of a circuit: what is drawn of them, what is at each position of the photo, and which are nearly the same."""

import hashlib

import torch

from circuits.errors import InputError, UnknownError
from circuits.groups.coding import Code
from circuits.groups.dictionary import Dictionary
from circuits.groups.layer_direction import LayerDirection, Subject
from circuits.network.network import Network
from circuits.shapes import Activation
from circuits.tracing.circuit import Circuit
from circuits.tracing.run import ForwardCache, number_of
from circuits.tracing.source import Source, forward_cache
from circuits.tracing.targets import target_of
from circuits.units import Address, Group, Unit


def subject_of(circuit: Circuit, name: str) -> Subject | None:
    """What is drawn of a node: its channel, or the direction of its group; `None` for what is in no group."""
    unit = circuit.node(name).unit
    if isinstance(unit, Unit):
        return unit.whole
    if unit.number is None:
        return None
    return LayerDirection.of(unit, circuit.dictionaries[unit.layer].directions[unit.number])


def code_of(run: ForwardCache, source: Source, group: Group) -> Code:
    """A photo's code in the dictionary of a group's layer.

    Raises:
        UnknownError: if the source is no circuit with that group.
    """
    if not isinstance(source, Circuit) or group.layer not in run.dictionaries:
        raise UnknownError(
            f"{group} is a group of channels, whose direction a circuit carries; give a circuit with groups in "
            f"{group.layer}, such as one that `trace` made with groups=8."
        )
    check_address(run, group)
    return run.code(target_of(source), group.layer)


def address_at(run: ForwardCache, layer: str, index: int) -> Address:
    """The unit with a number among those of a layer: a group where the run has a dictionary of it, or a channel."""
    return Group(layer, index) if layer in run.dictionaries else Unit(layer, index)


def check_address(run: ForwardCache, unit: Address) -> None:
    """Refuse a unit that the network lacks, or a group that its layer's dictionary lacks.

    Raises:
        UnknownError: if there is none.
    """
    if isinstance(unit, Unit):
        run.network.check_unit(unit)
        return
    groups = run.dictionaries[unit.layer].groups if unit.layer in run.dictionaries else 0
    if not groups or (unit.number is not None and unit.number >= groups):
        raise UnknownError(f"No group {unit}; {unit.layer} has {groups} groups, from 0.")


def part_of(run: ForwardCache, source: Source, unit: Address) -> Activation:
    """A unit's part of what is shared out of its layer's activation, (1, C, H, W), as `ForwardCache.part` has it.

    Raises:
        UnknownError: if the network has no such unit, or the source is no circuit with that group.
    """
    if isinstance(unit, Group):
        code_of(run, source, unit)
    else:
        run.network.check_unit(unit)
    return run.part(target_of(source) if isinstance(source, Circuit) else None, unit)


def heat_of(network: Network, source: Source, group: Group) -> torch.Tensor:
    """Where a group is active in a circuit's photo, h_g(p) · ‖d_g‖; of what is in no group ‖r(p)‖, (H, W)."""
    run = forward_cache(network, source)
    return code_of(run, source, group).map(number_of(group))


def dictionaries_key(circuit: Circuit, layer: str = "") -> str:
    """What tells the groups of a circuit, or of one of its layers, from those of another one; "" if it has none."""
    found = {name: each for name, each in circuit.dictionaries.items() if layer in ("", name)}
    if not found:
        return ""
    digest = hashlib.sha256(circuit.root.encode())
    for name, dictionary in sorted(found.items()):
        digest.update(f"\n{name} {dictionary.weighted}\n".encode())
        for part in (dictionary.directions, dictionary.encoder, dictionary.bias):
            digest.update(b"-" if part is None else part.numpy().tobytes())
    return digest.hexdigest()[:32]


def cosines(dictionary: Dictionary, number: int) -> list[tuple[int, float]]:
    """The other groups of a dictionary with the cosine of their directions to one of them, the nearest first.

    Raises:
        InputError: if there is no such group.

    Example:
        >>> cosines(Dictionary(torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]]), "by hand"), 0)
        [(2, 1.0), (1, 0.0)]
    """
    if not 0 <= number < dictionary.groups:
        raise InputError(f"There is no group {number}; there are {dictionary.groups}, from 0.")
    rows = torch.nn.functional.normalize(dictionary.directions.double(), dim=1)
    near = (rows @ rows[number]).tolist()
    others = [other for other in range(dictionary.groups) if other != number]
    return sorted(((other, near[other]) for other in others), key=lambda pair: (-pair[1], pair[0]))
