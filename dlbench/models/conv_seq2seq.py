"""Convolutional encoder–decoder: gated convolutions, attention in every layer of the decoder.

Gehring et al. 2017, Convolutional Sequence to Sequence Learning. Tokens and their learned positions are embedded
(§3.1); each block is a convolution, a gated linear unit and a residual connection, the sum scaled by √½ (§3.2, §3.4).
Encoder blocks see as many positions on either side, decoder blocks only those before. Every decoder block attends to
the encoder's outputs and gathers those with their embeddings added (§3.3); what it gathers is scaled by the root of
the source's length, and gradients into the encoder by one over twice the number of decoder blocks (§3.4; the 2 is the
authors' code, as is √½ wherever two of a kind are added). Weights start as in §3.5.

Weight normalisation (§3.5) is left out: torch's hides linear layers from what computes in 8 bits, and it gains nothing
with Adam (Multi30k de→en, the default sizes, three epochs: 26.0 BLEU with it, 26.4 without, steps 7 % slower).

Convolutions are products of one matrix with windows of positions.

Shapes: B examples, S positions read, T written, E = embedding_size, H = hidden_size, K = kernel, V tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.nn import functional as F

from dlbench.models import _sequence
from dlbench.schema.base import Params as BaseParams
from dlbench.schema.signature import Signature, Tokens

if TYPE_CHECKING:
    from dlbench.contracts.batches import Batch, State

REVISION = 1
HALF = math.sqrt(0.5)
"""What a sum of two parts is multiplied by, so that its variance stays theirs (§3.4)."""

EMBEDDING_STD = 0.1
"""Standard deviation of token and position vectors before training (§3.5)."""


class Params(BaseParams):
    """Size and shape of encoder and decoder."""

    embedding_size: int = Field(128, ge=1, le=65_536, description="size of a token's vector on either side")
    hidden_size: int = Field(128, ge=1, le=65_536, description="channels of every convolution")
    encoder_layers: int = Field(4, ge=1, le=256, description="blocks that read")
    decoder_layers: int = Field(3, ge=1, le=256, description="blocks that write, each with its own attention")
    kernel: int = Field(3, ge=1, le=255, description="positions that a convolution sees; odd")
    dropout: float = Field(0.1, ge=0, lt=1, description="on embeddings, each convolution's input, and the last layer's")

    @field_validator("kernel")
    @classmethod
    def _odd(cls, kernel: int) -> int:
        if kernel % 2 == 0:
            raise ValueError(f"kernel {kernel} is even, so that an encoder block could not see as far to either side")
        return kernel


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "gehring2017_enro": {"embedding_size": 512, "hidden_size": 512, "encoder_layers": 20, "decoder_layers": 20},
    "fconv_iwslt_de_en": {
        "embedding_size": 256, "hidden_size": 256, "encoder_layers": 4, "decoder_layers": 3, "dropout": 0.2
    },
}  # fmt: skip
"""The paper's model for WMT'16 English–Romanian, of one width throughout, and the authors' small one (fairseq)."""


def space(params: Params) -> dict[str, Any]:
    """Depth of both sides, width, reach and dropout."""
    return {
        "encoder_layers": [2, 3, 4, 6],
        "decoder_layers": [1, 2, 3, 4],
        "hidden_size": [64, 96, 128, 192, 256],
        "kernel": [3, 5],
        "dropout": {"low": 0.0, "high": 0.4},
    }


def accepts(signature: Signature) -> bool:
    """Token sequences to token sequences."""
    return _sequence.reads_tokens_writes_tokens(signature)


def signature(preset: str | None) -> Signature:
    """Multi30k; of the presets at most 175 joint byte pairs, of 40,000 (WMT'16, §4.1) and of 10,000 (IWSLT)."""
    if preset is None:
        return _sequence.MULTI30K
    both = Tokens(vocabulary=40_000 if preset == "gehring2017_enro" else 10_000, length=175, shared=True)
    return Signature(input=both.model_copy(update={"shared": False}), output=both)


def build(params: Params, signature: Signature) -> nn.Module:
    """The encoder–decoder.

    Raises:
        ValueError: a size is not known.
    """
    read, written = _sequence.sizes_of_both(signature)
    return ConvSeq2Seq(params, read, written)


class Source(NamedTuple):
    """What is known of what was read.

    Attributes:
        keys: outputs z of the encoder, (B, S, E).
        values: those with the embeddings added, (B, S, E).
        real: which positions are no padding, bool, (B, S).
    """

    keys: Tensor
    values: Tensor
    real: Tensor


