"""The decoder of a Transformer: blocks that attend to what was written before and to what was read.

Shapes: B examples, T positions written, S positions read, D hidden size, H heads of size d.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dlbench.models._attention import FeedForward, Rotary, SelfAttention, attend, attention_weights


class CrossAttention(nn.Module):
    """Multi-head attention from one sequence to another (Vaswani et al. 2017, §3.2.3).

    Args:
        size: D.
        heads: H; divides D.
    """

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key_value = nn.Linear(size, size), nn.Linear(size, 2 * size)
        self.out = nn.Linear(size, size)
        for weight in (self.query.weight, *self.key_value.weight.chunk(2), self.out.weight):
            nn.init.xavier_uniform_(weight)
        for linear in (self.query, self.key_value, self.out):
            nn.init.zeros_(linear.bias)

    def read(self, states_BSD: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of what is read, (B, H, S, d) each."""
        heads_BS2Hd = self.key_value(states_BSD).unflatten(2, (2, self.heads, -1))
        k_BHSd, v_BHSd = heads_BS2Hd.permute(2, 0, 3, 1, 4)
        return k_BHSd, v_BHSd

    def forward(self, states_BTD: Tensor, k_BHSd: Tensor, v_BHSd: Tensor, mask: Tensor) -> Tensor:
        """What each position gathers from the read ones that the mask (bool, broadcast to B, H, T, S) allows."""
        mixed_BHTd = attend(self._queries(states_BTD), k_BHSd, v_BHSd, mask)
        mixed_BTD: Tensor = self.out(mixed_BHTd.transpose(1, 2).flatten(2))
        return mixed_BTD

    def weights(self, states_BTD: Tensor, k_BHSd: Tensor, v_BHSd: Tensor, mask: Tensor) -> Tensor:
        """How much each position takes from each that is read, (B, H, T, S); rows sum to 1."""
        return attention_weights(self._queries(states_BTD), k_BHSd, mask)

    def _queries(self, states_BTD: Tensor) -> Tensor:
        q_BHTd: Tensor = self.query(states_BTD).unflatten(2, (self.heads, -1)).transpose(1, 2)
        return q_BHTd


class DecoderBlock(nn.Module):
    """Attention to what was written, attention to what was read, then a feed-forward part; each is added to its input.

    The norm comes after each sum (Vaswani et al. 2017, §3.1), or before each part (Xiong et al. 2020).

    Args:
        size: D.
        heads: H; divides D.
        ff_size: inner size of the feed-forward part.
        dropout: on the output of each part.
        pre_norm: norm before each part, not after each sum.
        rotary: turns queries and keys of the first attention by their positions.
    """

    def __init__(
        self, size: int, heads: int, ff_size: int, dropout: float, *, pre_norm: bool, rotary: Rotary | None = None
    ) -> None:
        super().__init__()
        self.pre_norm = pre_norm
        self.attention, self.cross = SelfAttention(size, heads, rotary), CrossAttention(size, heads)
        self.feed_forward = FeedForward(size, ff_size)
        self.norms = nn.ModuleList(nn.LayerNorm(size) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def forward(self, states_BTD: Tensor, mask: Tensor, read_BSD: Tensor, read_mask: Tensor) -> Tensor:
        """New states, (B, T, D).

        Args:
            states_BTD: of what was written.
            mask: which positions of it each position may see, bool, broadcast to (B, H, T, T).
            read_BSD: states of what was read.
            read_mask: which of those are no padding, bool, broadcast to (B, H, T, S).
        """
        states_BTD = self._added(0, states_BTD, lambda x: self.attention(x, mask))
        k_BHSd, v_BHSd = self.cross.read(read_BSD)
        return self._rest(states_BTD, k_BHSd, v_BHSd, read_mask)

    def step(
        self, state_B1D: Tensor, past: tuple[Tensor, Tensor], position: int, read: tuple[Tensor, Tensor], mask: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The new state of one more position, (B, 1, D), and the keys and values of all positions until then.

        Args:
            state_B1D: of that position.
            past: keys and values of those before, (B, H, position, d).
            position: its number.
            read: keys and values of what was read, (B, H, S, d).
            mask: which of those are no padding, bool, broadcast to (B, H, 1, S).
        """
        kept: list[Tensor] = []

        def attended(x_B1D: Tensor) -> Tensor:
            mixed_B1D, keys, values = self.attention.step(x_B1D, *past, position)
            kept.extend((keys, values))
            return mixed_B1D

        state_B1D = self._added(0, state_B1D, attended)
        return self._rest(state_B1D, *read, mask), (kept[0], kept[1])

    def _rest(self, states_BTD: Tensor, k_BHSd: Tensor, v_BHSd: Tensor, mask: Tensor) -> Tensor:
        states_BTD = self._added(1, states_BTD, lambda x: self.cross(x, k_BHSd, v_BHSd, mask))
        return self._added(2, states_BTD, self.feed_forward)

    def _added(self, part: int, states_BTD: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
        norm = self.norms[part]
        if self.pre_norm:
            summed: Tensor = states_BTD + self.dropout(change(norm(states_BTD)))
            return summed
        normed: Tensor = norm(states_BTD + self.dropout(change(states_BTD)))
        return normed


def causal_mask(length: int, device: torch.device) -> Tensor:
    """Which positions each position may see: itself and those before, bool, (1, 1, length, length)."""
    return torch.ones(length, length, dtype=torch.bool, device=device).tril()[None, None]
