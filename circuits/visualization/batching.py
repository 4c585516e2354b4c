"""Which objectives are drawn together: as many as are fast and fit into memory.

1. Objectives are grouped by the highest layer that they read (the network is cut above it) and by whether they compare
   with a photo.
2. A batch has as many images as fill FAST_PIXELS pixels, beyond which nothing is gained, but no more than fit into
   BATCH_BYTES with all that a step back keeps; what one image keeps is counted while one is run.
3. The images of one objective stay together, however many they are.
"""

from collections.abc import Sequence
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from circuits.network.network import Network
from circuits.visualization.forward import BatchSlice, Canvas, forward
from circuits.visualization.objectives.base import layers_of
from circuits.visualization.optimize import RenderTask

FAST_PIXELS = 8 * 128 * 128
LARGEST_BATCH = 32
BATCH_BYTES = 1 << 30

_kept: WeakKeyDictionary[Network, dict[tuple[object, ...], int]] = WeakKeyDictionary()


def top_layer(network: Network, task: RenderTask) -> str:
    """The highest layer that a task reads.

    Raises:
        UnknownError: if one of its layers does not exist.
    """
    for name in layers_of(task.objective):
        network.layer(name)
    return max(layers_of(task.objective), key=network.layers.index)


def grouped(network: Network, tasks: Sequence[RenderTask]) -> list[list[int]]:
    """Numbers of the tasks that may share a batch: one highest layer, and all with a photo or all without."""
    groups: dict[tuple[str, bool], list[int]] = {}
    for number, task in enumerate(tasks):
        groups.setdefault((top_layer(network, task), task.objective.photo is None), []).append(number)
    return list(groups.values())


def chunked(network: Network, tasks: Sequence[RenderTask], canvas: Canvas, shown: int) -> list[list[int]]:
    """Numbers of the tasks of each batch, in order.

    Args:
        network: the network.
        tasks: of one group.
        canvas: on which they are drawn.
        shown: side of the images as the network is shown them, in pixels.
    """
    most = largest_batch(network, tasks[0], canvas, shown)
    batches: list[list[int]] = []
    room = 0
    for number, task in enumerate(tasks):
        if not batches or len(task.seeds) > room:
            batches.append([])
            room = most
        batches[-1].append(number)
        room -= len(task.seeds)
    return batches


def largest_batch(network: Network, task: RenderTask, canvas: Canvas, shown: int) -> int:
    """How many images are drawn at once: at least one."""
    fast = min(LARGEST_BATCH, FAST_PIXELS // canvas.side**2)
    return max(1, min(fast, BATCH_BYTES // max(1, bytes_kept(network, task, canvas, shown))))


def bytes_kept(network: Network, task: RenderTask, canvas: Canvas, shown: int) -> int:
    """Memory that a step keeps for the way back, for one image: counted in one run, once a layer and size."""
    key = (*sorted({(read.layer, read.channels is None) for read in task.objective.reads}), canvas, shown)
    known = _kept.setdefault(network, {})
    if key not in known:
        known[key] = _counted(network, task, canvas, shown)
    return known[key]


def _counted(network: Network, task: RenderTask, canvas: Canvas, shown: int) -> int:
    """Bytes of the storages that autograd saves, parameters left out, each counted once."""
    saved: dict[int, int] = {}
    own = {parameter.untyped_storage().data_ptr() for parameter in network.traced.parameters()}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            saved[storage.data_ptr()] = storage.nbytes()
        alive.append(tensor)
        return tensor

    alive: list[Tensor] = []  # so that no address is used twice while we count
    reader = BatchSlice(task.objective.reads, 1)
    image = torch.full((1, network.preprocessing.channels, shown, shown), 0.5, requires_grad=True)
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        forward(network, canvas, [reader], image)
    return sum(saved.values())
