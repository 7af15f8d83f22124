"""How well a decoder's state goes with each state of an encoder: the scores of soft and hard attention.

Shapes: B examples, S positions read, T written, D size of the encoder's states, H of the decoder's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Scores(nn.Module):
    """Weights over the positions that are read, for each that is written.

    `additive`: v·tanh(W q + U k) (Bahdanau et al. 2015, appendix A.1.2), in H units. `dot`: q·k; `general`: q·W k
    (Luong et al. 2015, equation 8). `hard` attention scores as `additive` does, as in Xu et al. 2015.

    Args:
        kind: of the score.
        query_size: H.
        memory_size: D; for `dot` the same.

    Raises:
        ValueError: `dot` is asked for states of different sizes.
    """

    def __init__(self, kind: str, query_size: int, memory_size: int) -> None:
        super().__init__()
        self.kind = kind
        self.key: nn.Module = nn.Identity()
        if kind == "dot":
            if query_size != memory_size:
                raise ValueError(
                    f"attention: dot multiplies states of one size, but the encoder's have {memory_size} and the "
                    f"decoder's {query_size}: use general, or bidirectional: false"
                )
            return
        self.key = nn.Linear(memory_size, query_size, bias=False)
        if kind != "general":
            self.query = nn.Linear(query_size, query_size)
            self.vector = nn.Linear(query_size, 1, bias=False)

    def keys(self, states_BSD: Tensor) -> Tensor:
        """What of the encoder's states is compared, (B, S, H), computed once for all positions that are written."""
        keys_BSH: Tensor = self.key(states_BSD)
        return keys_BSH

    def forward(self, queries_BTH: Tensor, keys_BSH: Tensor, real_BS: Tensor) -> Tensor:
        """Weights, 0 on padding and 1 in sum, (B, T, S), float32."""
        if self.kind in ("dot", "general"):
            score_BTS = queries_BTH @ keys_BSH.to(queries_BTH.dtype).transpose(1, 2)
        else:
            summed_BTSH = torch.tanh(self.query(queries_BTH)[:, :, None] + keys_BSH[:, None])
            score_BTS = self.vector(summed_BTSH).squeeze(3)
        return score_BTS.float().masked_fill(~real_BS[:, None], -torch.inf).softmax(2)