class ConvSeq2Seq(nn.Module):
    """Token ids to logits of the next tokens; implements `dlbench.contracts.Writer`.

    Args:
        params: size and shape.
        read: vocabulary and longest length of the source.
        written: those of the target.
    """

    def __init__(self, params: Params, read: tuple[int, int], written: tuple[int, int]) -> None:
        super().__init__()
        size, hidden, dropout = params.embedding_size, params.hidden_size, params.dropout
        shape = (hidden, params.kernel, dropout)
        self.source_embedding = Embedding(*read, size, dropout)
        self.embedding = Embedding(*written, size, dropout)
        self.source_in, self.source_out = linear(size, hidden, dropout), linear(hidden, size)
        self.in_, self.out = linear(size, hidden, dropout), linear(hidden, size)
        self.encoder_layers = params.encoder_layers
        encoder = [EncoderBlock(*shape) for _ in range(params.encoder_layers)]
        decoder = [DecoderBlock(*shape, size) for _ in range(params.decoder_layers)]
        self.blocks = nn.ModuleList([*encoder, *decoder])
        self.dropout = nn.Dropout(dropout)
        self.head = linear(size, written[0], dropout)
        self.gradient_scale = 1 / (2 * params.decoder_layers)

    def forward(self, batch: Batch) -> Tensor:
        """Logits of each position from what stands before it, (B, T, V)."""
        source = self._read(batch)
        states_BTH, _, _ = self._write(batch["previous"], 0, source, self._fresh(source.keys))
        logits_BTV: Tensor = self.head(self.dropout(self.out(states_BTH)))
        return logits_BTV

    def begin(self, batch: Batch) -> tuple[State, State]:
        """The encoder's outputs, and for each decoder block inputs of 0 before the first position."""
        source = self._read(batch)
        before = self._fresh(source.keys)
        return source._asdict(), {str(number): inputs for number, inputs in enumerate(before)}

    def step(self, previous_B: Tensor, position: int, memory: State, state: State) -> tuple[Tensor, State]:
        """Logits of the next token, (B, V), and each decoder block's last inputs; see `dlbench.contracts.Writer`."""
        before = [state[str(number)] for number in range(len(state))]
        states_B1H, behind, _ = self._write(previous_B[:, None], position, Source(**memory), before)
        logits_BV: Tensor = self.head(self.dropout(self.out(states_B1H[:, 0])))
        return logits_BV, {str(number): inputs for number, inputs in enumerate(behind)}

    def attention(self, batch: Batch) -> Mapping[str, Tensor]:
        """`cross` (B, T, S): mean over the decoder blocks, as in the authors' code."""
        source = self._read(batch)
        _, _, weights = self._write(batch["previous"], 0, source, self._fresh(source.keys))
        return {"cross": torch.stack(weights).mean(0)}

    def _decoder(self) -> Iterator[DecoderBlock]:
        return iter(cast("list[DecoderBlock]", self.blocks[self.encoder_layers :]))

    def _fresh(self, like_BSE: Tensor) -> list[Tensor]:
        """For each decoder block the inputs that stand before every sequence: zeros, (B, K - 1, H)."""
        return [like_BSE.new_zeros(len(like_BSE), block.reach, self.in_.out_features) for block in self._decoder()]

    def _read(self, batch: Batch) -> Source:
        real_BS = _sequence.real_positions(batch["lengths"], batch["tokens"].shape[1])
        embedded_BSE = self.source_embedding(batch["tokens"], 0)
        states_BSH = self.source_in(embedded_BSE)
        for block in self.blocks[: self.encoder_layers]:
            states_BSH = block(states_BSH, real_BS)
        z_BSE = self.source_out(states_BSH)
        z_BSE = torch.lerp(z_BSE.detach(), z_BSE, self.gradient_scale)  # the same values, smaller gradients
        return Source(z_BSE, (z_BSE + embedded_BSE) * HALF, real_BS)

    def _write(
        self, previous_BT: Tensor, start: int, source: Source, before: list[Tensor]
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """States of positions from `start` on, (B, T, H), and of each block its last inputs and its attention.

        Args:
            previous_BT: the tokens before those positions.
            start: the first of them.
            source: what was read.
            before: inputs of each block at the K - 1 positions before.
        """
        embedded_BTE = self.embedding(previous_BT, start)
        states_BTH = self.in_(embedded_BTE)
        behind, weights = [], []
        for block, inputs in zip(self._decoder(), before, strict=True):
            states_BTH, inputs, weight_BTS = block(states_BTH, inputs, embedded_BTE, *source)
            behind.append(inputs)
            weights.append(weight_BTS)
        return states_BTH, behind, weights


class Embedding(nn.Module):
    """Sum of a vector for the token and one for its position (§3.1), with dropout; padding's token vector is 0."""

    def __init__(self, vocabulary: int, length: int, size: int, dropout: float) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, size, padding_idx=0)
        self.positions = nn.Embedding(length, size)
        self.dropout = nn.Dropout(dropout)
        nn.init.normal_(self.positions.weight, std=EMBEDDING_STD)
        with torch.no_grad():
            self.tokens.weight.normal_(std=EMBEDDING_STD)[0].zero_()

    def forward(self, ids_BT: Tensor, start: int) -> Tensor:
        """Vectors of positions from `start` on, (B, T, E); beyond the longest length the last one's stands."""
        at_T = torch.arange(start, start + ids_BT.shape[1], device=ids_BT.device)
        at_T = at_T.clamp(max=self.positions.num_embeddings - 1)
        vectors_BTE: Tensor = self.dropout(self.tokens(ids_BT) + self.positions(at_T))
        return vectors_BTE


