"""A photo run through a network with channels of some layers replaced by a baseline, in many ways at once."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from circuits.attribution.ablation import Baseline
from circuits.shapes import Activations
from circuits.tracing.intervene import EditedRun
from circuits.tracing.run import ForwardCache

_BATCH_BYTES = 32 * 2**20


class Ablating:
    """Runs one photo to a layer, with channels of some lower layers replaced.

    Args:
        run: of the photo.
        top: the layer that is wanted.
        layers: those with replaced channels, from the image up.
        baseline: what stands in the place of replaced channels.

    Raises:
        UnknownError: if the baseline knows nothing of a layer.
    """

    def __init__(self, run: ForwardCache, top: str, layers: Sequence[str], baseline: Baseline) -> None:
        self._run = EditedRun(run, top, layers)
        self._baselines = {name: baseline.of(name, run.activations[name]) for name in layers}
        self._at_once = max(1, min(64, _BATCH_BYTES // (4 * self._run.largest)))

    def __call__(self, kept: NDArray[np.bool_]) -> Activations:
        """The wanted layer's activation for each way, (ways, C, H, W).

        Args:
            kept: which channels of the replaced layers are kept, (ways, channels), those of all layers one after the
                other.
        """
        return torch.cat([self._run_some(some) for some in torch.split(torch.from_numpy(kept), self._at_once)])

    def _run_some(self, masks: Tensor) -> Tensor:
        widths = [baseline.shape[1] for baseline in self._baselines.values()]
        edits = {
            name: partial(_replaced, kept=kept[:, :, None, None], baseline=baseline)
            for (name, baseline), kept in zip(self._baselines.items(), torch.split(masks, widths, dim=1), strict=True)
        }
        return self._run(edits, len(masks))


def _replaced(activation: Tensor, kept: Tensor, baseline: Tensor) -> Tensor:
    found = torch.where(kept, activation, baseline.to(activation))
    return found.contiguous(memory_format=torch.channels_last)
