"""A photo run through a network with units of some layers ablated, for many sets of units at once.

Of a layer of groups the activation is coded anew as it arrives, with the dictionary and the weights that the photo had.
What is kept is put on the baseline b, the other way round where the residual is kept, of which all groups are part:

    b + Σ_kept (h_g − h̄_g) d_g ,     a − Σ_not kept (h_g − h̄_g) d_g ,     h̄ the baseline's own code (0 for zero)
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from circuits.attribution.baseline import Baseline
from circuits.groups.coding import Code, code_maps
from circuits.network.device import halving
from circuits.shapes import Activations
from circuits.tracing.intervene import Edit, EditedRun
from circuits.tracing.run import ForwardCache
from circuits.tracing.targets import Target

_BATCH_BYTES = 32 * 2**20


class AblatedNetwork:
    """Runs one photo up to a target's layer with units of lower layers, named from the image up, at a baseline."""

    def __init__(self, run: ForwardCache, target: Target, layers: Sequence[str], baseline: Baseline) -> None:
        self._run, self._device = EditedRun(run, target.unit.layer, layers), run.network.device
        self._codes = {name: run.code(target, name) for name in layers if name in run.dictionaries}
        self._baselines = {name: baseline.of(name, run.activations[name]) for name in layers}
        self._usual = {name: code.at_baseline(self._baselines[name]) for name, code in self._codes.items()}
        self._at_once = max(1, min(64, _BATCH_BYTES // (4 * self._run.largest)))

    def __call__(self, kept: NDArray[np.bool_]) -> Activations:
        """The top layer's activation for each set, (sets, C, H, W).

        Args:
            kept: which units are kept, (sets, units), those of all ablated layers one after the other.
        """
        masks = torch.from_numpy(kept).to(self._device)
        return torch.cat([part for some in torch.split(masks, self._at_once) for part in halving(self._run_some, some)])

    def _run_some(self, masks: Tensor) -> Tensor:
        widths = [
            self._codes[name].units if name in self._codes else baseline.shape[1]
            for name, baseline in self._baselines.items()
        ]
        edits: dict[str, Edit] = {}
        for (name, baseline), kept in zip(self._baselines.items(), torch.split(masks, widths, dim=1), strict=True):
            if name in self._codes:
                code, usual = self._codes[name], self._usual[name]
                edits[name] = partial(_recoded, kept=kept, baseline=baseline, code=code, usual=usual)
            else:
                edits[name] = partial(_ablated, kept=kept[:, :, None, None], baseline=baseline)
        return self._run(edits, len(masks))


def _recoded(activation: Tensor, kept: Tensor, baseline: Tensor, code: Code, usual: Code | None) -> Tensor:
    directions = code.dictionary.directions.to(activation)
    weights = code_maps(code.dictionary, activation, code.importance)
    if usual is not None:
        weights = weights - usual.weights.to(activation)
    groups, residual = kept[:, :-1, None, None], kept[:, -1:, None, None]
    on_baseline = baseline.to(activation) + torch.einsum("nghw,gc->nchw", weights * groups, directions)
    taken_away = activation - torch.einsum("nghw,gc->nchw", weights * ~groups, directions)
    coded = torch.where(residual, taken_away, on_baseline)
    return coded.contiguous(memory_format=torch.channels_last)


def _ablated(activation: Tensor, kept: Tensor, baseline: Tensor) -> Tensor:
    ablated = torch.where(kept, activation, baseline.to(activation))
    return ablated.contiguous(memory_format=torch.channels_last)