class GatedConvolution(nn.Module):
    """A convolution over positions, then a gated linear unit (§3.2), as one matrix product over windows."""

    def __init__(self, hidden_size: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.kernel = kernel
        self.linear = linear(kernel * hidden_size, 2 * hidden_size, dropout, gain=4)

    def forward(self, inputs_BTH: Tensor) -> Tensor:
        """(B, T, H) from K - 1 positions more."""
        width = inputs_BTH.shape[1] - self.kernel + 1
        windows_BTKH = torch.cat([inputs_BTH[:, first : first + width] for first in range(self.kernel)], 2)
        gated_BTH: Tensor = F.glu(self.linear(windows_BTKH), 2)
        return gated_BTH


class EncoderBlock(nn.Module):
    """Convolution over positions on either side, padding read as 0, and a residual connection."""

    def __init__(self, hidden_size: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.convolution = GatedConvolution(hidden_size, kernel, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states_BSH: Tensor, real_BS: Tensor) -> Tensor:
        """New states, (B, S, H); those at padding are arbitrary."""
        inputs_BSH = self.dropout(states_BSH).masked_fill(~real_BS[..., None], 0)
        side = self.convolution.kernel // 2
        found_BSH: Tensor = self.convolution(F.pad(inputs_BSH, (0, 0, side, side)))
        return (found_BSH + states_BSH) * HALF


class DecoderBlock(nn.Module):
    """Convolution over a position and those before, attention to what was read, and a residual connection."""

    def __init__(self, hidden_size: int, kernel: int, dropout: float, embedding_size: int) -> None:
        super().__init__()
        self.reach = kernel - 1
        self.convolution = GatedConvolution(hidden_size, kernel, dropout)
        self.dropout = nn.Dropout(dropout)
        self.summary = linear(hidden_size, embedding_size)
        self.gathered = linear(embedding_size, hidden_size)

    def forward(
        self, states_BTH: Tensor, before: Tensor, embedded_BTE: Tensor, keys: Tensor, values: Tensor, real_BS: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """New states (B, T, H), the block's last K - 1 inputs, and weights of attention (B, T, S).

        Args:
            states_BTH: of some positions.
            before: inputs at the K - 1 positions before them, (B, K - 1, H).
            embedded_BTE: the tokens before the positions, embedded (g in the paper).
            keys: see `Source`.
            values: likewise.
            real_BS: likewise.
        """
        inputs = torch.cat([before, self.dropout(states_BTH)], 1)
        found_BTH = self.convolution(inputs)
        d_BTE = (self.summary(found_BTH) + embedded_BTE) * HALF
        score_BTS = (d_BTE @ keys.transpose(1, 2)).masked_fill(~real_BS[:, None], -torch.inf)
        weight_BTS = score_BTS.softmax(2)
        root_B11 = real_BS.sum(1)[:, None, None].sqrt()
        gathered_BTH = self.gathered((weight_BTS @ values) * root_B11.to(values.dtype))
        states_BTH = ((gathered_BTH + found_BTH) * HALF + states_BTH) * HALF
        return states_BTH, inputs[:, states_BTH.shape[1] :], weight_BTS


def linear(inputs: int, outputs: int, dropout: float = 0.0, *, gain: float = 1.0) -> nn.Linear:
    """A layer with weights from N(0, gain · (1 - dropout) / inputs), biases at 0 (§3.5).

    Args:
        inputs: size of what it reads.
        outputs: size of what it gives.
        dropout: on its input.
        gain: 4 before a gated linear unit, which divides variance by about that.
    """
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, std=math.sqrt(gain * (1 - dropout) / inputs))
    nn.init.zeros_(layer.bias)
    return layer
