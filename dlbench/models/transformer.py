"""Transformer over tokens: every position attends to every other; it classifies, tags or translates.

Vaswani et al. 2017, Attention Is All You Need: §3.1 with the norm after each block (post), or before it and once at
the end (pre; Xiong et al. 2020). Positions are sinusoidal (§3.5), learned (Gehring et al. 2017), rotary (Su et al.
2021, RoFormer, §3.2) or none. Dropout acts where §5.4 says: on embeddings with positions and on each block's output.
Matrices start Xavier-uniform (query, key and value each by itself), biases at 0, token vectors with standard
deviation 1/√hidden_size. §3.4 then multiplies those by √hidden_size, for the sake of an output layer that shares
them; a classifier has none, and on AG News leaving it out is worth one point of accuracy.

Where tokens are asked for, a decoder writes them (`_encoder_decoder`). The paper trains with label smoothing of 0.1 and
the schedule `noam` (§5.3, §5.4): both are settings of `train:`.

Shapes: B examples, T positions, D = hidden_size, H heads of size d.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from dlbench.models import _attention, _sequence
from dlbench.models._encoder_decoder import EncoderDecoder
from dlbench.schema.base import Params as BaseParams
from dlbench.schema.signature import Signature, Tokens

if TYPE_CHECKING:
    from dlbench.contracts.batches import Batch

REVISION = 3


class Params(BaseParams):
    """Size and shape; what only classifiers or only translators have is said."""

    layers: int = Field(2, ge=1, le=256, description="blocks of self-attention and feed-forward")
    decoder_layers: int | None = Field(
        None, ge=1, le=256, description="blocks of a translator's decoder; default: as many as the encoder has"
    )
    heads: int = Field(2, ge=1, le=256, description="attention heads; they share hidden_size evenly")
    hidden_size: int = Field(64, ge=1, le=65_536, description="size of a token's vector throughout")
    ff_size: int = Field(128, ge=1, le=262_144, description="inner size of the feed-forward part")
    dropout: float = Field(0.1, ge=0, lt=1, description="on embeddings and on each block's output")
    token_dropout: float = Field(0.0, ge=0, lt=1, description="chance in training that a whole token is blanked")
    norm: Literal["pre", "post"] = Field("pre", description="layer norm before each block, or after its sum")
    positions: Literal["sinusoidal", "learned", "rotary", "none"] = Field(
        "sinusoidal", description="how a position is told apart"
    )
    pooling: Literal["mean", "max", "first", "attention"] = Field(
        "mean", description="how a classifier's states become one vector: mean, maximum, the first's, or attention"
    )
    tie: Literal["none", "output", "all"] = Field(
        "output", description="a translator's output layer shares the target's embedding, or one that both sides share"
    )

    @model_validator(mode="after")
    def _even_heads(self) -> Params:
        if self.hidden_size % self.heads:
            raise ValueError(f"hidden_size {self.hidden_size} cannot be shared evenly by heads {self.heads}")
        if self.positions == "rotary" and self.hidden_size // self.heads % 2:
            raise ValueError(
                f"positions rotary turns pairs, but hidden_size {self.hidden_size} over heads {self.heads} is odd"
            )
        return self


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "transformer_base": {
        "layers": 6, "heads": 8, "hidden_size": 512, "ff_size": 2048, "dropout": 0.1, "norm": "post", "tie": "all"
    },
    "transformer_big": {
        "layers": 6, "heads": 16, "hidden_size": 1024, "ff_size": 4096, "dropout": 0.3, "norm": "post", "tie": "all"
    },
}  # fmt: skip
"""The base and big models (Vaswani et al. 2017, table 3)."""


def space(params: Params) -> dict[str, Any]:
    """Depth, width and their shares; any number of heads here shares any size evenly."""
    return {"layers": [1, 2, 3], "heads": [2, 4], "hidden_size": [32, 64, 96], "ff_size": [64, 128, 256]}


def accepts(signature: Signature) -> bool:
    """Token sequences to a class, to a class for each token, or to other token sequences."""
    tells = _sequence.reads_tokens_tells_class(signature) or _sequence.reads_tokens_tags_each(signature)
    return tells or _sequence.reads_tokens_writes_tokens(signature)


def signature(preset: str | None) -> Signature:
    """AG News; for the paper's presets translation with a shared vocabulary of 37,000 (§5.1)."""
    if preset is None:
        return _sequence.AG_NEWS
    return Signature(
        input=Tokens(vocabulary=37_000, length=512), output=Tokens(vocabulary=37_000, length=512, shared=True)
    )


