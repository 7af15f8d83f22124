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
        return self.joined(attend(*self._projected(states_BTD, 0), mask))

    def weights(self, states_BTD: Tensor, mask: Tensor | None = None) -> Tensor:
        """How much each position takes from each, (B, H, T, T); rows sum to 1."""
        q_BHTd, k_BHTd, _ = self._projected(states_BTD, 0)
        return attention_weights(q_BHTd, k_BHTd, mask)

    def step(self, state_B1D: Tensor, keys: Tensor, values: Tensor, position: int) -> tuple[Tensor, Tensor, Tensor]:
        """What one new position gathers from those before and itself, (B, 1, D), and their keys and values with its.

        Args:
            state_B1D: of the new position.
            keys: of the positions before, (B, H, position, d).
            values: likewise.
            position: of the new one.
        """
        q_BH1d, k_BH1d, v_BH1d = self._projected(state_B1D, position)
        keys, values = torch.cat([keys, k_BH1d], 2), torch.cat([values, v_BH1d], 2)
        return self.joined(attend(q_BH1d, keys, values, None)), keys, values

    def _projected(self, states_BTD: Tensor, start: int) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of positions from `start` on, (B, H, T, d)."""
        heads_BT3Hd = self.project(states_BTD).unflatten(2, (3, self.heads, -1))
        q_BHTd, k_BHTd, v_BHTd = heads_BT3Hd.permute(2, 0, 3, 1, 4)
        if self.rotary is not None:
            q_BHTd, k_BHTd = self.rotary(q_BHTd, start), self.rotary(k_BHTd, start)
        return q_BHTd, k_BHTd, v_BHTd

    def joined(self, mixed_BHTd: Tensor) -> Tensor:
        """What all heads gathered, as one vector, (B, T, D)."""
        mixed_BTD: Tensor = self.out(mixed_BHTd.transpose(1, 2).flatten(2))
        return mixed_BTD


def attend(q_BHTd: Tensor, k_BHTd: Tensor, v_BHTd: Tensor, mask: Tensor | None) -> Tensor:
    """Softmax of q·k/√d over the allowed positions, times v (Vaswani et al. 2017, equation 1); (B, H, T, d).

    In 16 bits on a CPU, torch's fused kernel is slow on the way back (2.13, 128 × 65 positions, 4 heads of 16: 75 ms
    for both ways, 15 for plain products, a ViT trains 2 to 4 times as fast; with a mask, 64 × 16 positions, 4 heads of
    64: 16 and 2.4 ms), so it is not used there.
    """
    if q_BHTd.is_cpu and q_BHTd.dtype.itemsize == 2:
        mixed_BHTd: Tensor = attention_weights(q_BHTd, k_BHTd, mask) @ v_BHTd
        return mixed_BHTd
    return F.scaled_dot_product_attention(q_BHTd, k_BHTd, v_BHTd, attn_mask=mask)


def attention_weights(q_BHTd: Tensor, k_BHTd: Tensor, mask: Tensor | None) -> Tensor:
    """Softmax of q·k/√d over the allowed positions, (B, H, T, S)."""
    score_BHTS = (q_BHTd * q_BHTd.shape[3] ** -0.5) @ k_BHTd.transpose(2, 3)
    if mask is not None:
        score_BHTS = score_BHTS.masked_fill(~mask, -torch.inf)
    weight_BHTS: Tensor = score_BHTS.softmax(3)
    return weight_BHTS


class FeedForward(nn.Module):
    """Two linear layers at each position by itself (Vaswani et al. 2017, §3.3).

    Args:
        size: D.
        ff_size: inner size.
        activation: between the layers.
        inner_dropout: after the activation.
    """

    def __init__(
        self, size: int, ff_size: int, activation: Callable[[Tensor], Tensor] = F.relu, inner_dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.activation = activation
        self.widen, self.narrow = nn.Linear(size, ff_size), nn.Linear(ff_size, size)
        self.inner_dropout = nn.Dropout(inner_dropout)
        for linear in (self.widen, self.narrow):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, states_BTD: Tensor) -> Tensor:
        """New states, (B, T, D)."""
        out_BTD: Tensor = self.narrow(self.inner_dropout(self.activation(self.widen(states_BTD))))
        return out_BTD


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
        self.pre_norm = pre_norm
        self.attention = SelfAttention(size, heads, rotary)
        self.feed_forward = FeedForward(size, ff_size, activation, inner_dropout)
        self.attention_norm, self.ff_norm = nn.LayerNorm(size, eps=norm_eps), nn.LayerNorm(size, eps=norm_eps)
        self.dropout = nn.Sequential(nn.Dropout(dropout), StochasticDepth(stochastic_depth))

    def forward(self, states_BTD: Tensor, mask: Tensor | None = None) -> Tensor:
        """New states, (B, T, D); the mask (bool, broadcast to B, H, T, T) says who may attend to whom."""
        if self.pre_norm:
            states_BTD = states_BTD + self.dropout(self.attention(self.attention_norm(states_BTD), mask))
            states_BTD = states_BTD + self.dropout(self.feed_forward(self.ff_norm(states_BTD)))
        else:
            states_BTD = self.attention_norm(states_BTD + self.dropout(self.attention(states_BTD, mask)))
            states_BTD = self.ff_norm(states_BTD + self.dropout(self.feed_forward(states_BTD)))
        return states_BTD


class SinusoidalPositions(nn.Module):
    """Adds sines and cosines of the position (Vaswani et al. 2017, §3.5)."""

    table: Tensor

    def __init__(self, length: int, size: int) -> None:
        super().__init__()
        angle = angles(length, (size + 1) // 2)
        table = torch.stack([angle.sin(), angle.cos()], 2).flatten(1)[:, :size]
        self.register_buffer("table", table, persistent=False)

    def forward(self, states_BTD: Tensor, start: int = 0) -> Tensor:
        """States that know their position, the first of which is `start`, (B, T, D)."""
        return states_BTD + self.table[start : start + states_BTD.shape[1]]


class LearnedPositions(nn.Module):
    """Adds a learned vector for each position (Gehring et al. 2017, §3.1)."""

    def __init__(self, length: int, size: int) -> None:
        super().__init__()
        self.table = nn.Embedding(length, size)
        nn.init.normal_(self.table.weight, std=0.02)  # as in BERT: small beside the token vectors

    def forward(self, states_BTD: Tensor, start: int = 0) -> Tensor:
        """States that know their position, the first of which is `start`, (B, T, D)."""
        return states_BTD + self.table.weight[start : start + states_BTD.shape[1]]


class NoPositions(nn.Module):
    """Adds nothing."""

    def forward(self, states_BTD: Tensor, start: int = 0) -> Tensor:
        """The states as they are."""
        return states_BTD


def added_positions(kind: str, length: int, size: int) -> nn.Module:
    """What is added to the token vectors so that positions differ; nothing for `rotary` and `none`."""
    if kind == "sinusoidal":
        return SinusoidalPositions(length, size)
    if kind == "learned":
        return LearnedPositions(length, size)
    return NoPositions()


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

    def forward(self, states_BHTd: Tensor, start: int = 0) -> Tensor:
        """Turned states, the first of which is at position `start`, (B, H, T, d)."""
        end = start + states_BHTd.shape[2]
        cos, sin = self.cos[start:end], self.sin[start:end]
        x, y = states_BHTd[..., ::2], states_BHTd[..., 1::2]
        return torch.stack([x * cos - y * sin, x * sin + y * cos], 4).flatten(3)


def angles(length: int, pairs: int) -> Tensor:
    """Angle of every pair of features at every position, (length, pairs): position · BASE^(-pair / pairs)."""
    frequency = BASE ** (-torch.arange(pairs) / pairs)
    return torch.arange(length)[:, None] * frequency
