"""Self-attention, encoder blocks and positions: the parts of a Transformer, without embeddings and heads.

Written on `scaled_dot_product_attention`, which picks a fused kernel where the device has one, but for one case.

Shapes: B examples, T positions, D hidden size, H heads of size d.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlbench.models._stochastic_depth import StochasticDepth

BASE = 10_000.0
"""Wavelengths of positions go from 2π to 2π times this (Vaswani et al. 2017, §3.5; Su et al. 2021, §3.2.2)."""


class SelfAttention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017, §3.2.2), its three projections as one matrix product.

    Args:
        size: D.
        heads: H; divides D.
        rotary: turns queries and keys by their positions; None: positions are told elsewhere.
    """

    def __init__(self, size: int, heads: int, rotary: Rotary | None = None) -> None:
        super().__init__()
        self.heads, self.rotary = heads, rotary
        self.project = nn.Linear(size, 3 * size)
        self.out = nn.Linear(size, size)
        for weight in (*self.project.weight.chunk(3), self.out.weight):
            nn.init.xavier_uniform_(weight)
        nn.init.zeros_(self.project.bias)
        nn.init.zeros_(self.out.bias)

    def forward(self, states_BTD: Tensor, mask: Tensor | None = None) -> Tensor:
        """What each position gathers from the positions that the mask (bool, broadcast to B, H, T, T) allows."""
        heads_BT3Hd = self.project(states_BTD).unflatten(2, (3, self.heads, -1))
        q_BHTd, k_BHTd, v_BHTd = heads_BT3Hd.permute(2, 0, 3, 1, 4)
        if self.rotary is not None:
            q_BHTd, k_BHTd = self.rotary(q_BHTd), self.rotary(k_BHTd)
        mixed_BHTd = attend(q_BHTd, k_BHTd, v_BHTd, mask)
        mixed_BTD: Tensor = self.out(mixed_BHTd.transpose(1, 2).flatten(2))
        return mixed_BTD


def attend(q_BHTd: Tensor, k_BHTd: Tensor, v_BHTd: Tensor, mask: Tensor | None) -> Tensor:
    """Softmax of q·k/√d over the allowed positions, times v (Vaswani et al. 2017, equation 1); (B, H, T, d).

    In 16 bits on a CPU, torch's fused kernel is slow on the way back (2.13, 128 × 65 positions, 4 heads of 16: 75 ms
    for both ways, 15 for plain products, a ViT trains 2 to 4 times as fast), so without a mask it is not used there.
    """
    if mask is None and q_BHTd.is_cpu and q_BHTd.dtype.itemsize == 2:
        score_BHTT = (q_BHTd * q_BHTd.shape[3] ** -0.5) @ k_BHTd.transpose(2, 3)
        mixed_BHTd: Tensor = score_BHTT.softmax(3) @ v_BHTd
        return mixed_BHTd
    return F.scaled_dot_product_attention(q_BHTd, k_BHTd, v_BHTd, attn_mask=mask)


class EncoderBlock(nn.Module):
    """Self-attention, then a feed-forward part at each position; both are added to what they read.

    The norm comes after each sum (Vaswani et al. 2017, §3.1), or before each part (Xiong et al. 2020, figure 1b).

    Args:
        size: D.
        heads: H; divides D.
        ff_size: inner size of the feed-forward part.
        dropout: on the output of both parts.
        pre_norm: norm before each part, not after each sum.
        rotary: turns queries and keys by their positions.
        activation: within the feed-forward part.
        inner_dropout: after the activation.
        stochastic_depth: chance in training that a part adds nothing to an example.
        norm_eps: added to variances.
    """

    def __init__(
        self,
        size: int,
        heads: int,
        ff_size: int,
        dropout: float,
        *,
        pre_norm: bool,
        rotary: Rotary | None = None,
        activation: Callable[[Tensor], Tensor] = F.relu,
        inner_dropout: float = 0.0,
        stochastic_depth: float = 0.0,
        norm_eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.pre_norm, self.activation = pre_norm, activation
        self.attention = SelfAttention(size, heads, rotary)
        self.widen, self.narrow = nn.Linear(size, ff_size), nn.Linear(ff_size, size)
        self.attention_norm, self.ff_norm = nn.LayerNorm(size, eps=norm_eps), nn.LayerNorm(size, eps=norm_eps)
        self.dropout = nn.Sequential(nn.Dropout(dropout), StochasticDepth(stochastic_depth))
        self.inner_dropout = nn.Dropout(inner_dropout)
        for linear in (self.widen, self.narrow):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, states_BTD: Tensor, mask: Tensor | None = None) -> Tensor:
        """New states, (B, T, D); the mask (bool, broadcast to B, H, T, T) says who may attend to whom."""
        if self.pre_norm:
            states_BTD = states_BTD + self.dropout(self.attention(self.attention_norm(states_BTD), mask))
            states_BTD = states_BTD + self.dropout(self._feed_forward(self.ff_norm(states_BTD)))
        else:
            states_BTD = self.attention_norm(states_BTD + self.dropout(self.attention(states_BTD, mask)))
            states_BTD = self.ff_norm(states_BTD + self.dropout(self._feed_forward(states_BTD)))
        return states_BTD

    def _feed_forward(self, states_BTD: Tensor) -> Tensor:
        out_BTD: Tensor = self.narrow(self.inner_dropout(self.activation(self.widen(states_BTD))))
        return out_BTD


class SinusoidalPositions(nn.Module):
    """Adds sines and cosines of the position (Vaswani et al. 2017, §3.5)."""

    table: Tensor

    def __init__(self, length: int, size: int) -> None:
        super().__init__()
        angle = angles(length, (size + 1) // 2)
        table = torch.stack([angle.sin(), angle.cos()], 2).flatten(1)[:, :size]
        self.register_buffer("table", table, persistent=False)

    def forward(self, states_BTD: Tensor) -> Tensor:
        """States that know their position, (B, T, D)."""
        return states_BTD + self.table[: states_BTD.shape[1]]


class LearnedPositions(nn.Module):
    """Adds a learned vector for each position (Gehring et al. 2017, §3.1)."""

    def __init__(self, length: int, size: int) -> None:
        super().__init__()
        self.table = nn.Embedding(length, size)
        nn.init.normal_(self.table.weight, std=0.02)  # as in BERT: small beside the token vectors

    def forward(self, states_BTD: Tensor) -> Tensor:
        """States that know their position, (B, T, D)."""
        return states_BTD + self.table.weight[: states_BTD.shape[1]]


class Rotary(nn.Module):
    """Turns each pair of features by an angle that grows with the position (Su et al. 2021, equation 34).

    The product of a query and a key then depends on their distance alone.

    Args:
        length: longest sequence.
        size: d, even.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, length: int, size: int) -> None:
        super().__init__()
        angle = angles(length, size // 2)
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)

    def forward(self, states_BHTd: Tensor) -> Tensor:
        """Turned states, (B, H, T, d)."""
        width = states_BHTd.shape[2]
        cos, sin = self.cos[:width], self.sin[:width]
        x, y = states_BHTd[..., ::2], states_BHTd[..., 1::2]
        return torch.stack([x * cos - y * sin, x * sin + y * cos], 4).flatten(3)


def angles(length: int, pairs: int) -> Tensor:
    """Angle of every pair of features at every position, (length, pairs): position · BASE^(-pair / pairs)."""
    frequency = BASE ** (-torch.arange(pairs) / pairs)
    return torch.arange(length)[:, None] * frequency