def build(params: Params, signature: Signature) -> nn.Module:
    """The classifier, the tagger, or the translator."""
    if _sequence.reads_tokens_writes_tokens(signature):
        return EncoderDecoder(params, signature)
    kind = TransformerTagger if _sequence.reads_tokens_tags_each(signature) else TransformerClassifier
    return kind(params, *_sequence.sizes(signature))


class TransformerReader(nn.Module):
    """What classifier and tagger share: token ids to states through encoder blocks, and where logits begin."""

    def __init__(self, params: Params, vocabulary: int, length: int) -> None:
        super().__init__()
        size = params.hidden_size
        self.embedding = nn.Embedding(vocabulary, size, padding_idx=0)
        self.token_dropout = _sequence.TokenDropout(params.token_dropout)
        self.add_positions = _attention.added_positions(params.positions, length, size)
        rotary = _attention.Rotary(length, size // params.heads) if params.positions == "rotary" else None
        self.dropout = nn.Dropout(params.dropout)
        pre_norm = params.norm == "pre"
        self.blocks = nn.ModuleList(
            _attention.EncoderBlock(
                size, params.heads, params.ff_size, params.dropout, pre_norm=pre_norm, rotary=rotary
            )
            for _ in range(params.layers)
        )
        self.norm = nn.LayerNorm(size) if pre_norm else nn.Identity()

    def states(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """States of all positions, (B, T, D), and which are real, (B, T)."""
        tokens, lengths = batch["tokens"], batch["lengths"]
        real_BT = _sequence.real_positions(lengths, tokens.shape[1])
        states_BTD = self.dropout(self.add_positions(self.token_dropout(self.embedding(tokens))))
        mask_B11T = real_BT[:, None, None]
        for block in self.blocks:
            states_BTD = block(states_BTD, mask_B11T)
        return self.norm(states_BTD), real_BT

    def start(self, head: nn.Linear) -> None:
        """Give embedding and output layer their first weights."""
        with torch.no_grad():
            self.embedding.weight.normal_(std=1 / math.sqrt(self.embedding.embedding_dim))[0].zero_()
            nn.init.xavier_uniform_(head.weight)
            head.bias.zero_()


class TransformerClassifier(TransformerReader):
    """One answer for all positions together."""

    def __init__(self, params: Params, vocabulary: int, length: int, classes: int) -> None:
        super().__init__(params, vocabulary, length)
        self.pooling = params.pooling
        if params.pooling == "attention":
            self.attention = _sequence.AttentionPooling(params.hidden_size)
        self.head = nn.Linear(params.hidden_size, classes)
        self.start(self.head)

    def forward(self, batch: Batch) -> Tensor:
        """Logits, (B, classes)."""
        logits: Tensor = self.head(self._pool(*self.states(batch)))
        return logits

    def _pool(self, states_BTD: Tensor, real_BT: Tensor) -> Tensor:
        if self.pooling == "first":
            return states_BTD[:, 0]
        if self.pooling == "mean":
            return _sequence.mean_of(states_BTD, real_BT)
        if self.pooling == "max":
            return _sequence.max_of(states_BTD, real_BT)
        pooled_BD: Tensor = self.attention(states_BTD, real_BT)
        return pooled_BD


class TransformerTagger(TransformerReader):
    """One answer for each token, from all of them."""

    def __init__(self, params: Params, vocabulary: int, length: int, classes: int) -> None:
        super().__init__(params, vocabulary, length)
        self.head = nn.Linear(params.hidden_size, classes)
        self.start(self.head)

    def forward(self, batch: Batch) -> Tensor:
        """Logits, (B, T, classes); those of padding are arbitrary."""
        logits: Tensor = self.head(self.states(batch)[0])
        return logits
