"""A hand-wired transformer whose circuit is known, and small ones with random weights.

`Handwired` sees 4 × 4 pixels as 2 × 2 patches. The rows of its tokens, a class token and four patches, are four numbers
wide; its attention looks everywhere alike. On a photo with mean red r_p and green g_p in patch p:

    patch:           0 = r_p     1 = g_p     2, 3 = 0              class token: 0, 0, 0, 1
    blocks.0.act:    0 = max(0, 2 r_p - g_p)     1 = g_p     2 = number 3 of the row: 1 in the class token
                     adds its 0 to number 2 of the row, and half its 2 to number 3
    blocks.1:        attention adds the mean of number 2 over all five tokens to number 3
    blocks.1.act:    0 = number 3 of the row, rectified; adds it to number 1
    head, of the class token:    "warm" = 3 · number 1 + number 3 + 0.1      "cold" = number 0 of the row

With h the sum of `blocks.0.act:0` over the patches, `blocks.1.act.cls:0` = 1 + 0.5 + h / 5, and
warm = 3 · blocks.1.act.cls:0 + h / 5 + 0.5 + 1 + 0.1.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, nn

from circuits import Network, Preprocessing, prepare
from tests.support.nets import randomize

SEE = Preprocessing(size=(4, 4), resize=4, mean=(0.0,) * 3, std=(1.0,) * 3, interpolation="bilinear")


class _Attention(nn.Module):
    """Self-attention; with `how` torch's function, its parts, or torch's module."""

    def __init__(self, width: int, heads: int, how: str) -> None:
        super().__init__()
        self.heads, self.how = heads, how
        if how == "module":
            self.own = nn.MultiheadAttention(width, heads, batch_first=True)
        else:
            self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        if self.how == "module":
            return self.own(x, x, x, need_weights=False)[0]
        b, t, c = x.shape
        q, k, v = self.qkv(x).reshape(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        if self.how == "function":
            made = F.scaled_dot_product_attention(q, k, v)
        else:
            made = (q @ k.transpose(-2, -1) * (c // self.heads) ** -0.5).softmax(-1) @ v
        return self.out(made.transpose(1, 2).reshape(b, t, c))


class _Block(nn.Module):
    def __init__(self, width: int, hidden: int, *, heads: int, how: str, norm: Any, act: Any, gated: bool) -> None:
        super().__init__()
        self.norm1, self.norm2, self.attention = norm(width), norm(width), _Attention(width, heads, how)
        self.up, self.act, self.down = nn.Linear(width, hidden * (1 + gated)), act(), nn.Linear(hidden, width)
        self.gated = gated

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        hidden = self.up(self.norm2(x))
        if self.gated:
            gate, value = hidden.chunk(2, -1)
            return x + self.down(self.act(gate) * value)
        return x + self.down(self.act(hidden))


class Tokens(nn.Module):
    """A small transformer.

    Args:
        extra: how many tokens there are beside the patches.
        how: its attention: `function`, `parts` or `module`.
        after: whether these tokens come after the patches.
        order: what is done to the rows of tokens between the two blocks.
    """

    def __init__(
        self, extra: int = 1, how: str = "function", *, width: int = 4, hidden: int = 6, heads: int = 2,
        norm: Any = nn.LayerNorm, act: Any = nn.GELU, gated: bool = False, after: bool = False,
        order: Callable[[Tensor], Tensor] | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.patch, self.after, self.order = nn.Conv2d(3, width, 2, 2), after, order
        self.token = nn.Parameter(torch.zeros(1, extra, width)) if extra else None
        options = {"heads": heads, "how": how, "norm": norm, "act": act, "gated": gated}
        self.blocks = nn.ModuleList(_Block(width, hidden, **options) for _ in range(2))
        self.norm, self.head = norm(width), nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        if self.token is not None:
            token = self.token.expand(x.shape[0], -1, -1)
            x = torch.cat([x, token] if self.after else [token, x], 1)
        x = self.blocks[0](x)
        x = self.blocks[1](x if self.order is None else self.order(x))
        return self.head(self.norm(x)[:, 0] if self.token is not None else self.norm(x).mean(1))


def tokens(module: nn.Module, *, seed: int | None = 0, size: tuple[int, int] = (4, 6)) -> Network:
    """A small transformer with random weights, or with its own if the seed is `None`, prepared."""
    if seed is not None:
        randomize(module, seed)
    see = Preprocessing(size=size, resize=min(size), mean=(0.0,) * 3, std=(1.0,) * 3, interpolation="bilinear")
    return prepare(module.eval(), name="tokens", source="by hand", preprocessing=see, labels=["warm", "cold"])


def handwired() -> Network:
    """The transformer that the head of this file describes."""
    module = Tokens(width=4, hidden=3, heads=1, norm=lambda _: nn.Identity(), act=nn.ReLU)
    with torch.no_grad():
        for value in module.parameters():
            value.zero_()
        module.patch.weight[0, 0], module.patch.weight[1, 1] = 0.25, 0.25
        assert module.token is not None
        module.token[0, 0, 3] = 1
        first, second = module.blocks
        first.up.weight[0], first.up.weight[1] = torch.tensor([2.0, -1, 0, 0]), torch.tensor([0.0, 1, 0, 0])
        first.up.weight[2, 3], first.down.weight[2, 0], first.down.weight[3, 2] = 1, 1, 0.5
        second.attention.qkv.weight[8 + 3, 2], second.attention.out.weight[3, 3] = 1, 1
        second.up.weight[0, 3], second.down.weight[1, 0] = 1, 1
        module.head.weight[0], module.head.weight[1, 0] = torch.tensor([0.0, 3, 0, 1]), 1
        module.head.bias[0] = 0.1
    return tokens(module, seed=None, size=(4, 4))


class SlowFrozen:
    """The slow definition of mode `frozen`: the forward of `Tokens` written out, each held thing detached by hand.

    Args:
        module: the transformer, in float64.
        image: a photo, (1, 3, H, W).
    """

    def __init__(self, module: Tokens, image: Tensor) -> None:
        self.module = module.requires_grad_()
        self.points: dict[str, Tensor] = {}
        self.values: dict[str, Tensor] = {}
        patches = module.patch(image)
        self.shape = patches.shape[2:]
        x = self._own("patch", patches).flatten(2).transpose(1, 2)
        if module.token is not None:
            x = torch.cat([x, module.token] if module.after else [module.token, x], 1)
        for number, block in enumerate(module.blocks):
            x = x + self._attention(block.attention, self._norm(block.norm1, x))
            hidden = block.up(self._norm(block.norm2, x))
            if block.gated:
                gate, value = hidden.chunk(2, -1)
                hidden = block.act(gate).detach() * value
            else:
                hidden = hidden * (0.5 * (1 + torch.erf(hidden / 2**0.5))).detach()
            x = x + block.down(self._split(f"blocks.{number}.act", hidden))
        x = self._norm(module.norm, x)
        self.values["head"] = module.head(x[:, 0] if module.token is not None else x.mean(1))

    def _own(self, name: str, value: Tensor) -> Tensor:
        self.values[name], self.points[name] = value, value.detach().requires_grad_()
        return self.points[name]

    def _split(self, name: str, rows: Tensor) -> Tensor:
        count = self.shape[0] * self.shape[1]
        start = 0 if self.module.after else rows.shape[1] - count
        patches = self._own(name, rows[:, start : start + count].transpose(1, 2).unflatten(2, self.shape))
        parts = [patches.flatten(2).transpose(1, 2)]
        if rows.shape[1] > count:
            extra = rows[:, count:] if self.module.after else rows[:, :start]
            beside = self._own(f"{name}.cls", extra.transpose(1, 2)[:, :, None])
            parts.insert(len(parts) if self.module.after else 0, beside[:, :, 0].transpose(1, 2))
        return torch.cat(parts, 1)

    @staticmethod
    def _norm(norm: nn.Module, x: Tensor) -> Tensor:
        if isinstance(norm, nn.LayerNorm):
            x = x - x.mean(-1, keepdim=True)
        power = x.square().mean(-1, keepdim=True).detach()
        eps = getattr(norm, "eps", None) or torch.finfo(x.dtype).eps
        made = x / (power + eps).sqrt() * norm.weight
        return made + norm.bias if isinstance(norm, nn.LayerNorm) else made

    @staticmethod
    def _attention(own: _Attention, x: Tensor) -> Tensor:
        if own.how == "module":
            weight, bias, out = own.own.in_proj_weight, own.own.in_proj_bias, own.own.out_proj
        else:
            weight, bias, out = own.qkv.weight, own.qkv.bias, own.out
        q, k, v = F.linear(x, weight, bias).chunk(3, -1)
        size, made = x.shape[-1] // own.heads, []
        for head in range(own.heads):
            part = slice(head * size, (head + 1) * size)
            pattern = (q[..., part] @ k[..., part].transpose(1, 2) / size**0.5).softmax(-1).detach()
            made.append(pattern @ v[..., part])
        return out(torch.cat(made, -1))

    def shares(self, layer: str, channel: int) -> tuple[dict[str, Tensor], float]:
        """S_lj of every layer below, and the sum of what the constants account for."""
        constants = [value for name, value in self.module.named_parameters() if name.endswith(("bias", "token"))]
        value = self.values[layer][0, channel].sum()
        places = [*self.points.values(), *constants]
        found = torch.autograd.grad(value, places, allow_unused=True, retain_graph=True)
        terms = [None if slope is None else at * slope for at, slope in zip(places, found, strict=True)]
        own = zip(self.points, terms, strict=False)
        shares = {name: term.sum((0, 2, 3)).detach() for name, term in own if term is not None}
        return shares, sum(float(term.sum().detach()) for term in terms[len(self.points) :] if term is not None)
