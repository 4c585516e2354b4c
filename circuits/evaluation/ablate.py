"""A photo run through a network with channels of some layers ablated, for many sets of channels at once."""

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


class AblatedNetwork:
    """Runs one photo up to a layer `top` with channels of lower layers, named from the image up, at a baseline."""

    def __init__(self, run: ForwardCache, top: str, layers: Sequence[str], baseline: Baseline) -> None:
        self._run = EditedRun(run, top, layers)
        self._baselines = {name: baseline.of(name, run.activations[name]) for name in layers}
        self._at_once = max(1, min(64, _BATCH_BYTES // (4 * self._run.largest)))

    def __call__(self, kept: NDArray[np.bool_]) -> Activations:
        """The top layer's activation for each set, (sets, C, H, W).

        Args:
            kept: which channels are kept, (sets, channels), those of all ablated layers one after the other.
        """
        return torch.cat([self._run_some(some) for some in torch.split(torch.from_numpy(kept), self._at_once)])

    def _run_some(self, masks: Tensor) -> Tensor:
        widths = [baseline.shape[1] for baseline in self._baselines.values()]
        edits = {
            name: partial(_ablated, kept=kept[:, :, None, None], baseline=baseline)
            for (name, baseline), kept in zip(self._baselines.items(), torch.split(masks, widths, dim=1), strict=True)
        }
        return self._run(edits, len(masks))


def _ablated(activation: Tensor, kept: Tensor, baseline: Tensor) -> Tensor:
    ablated = torch.where(kept, activation, baseline.to(activation))
    return ablated.contiguous(memory_format=torch.channels_last)
