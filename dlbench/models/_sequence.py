"""What models of token sequences share: which positions are real, pooling over those, the signature they accept.

A batch is `tokens` (B, T), padded on the right with 0, and `lengths` (B,), at least 1. Nothing here reads a tensor
from the host, so no step waits for the device.

Shapes: B examples, T positions, D features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlbench.schema.signature import Classes, Signature, Tags, Tokens

AG_NEWS = Signature(input=Tokens(vocabulary=30_000, length=64), output=Classes(classes=4))
"""Short news texts in 4 classes, as word ids: the signature shown where a preset's paper names none for text."""


def reads_tokens_tells_class(signature: Signature) -> bool:
    """Whether it is text classification; sizes do not matter."""
    return isinstance(signature.input, Tokens) and isinstance(signature.output, Classes)


def reads_tokens_tags_each(signature: Signature) -> bool:
    """Whether it is tagging; sizes do not matter."""
    return isinstance(signature.input, Tokens) and isinstance(signature.output, Tags)


MULTI30K = Signature(input=Tokens(vocabulary=8_000, length=64), output=Tokens(vocabulary=8_000, length=64))
"""Captions of pictures in subwords: the signature shown where a model only translates and its paper gives no sizes."""


def reads_tokens_writes_tokens(signature: Signature) -> bool:
    """Whether it is translation; sizes do not matter."""
    return isinstance(signature.input, Tokens) and isinstance(signature.output, Tokens)


def sizes_of_both(signature: Signature) -> tuple[tuple[int, int], tuple[int, int]]:
    """Vocabulary and longest length of what is read and of what is written; see `sizes_of`."""
    return sizes_of(signature.input), sizes_of(signature.output)


def sizes_of(tokens: object) -> tuple[int, int]:
    """Vocabulary and longest length of token sequences, both known.

    Raises:
        ValueError: something else is read or written, or a size is None.
    """
    if not isinstance(tokens, Tokens):
        raise ValueError(f"this model reads and writes tokens, not {tokens!r}")
    if tokens.vocabulary is None or tokens.length is None:
        raise ValueError(f"a model is built only when every size is known, unlike here: {tokens!r}")
    return tokens.vocabulary, tokens.length


def one_vocabulary(signature: Signature) -> bool:
    """Whether the ids that are written mean the same as those that are read."""
    return isinstance(signature.output, Tokens) and signature.output.shared


def sizes(signature: Signature) -> tuple[int, int, int]:
    """Vocabulary, longest length and classes of a text classification or a tagging whose sizes are all known.

    Raises:
        ValueError: another kind of signature, or a size of None.
    """
    tokens, classes = signature.input, signature.output
    if not isinstance(tokens, Tokens) or not isinstance(classes, Classes | Tags):
        raise ValueError(f"this model reads tokens and tells classes; the signature is {signature}")
    if tokens.vocabulary is None or tokens.length is None or classes.classes is None:
        raise ValueError(f"a model is built only when every size is known; the signature is {signature!r}")
    return tokens.vocabulary, tokens.length, classes.classes


def real_positions(lengths: Tensor, width: int) -> Tensor:
    """Which of `width` positions hold a token and not padding, bool (B, width)."""
    return torch.arange(width, device=lengths.device) < lengths[:, None]


def state_at(states_BTD: Tensor, position_B: Tensor) -> Tensor:
    """The state of each example at its own position, (B, D)."""
    index = position_B[:, None, None].expand(-1, 1, states_BTD.shape[-1])
    return states_BTD.gather(1, index).squeeze(1)


def mean_of(states_BTD: Tensor, real_BT: Tensor) -> Tensor:
    """Mean over real positions, (B, D)."""
    kept = states_BTD * real_BT[..., None]
    return kept.sum(1) / real_BT.sum(1, keepdim=True)


def max_of(states_BTD: Tensor, real_BT: Tensor) -> Tensor:
    """Largest value of each feature over real positions, (B, D)."""
    return states_BTD.masked_fill(~real_BT[..., None], -torch.inf).amax(1)


class TokenDropout(nn.Module):
    """Blanks the whole vectors of random tokens in training (Iyyer et al. 2015, §2.3: word dropout).

    A text stays what it was when a word is missing, which few training texts teach by themselves; a sequence whose
    class hangs on a single symbol does not, so models leave this off by default. Kept vectors are scaled up as in
    ordinary dropout.
    """

    def __init__(self, chance: float) -> None:
        super().__init__()
        self.chance = chance

    def forward(self, vectors_BTD: Tensor) -> Tensor:
        """Vectors, some of them blank, (B, T, D)."""
        if not self.training or self.chance == 0:
            return vectors_BTD
        kept_BT1 = torch.rand(*vectors_BTD.shape[:2], 1, device=vectors_BTD.device) >= self.chance
        return vectors_BTD * kept_BT1 / (1 - self.chance)


class AttentionPooling(nn.Module):
    """Mean over real positions, weighted by a learned query (Yang et al. 2016, §2.2, equations 5–7)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.project = nn.Linear(size, size)
        self.query = nn.Linear(size, 1, bias=False)

    def forward(self, states_BTD: Tensor, real_BT: Tensor) -> Tensor:
        """Weighted mean, (B, D)."""
        score_BT: Tensor = self.query(torch.tanh(self.project(states_BTD))).squeeze(-1)
        weight_BT = score_BT.masked_fill(~real_BT, -torch.inf).softmax(1)
        return (weight_BT[:, None] @ states_BTD).squeeze(1)
