"""The body that `rnn`, `lstm` and `gru` share: layers of torch's own recurrent kernels, in one or two directions.

It appears in all shapes of input and output (Karpathy 2015, The Unreasonable Effectiveness of Recurrent Neural
Networks). One to one: an image as a single step (`image: whole`) to a class. One to many: an image to its name, letter
by letter (task `captioning`). Many to one: the classifier below, of a text, or of an image row by row. Many to many:
the tagger below, an answer for each token (task `tagging`), or an encoder–decoder (task `translation`). Both kinds of
writing are in `_recurrent_writer`.

Padding never changes a result. A forward pass meets padding only after the last token. A backward pass reads each
example from its own last token on: the example is reversed within its length, so its padding stays at the end;
packed sequences would do the same, but they need the lengths on the host, and waiting for those would stall a GPU
in every step. Each direction of each layer is one fused kernel (oneDNN for the LSTM on a CPU, cuDNN on a GPU).

A text is read token by token, an image row by row: its rows are the positions, all channels of a row its features
(Le, Jaitly & Hinton 2015, §4.2, read single pixels). Rows are vectors already, so there is no embedding.

Shapes: B examples, T positions, E features in, H hidden units, D = H times directions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from dlbench.models import _image, _sequence
from dlbench.schema.base import Params
from dlbench.schema.signature import Image, Signature

if TYPE_CHECKING:
    from dlbench.contracts.batches import Batch

Cell = Callable[[int, int], nn.RNNBase]
"""Input size and hidden size → one layer in one direction, batch first, initialised."""

Reading = Callable[["Batch"], tuple[Tensor, Tensor]]
"""Batch → what stands at each position, (B, T) ids or (B, T, E) vectors, and how many positions are real, (B,)."""

EMBEDDING_STD = 0.1
"""Standard deviation of token vectors before training. On AG News torch's own, 1, drowns what a few epochs teach: after
three, a GRU got 86.1 % right and a plain network 76.2, against 89.6 and 89.1 with this."""


class RecurrentParams(Params):
    """Size and shape; what only classifiers or only those that write have is said."""

    embedding_size: int = Field(64, ge=1, le=65_536, description="size of a token's vector; images have none")
    hidden_size: int = Field(64, ge=1, le=65_536, description="units of a layer in each direction")
    layers: int = Field(1, ge=1, le=64, description="recurrent layers on top of each other")
    bidirectional: bool = Field(False, description="also read from the last token to the first")
    dropout: float = Field(0.1, ge=0, lt=1, description="on what is read, between layers and before the output")
    token_dropout: float = Field(
        0.0, ge=0, lt=1, description="chance in training that a whole token is blanked; images have none"
    )
    pooling: Literal["last", "mean", "max", "attention"] = Field(
        "max", description="how a classifier's states become one vector: the last, their mean, maximum, or attention"
    )
    image: Literal["rows", "whole"] = Field("rows", description="a classifier reads an image row by row, or at once")
    attention: Literal["none", "additive", "dot", "general", "hard"] = Field(
        "additive", description="how a translator's decoder looks at the encoder's states"
    )
    input_feeding: bool = Field(False, description="what a translator gathered by attention is part of its next input")


def space() -> dict[str, Any]:
    """Depth, width, direction and dropout."""
    return {
        "layers": [1, 2],
        "hidden_size": [32, 64, 96, 128],
        "bidirectional": [False, True],
        "dropout": [0.0, 0.1, 0.2, 0.3],
    }


class Recurrent(nn.Module):
    """Recurrent layers over vectors.

    Args:
        cell: makes one layer in one direction.
        input_size: E.
        hidden_size: H.
        layers: how many.
        bidirectional: whether every layer also reads backwards.
        dropout: on the input of every layer.
    """

    def __init__(
        self, cell: Cell, input_size: int, hidden_size: int, layers: int, bidirectional: bool, dropout: float
    ) -> None:
        super().__init__()
        self.bidirectional = bidirectional
        self.output_size = hidden_size * (2 if bidirectional else 1)
        inputs = [input_size] + [self.output_size] * (layers - 1)
        self.forwards = nn.ModuleList(cell(size, hidden_size) for size in inputs)
        self.backwards = nn.ModuleList(cell(size, hidden_size) for size in inputs if bidirectional)
        self.dropout = nn.Dropout(dropout)

    def forward(self, vectors_BTE: Tensor, lengths: Tensor) -> Tensor:
        """States of the last layer, (B, T, D), forward half first; rows beyond an example's length are arbitrary."""
        states_BTD = vectors_BTE
        if not self.bidirectional:
            for layer in self.forwards:
                states_BTD, _ = layer(self.dropout(states_BTD))
            return states_BTD
        mirror_BT = mirrored_positions(lengths, vectors_BTE.shape[1])
        for ahead, back in zip(self.forwards, self.backwards, strict=True):
            inputs = self.dropout(states_BTD)
            states_BTD = torch.cat([ahead(inputs)[0], reorder(back(reorder(inputs, mirror_BT))[0], mirror_BT)], 2)
        return states_BTD

    def final(self, states_BTD: Tensor, lengths: Tensor) -> Tensor:
        """The state of each direction after its last token, (B, D): backwards that is the first position."""
        if not self.bidirectional:
            return _sequence.state_at(states_BTD, lengths - 1)
        ahead, back = states_BTD.chunk(2, 2)
        return torch.cat([_sequence.state_at(ahead, lengths - 1), back[:, 0]], 1)


