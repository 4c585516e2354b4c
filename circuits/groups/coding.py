"""The code of a photo in a layer's directions: how much of each group there is at each position.

    h(p) = argmin over h ≥ 0 of Σ_c m_c(p) · (a_c(p) − Σ_g h_g d_gc)²        (non-negative least squares)

with the importance m = 1 unless the dictionary is weighted. On the groups A that are active at a position, h_g > 0, the
code is linear in the activation there:

    h_A(p) = (D_A M Dᵀ_A)⁻¹ D_A M · a(p) = e_A(p) · a(p) ,     M = diag(m(p)) ,     e_g(p) = 0 for the others,

so that a group is a unit like any other: piecewise linear and homogeneous. With an encoder, e_g(p) is its row wherever
E a + b > 0, and b counts to the biases.

What no group holds is the residual, r(p) = a(p) − Σ_g h_g(p) d_g. The groups' parts h_g d_g and the residual add up to
the activation.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from circuits.errors import InputError
from circuits.groups.dictionary import Dictionary
from circuits.network.device import in_doubles
from circuits.shapes import Activation, Activations, Maps, PerChannel, UnitScores

RESIDUAL = -1
"""Stands for the residual where a group's number stands otherwise: the last of a layer's units."""
_RIDGE = 1e-9
_MOST_NUMBERS = 2**27


@dataclass(frozen=True, eq=False)
class Code:
    """One photo's code in a layer.

    Args:
        dictionary: of the layer.
        activation: of the layer, (1, C, H, W).
        weights: h, (K, H, W), of the activation's type.
        inverse: (D_A M Dᵀ_A)⁻¹ at each position, zero for groups that are not active there, (H·W, K, K), float64;
            with an encoder 1 or 0 for each group, (H·W, K, 1).
        importance: m, (C, H·W), float64; `None` where all count alike.
    """

    dictionary: Dictionary
    activation: Activation
    weights: Maps
    inverse: Float[Tensor, "positions groups others"]
    importance: Float[Tensor, "channels positions"] | None = None

    @property
    def units(self) -> int:
        """Number of groups and, as the last unit, the residual."""
        return self.dictionary.groups + 1

    @cached_property
    def residual(self) -> Maps:
        """r, what no group holds, (C, H, W)."""
        return self.activation[0] - torch.einsum("ghw,gc->chw", self.weights, self._directions)

    def part(self, group: int) -> Maps:
        """h_g d_g, or the residual, (C, H, W)."""
        if group == RESIDUAL:
            return self.residual
        return self.weights[group] * self._directions[group][:, None, None]

    def shares(self, gradient: Maps) -> UnitScores:
        """Σ_hw part · gradient of each group and, last, of the residual, (K + 1,).

        S_g = Σ_p h_g(p) · (d_g · ∂f/∂a(p)) ,   S_r = Σ_p r(p) · ∂f/∂a(p) ,   Σ_g S_g + S_r = Σ_j S_j
        """
        return self.terms(gradient).sum((1, 2))

    def terms(self, gradient: Maps) -> Float[Tensor, "units rows columns"]:
        """What each position adds to the shares, (K + 1, H, W)."""
        along = torch.einsum("gc,chw->ghw", self._directions, gradient)
        return torch.cat([self.weights * along, (self.residual * gradient).sum(0)[None]])

    def at_baseline(self, instead: PerChannel) -> "Code | None":
        """The code of what stands in the place of each channel, (1, C, 1, 1), weighed as this one is; `None` for zero.

        At zero no group is there at all, whatever an encoder's bias would make of it.
        """
        if not bool((instead != 0).any()):
            return None
        like, key = self.activation, in_doubles(instead).numpy().tobytes()
        if key not in self._at:
            self._at[key] = encode(self.dictionary, instead.to(like).expand_as(like).contiguous(), self.importance)
        return self._at[key]

    @cached_property
    def _at(self) -> dict[bytes, "Code"]:
        return {}

    def value(self, group: int) -> float:
        """Σ_p h_g(p) or, of the residual, Σ_p Σ_c r_c(p)."""
        return float(self.residual.sum() if group == RESIDUAL else self.weights[group].sum())

    def reading(self, group: int, gradient: Maps | None = None) -> Maps:
        """The weights with which a group's value reads the activation, (C, H, W), while the same groups are active.

        e_g(p) or, with a target's gradient, e_g(p) · (d_g · ∂T/∂a(p)). The value is Σ weights · activation and, with an
        encoder, its bias.
        """
        channels, positions = self.activation.shape[1], len(self.inverse)
        worth = torch.ones(channels, positions, dtype=torch.float64)
        if gradient is not None:
            worth = in_doubles(gradient).reshape(channels, positions)
        directions = in_doubles(self.dictionary.directions)
        if group == RESIDUAL:
            read = worth.clone()
            for number, direction in enumerate(directions):
                read -= direction @ worth * self._encoder(number)
        else:
            read = self._encoder(group) if gradient is None else self._encoder(group) * (directions[group] @ worth)
        return read.to(self.activation).reshape(self.activation.shape[1:])

    def _encoder(self, group: int) -> Tensor:
        """(C, H·W), float64."""
        if self.dictionary.encoder is not None:
            row = in_doubles(self.dictionary.encoder[group])
            return row[:, None] * self.inverse[:, group, 0][None]
        read = torch.einsum("pk,kc->cp", self.inverse[:, group], in_doubles(self.dictionary.directions))
        return read if self.importance is None else read * self.importance

    def map(self, group: int) -> Float[Tensor, "rows columns"]:
        """Where a group is active, h_g(p) · ‖d_g‖; of the residual its length, ‖r(p)‖."""
        if group == RESIDUAL:
            return self.residual.square().sum(0).sqrt()
        return self.weights[group] * self._directions[group].square().sum().sqrt()

    @property
    def _directions(self) -> Tensor:
        directions: Tensor = self.dictionary.directions
        return directions.to(self.activation)


def importance_of(gradient: Maps) -> Float[Tensor, "channels positions"]:
    """What a channel at a position is worth to a target, from the target's gradient: m of the file's head.

    m_c(p) = |∂T/∂a_c(p)| + 0.2 · √(mean_p (∂T/∂a_c(p))²) ,   divided by its mean

    The second term keeps a channel that matters somewhere from being free elsewhere.
    """
    size = in_doubles(gradient).abs().flatten(1)
    worth = size + 0.2 * size.square().mean(1, keepdim=True).sqrt()
    mean = worth.mean()
    # Where nothing reaches the target all count alike; a thousandth keeps every system of equations solvable.
    return torch.ones_like(worth) if not mean > 0 else worth / mean + 1e-3


def encode(
    dictionary: Dictionary, activation: Activation, importance: Float[Tensor, "channels positions"] | None = None
) -> Code:
    """The code of one photo's activation.

    Args:
        dictionary: of the layer.
        activation: of the layer, (1, C, H, W).
        importance: from `importance_of`, for a weighted dictionary.

    Raises:
        InputError: if the layer has another number of channels than the dictionary.

    Example:
        >>> halves = Dictionary(torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), "by hand")
        >>> code = encode(halves, torch.tensor([3.0, 1.0, 5.0])[None, :, None, None])
        >>> code.weights.flatten().tolist(), code.residual.flatten().tolist()
        ([2.0, 5.0], [1.0, -1.0, 0.0])
    """
    channels = activation.shape[1]
    if dictionary.channels != channels:
        raise InputError(
            f"The dictionary has directions over {dictionary.channels} channels and the layer has {channels}; "
            "it belongs to another layer or network."
        )
    weights, inverse = _solve(dictionary, in_doubles(activation[0].flatten(1)), importance)
    height, width = activation.shape[2:]
    maps = weights.T.reshape(dictionary.groups, height, width).to(activation)
    return Code(dictionary, activation, maps, inverse, importance)


def code_maps(
    dictionary: Dictionary, activation: Activations, importance: Float[Tensor, "channels positions"] | None = None
) -> Float[Tensor, "n groups _h _w"]:
    """The code alone of several activations of one layer, as what was changed below makes them, (n, K, H, W)."""
    maps = [
        _weights(dictionary, in_doubles(each.flatten(1)), importance)[0].T.reshape(-1, *activation.shape[2:])
        for each in activation
    ]
    return torch.stack(maps).to(activation)


def _solve(dictionary: Dictionary, a: Tensor, importance: Tensor | None) -> tuple[Tensor, Tensor]:
    """The code, (positions, groups), and what inverts its system of equations at each position, in float64."""
    weights, gram, right = _weights(dictionary, a, importance)
    groups = dictionary.groups
    active = weights > 0
    if dictionary.encoder is not None:
        return weights, active.double()[:, :, None]
    if len(a.T) * groups**2 > _MOST_NUMBERS:
        raise InputError(
            f"{groups} groups at {len(a.T)} positions take {len(a.T) * groups**2 * 8 >> 30} GiB; give fewer groups for "
            "that layer, or none (0)."
        )
    # An inactive group has an equation of its own, h = 0, which leaves the others' inverse as it is.
    both = active[:, :, None] & active[:, None, :]
    system = torch.where(both, gram, torch.eye(groups, dtype=torch.float64))
    inverse = torch.where(both, torch.linalg.inv(system), 0.0)
    lengths = _lengths(dictionary)
    weights = torch.einsum("pgk,pk->pg", inverse, right).clamp(min=0) / lengths
    return weights, inverse / (lengths[:, None] * lengths)


def _weights(dictionary: Dictionary, a: Tensor, importance: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """The code, (positions, groups), with the normal equations' matrix (…, K, K) and right side (positions, K).

    The equations are those of directions of length 1, so that what keeps them solvable is a hair beside each.
    """
    if dictionary.encoder is not None and dictionary.bias is not None:
        code = (in_doubles(dictionary.encoder) @ a + in_doubles(dictionary.bias)[:, None]).clamp(min=0)
        return code.T, torch.empty(0), torch.empty(0)
    lengths = _lengths(dictionary)
    directions = in_doubles(dictionary.directions) / lengths[:, None]
    if importance is None:
        gram, right = (directions @ directions.T)[None], (directions @ a).T
    else:
        gram = torch.einsum("gc,cp,kc->pgk", directions, importance, directions)
        right = torch.einsum("gc,cp->pg", directions, importance * a)
    # A hair on the diagonal, for directions that are the same as others.
    diagonal = gram.diagonal(dim1=1, dim2=2).mean(1)
    gram = gram + _RIDGE * diagonal[:, None, None] * torch.eye(len(directions), dtype=torch.float64)
    return _non_negative(gram, right) / lengths, gram, right


def _lengths(dictionary: Dictionary) -> Tensor:
    return in_doubles(dictionary.directions).square().sum(1).sqrt()


def _non_negative(gram: Tensor, right: Tensor) -> Tensor:
    """Min over h ≥ 0 of hᵀ G h / 2 − hᵀ b at each position, through the Cholesky factor G = L Lᵀ: ‖Lᵀ h − L⁻¹ b‖²."""
    from scipy.optimize import nnls  # a third of a second, which circuits of channels do without

    factor = torch.linalg.cholesky(gram)
    known = torch.linalg.solve_triangular(factor.expand(len(right), *factor.shape[1:]), right[:, :, None], upper=False)[
        :, :, 0
    ]
    uppers, sides = factor.mT.contiguous().numpy(), known.numpy()
    found = np.zeros(tuple(right.shape))
    for place in np.flatnonzero((right > 0).any(1).numpy()):
        found[place] = nnls(uppers[place if len(uppers) > 1 else 0], sides[place])[0]
    return torch.from_numpy(found)