def mirrored_positions(lengths: Tensor, width: int) -> Tensor:
    """Position of the token that stands at t when each example is reversed within its length, (B, T); padding stays."""
    position_T = torch.arange(width, device=lengths.device)
    mirrored_BT = lengths[:, None] - 1 - position_T
    return torch.where(mirrored_BT >= 0, mirrored_BT, position_T)


def reorder(states_BTD: Tensor, position_BT: Tensor) -> Tensor:
    """Each example's rows in the order of its positions, (B, T, D)."""
    return states_BTD.gather(1, position_BT[..., None].expand(-1, -1, states_BTD.shape[2]))


def reads(signature: Signature) -> bool:
    """Token sequences or images to a class, or to a class for each token."""
    tokens = _sequence.reads_tokens_tells_class(signature) or _sequence.reads_tokens_tags_each(signature)
    return tokens or _image.reads_image_tells_class(signature)


def read_tokens(batch: Batch) -> tuple[Tensor, Tensor]:
    """Ids, (B, T), and how many of each text are no padding."""
    return batch["tokens"], batch["lengths"]


def read_whole(batch: Batch) -> tuple[Tensor, Tensor]:
    """Images as one step each, (B, 1, channels · height · width)."""
    vector_B1E = batch["image"].flatten(1)[:, None]
    return vector_B1E, torch.ones_like(batch["index"])


def read_rows(batch: Batch) -> tuple[Tensor, Tensor]:
    """Rows of images from top to bottom, (B, height, channels · width), all of them real."""
    image_BCHW = batch["image"]
    rows_BTE = image_BCHW.transpose(1, 2).flatten(2)
    return rows_BTE, torch.full(rows_BTE.shape[:1], rows_BTE.shape[1], device=rows_BTE.device)


def embedding(vocabulary: int, size: int) -> nn.Embedding:
    """Token vectors, small before training; those of padding are 0."""
    vectors = nn.Embedding(vocabulary, size, padding_idx=0)
    with torch.no_grad():
        vectors.weight.mul_(EMBEDDING_STD)
    return vectors


class RecurrentReader(nn.Module):
    """What classifier and tagger share: token ids, or rows of images, to the states of a recurrent body.

    Args:
        params: size and shape.
        cell: makes one layer in one direction.
        signature: of tokens or of an image, all sizes known.

    Raises:
        ValueError: a size is not known.
    """

    def __init__(self, params: RecurrentParams, cell: Cell, signature: Signature) -> None:
        super().__init__()
        if isinstance(signature.input, Image):
            channels, height, width, self.classes = _image.sizes(signature)
            whole = params.image == "whole"
            self.read: Reading = read_whole if whole else read_rows
            self.embedding: nn.Module = nn.Identity()
            self.token_dropout: nn.Module = nn.Identity()
            input_size = channels * width * (height if whole else 1)
        else:
            vocabulary, _, self.classes = _sequence.sizes(signature)
            self.read = read_tokens
            self.embedding = embedding(vocabulary, params.embedding_size)
            self.token_dropout = _sequence.TokenDropout(params.token_dropout)
            input_size = params.embedding_size
        self.body = Recurrent(cell, input_size, params.hidden_size, params.layers, params.bidirectional, params.dropout)

    def states(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """States of all positions, (B, T, D), and how many are real, (B,)."""
        positions, lengths = self.read(batch)
        return self.body(self.token_dropout(self.embedding(positions)), lengths), lengths


class RecurrentClassifier(RecurrentReader):
    """One answer for all positions together; arguments as of `RecurrentReader`."""

    def __init__(self, params: RecurrentParams, cell: Cell, signature: Signature) -> None:
        super().__init__(params, cell, signature)
        self.pooling = params.pooling
        if params.pooling == "attention":
            self.attention = _sequence.AttentionPooling(self.body.output_size)
        self.dropout = nn.Dropout(params.dropout)
        self.head = nn.Linear(self.body.output_size, self.classes)

    def forward(self, batch: Batch) -> Tensor:
        """Logits, (B, classes)."""
        logits: Tensor = self.head(self.dropout(self._pool(*self.states(batch))))
        return logits

    def _pool(self, states_BTD: Tensor, lengths: Tensor) -> Tensor:
        if self.pooling == "last":
            return self.body.final(states_BTD, lengths)
        real_BT = _sequence.real_positions(lengths, states_BTD.shape[1])
        if self.pooling == "mean":
            return _sequence.mean_of(states_BTD, real_BT)
        if self.pooling == "max":
            return _sequence.max_of(states_BTD, real_BT)
        pooled_BD: Tensor = self.attention(states_BTD, real_BT)
        return pooled_BD


class RecurrentTagger(RecurrentReader):
    """One answer for each token, from what stands up to it, or in both directions from all; arguments likewise."""

    def __init__(self, params: RecurrentParams, cell: Cell, signature: Signature) -> None:
        super().__init__(params, cell, signature)
        self.dropout = nn.Dropout(params.dropout)
        self.head = nn.Linear(self.body.output_size, self.classes)

    def forward(self, batch: Batch) -> Tensor:
        """Logits, (B, T, classes); those of padding are arbitrary."""
        logits: Tensor = self.head(self.dropout(self.states(batch)[0]))
        return logits


def build_reader(params: RecurrentParams, cell: Cell, signature: Signature) -> RecurrentReader:
    """The tagger or the classifier."""
    kind = RecurrentTagger if _sequence.reads_tokens_tags_each(signature) else RecurrentClassifier
    return kind(params, cell, signature)


def start(layer: nn.RNNBase, gates: int) -> None:
    """Give a layer its first weights, in place, each gate's block by itself.

    Recurrent blocks orthogonal (Saxe et al. 2014), so that a state keeps its norm over many steps; input blocks uniform
    as in Glorot & Bengio 2010; biases 0.
    """
    input_weight, recurrent_weight, *biases = layer.all_weights[0]
    with torch.no_grad():
        for block in input_weight.chunk(gates):
            nn.init.xavier_uniform_(block)
        for block in recurrent_weight.chunk(gates):
            nn.init.orthogonal_(block)
        for bias in biases:
            bias.zero_()
