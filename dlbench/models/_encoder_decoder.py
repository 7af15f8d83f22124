"""The whole Transformer of Vaswani et al. 2017: an encoder that reads a sequence, a decoder that writes another.

Embeddings are multiplied by √hidden_size (§3.4) and start with standard deviation 1/√hidden_size, so that they enter
with 1 and, where the output layer shares them, logits start with about 1 as well. The output layer has no bias. With
the norm before each block there is one more behind each stack (Xiong et al. 2020).

Shapes: B examples, S positions read, T written, D = hidden_size, H heads of size d, V tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from dlbench.models import _attention, _sequence
from dlbench.models._decoder import DecoderBlock, causal_mask

if TYPE_CHECKING:
    from dlbench.contracts.batches import Batch, State
    from dlbench.models.transformer import Params
    from dlbench.schema.signature import Signature


class EncoderDecoder(nn.Module):
    """Token ids to logits of the next tokens; implements `dlbench.contracts.Writer`.

    Args:
        params: size and shape.
        signature: tokens to tokens, all sizes known.

    Raises:
        ValueError: a size is not known, or all embeddings are to be one though the vocabularies are two.
    """

    def __init__(self, params: Params, signature: Signature) -> None:
        super().__init__()
        (read, longest_read), (written, longest_written) = _sequence.sizes_of_both(signature)
        size, pre_norm = params.hidden_size, params.norm == "pre"
        self.scale = math.sqrt(size)
        self.embedding = _embedding(written, size)
        self.source_embedding = self.embedding if _shares_all(params, signature) else _embedding(read, size)
        self.token_dropout = _sequence.TokenDropout(params.token_dropout)
        self.dropout = nn.Dropout(params.dropout)
        self.source_positions = _attention.added_positions(params.positions, longest_read, size)
        self.positions = _attention.added_positions(params.positions, longest_written, size)
        rotary = params.positions == "rotary"
        turns = [
            _attention.Rotary(n, size // params.heads) if rotary else None for n in (longest_read, longest_written)
        ]
        shape = (size, params.heads, params.ff_size, params.dropout)
        encoder = [_attention.EncoderBlock(*shape, pre_norm=pre_norm, rotary=turns[0]) for _ in range(params.layers)]
        decoder = [
            DecoderBlock(*shape, pre_norm=pre_norm, rotary=turns[1])
            for _ in range(params.decoder_layers or params.layers)
        ]
        self.layers = params.layers
        self.blocks = nn.ModuleList([*encoder, *decoder])
        self.source_norm = nn.LayerNorm(size) if pre_norm else nn.Identity()
        self.norm = nn.LayerNorm(size) if pre_norm else nn.Identity()
        self.output = nn.Linear(size, written, bias=False)
        if params.tie == "none":
            nn.init.xavier_uniform_(self.output.weight)
        else:
            self.output.weight = self.embedding.weight

    def forward(self, batch: Batch) -> Tensor:
        """Logits of each position from what stands before it, (B, T, V)."""
        read_BSD, read_mask = self._read(batch)
        states_BTD = self._embedded(batch["previous"], 0)
        mask = causal_mask(states_BTD.shape[1], states_BTD.device)
        for block in self.blocks[self.layers :]:
            states_BTD = block(states_BTD, mask, read_BSD, read_mask)
        logits_BTV: Tensor = self.output(self.norm(states_BTD))
        return logits_BTV

    def begin(self, batch: Batch) -> tuple[State, State]:
        """Keys and values of what is read, for each block of the decoder, and none yet of what is written."""
        read_BSD, mask = self._read(batch)
        memory: State = {"mask": mask}
        state: State = {}
        for number, block in enumerate(self._decoder()):
            keys, values = block.cross.read(read_BSD)
            memory |= {f"keys_{number}": keys, f"values_{number}": values}
            state |= {f"keys_{number}": keys[:, :, :0], f"values_{number}": values[:, :, :0]}
        return memory, state

    def step(self, previous_B: Tensor, position: int, memory: State, state: State) -> tuple[Tensor, State]:
        """Logits of the next token, (B, V), and the state behind it; see `dlbench.contracts.Writer`."""
        written: State = {}
        state_B1D = self._embedded(previous_B[:, None], position)
        for number, block in enumerate(self._decoder()):
            names = f"keys_{number}", f"values_{number}"
            past, read = ((kept[names[0]], kept[names[1]]) for kept in (state, memory))
            state_B1D, past = block.step(state_B1D, past, position, read, memory["mask"])
            written |= dict(zip(names, past, strict=True))
        logits_BV: Tensor = self.output(self.norm(state_B1D)).squeeze(1)
        return logits_BV, written

    def attention(self, batch: Batch) -> Mapping[str, Tensor]:
        """Weights in the last block of either stack: `cross` (B, T, S) and `encoder` (B, S, S), means over heads."""
        inner: Any = self.blocks[self.layers - 1].attention
        cross: Any = self.blocks[-1].cross
        with _inputs_of(inner) as of_inner, _inputs_of(cross) as of_cross:
            self(batch)
        return {"cross": cross.weights(*of_cross).mean(1), "encoder": inner.weights(*of_inner).mean(1)}

    def _decoder(self) -> Iterator[DecoderBlock]:
        return iter(self.blocks[self.layers :])  # type: ignore[arg-type]

    def _read(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """States of the source, (B, S, D), and which of them are real, (B, 1, 1, S)."""
        tokens = batch["tokens"]
        mask_B11S = _sequence.real_positions(batch["lengths"], tokens.shape[1])[:, None, None]
        embedded = self.token_dropout(self.source_embedding(tokens) * self.scale)
        states_BSD = self.dropout(self.source_positions(embedded))
        for block in self.blocks[: self.layers]:
            states_BSD = block(states_BSD, mask_B11S)
        return self.source_norm(states_BSD), mask_B11S

    def _embedded(self, previous_BT: Tensor, start: int) -> Tensor:
        states_BTD: Tensor = self.dropout(self.positions(self.embedding(previous_BT) * self.scale, start))
        return states_BTD


def _embedding(vocabulary: int, size: int) -> nn.Embedding:
    vectors = nn.Embedding(vocabulary, size, padding_idx=0)
    with torch.no_grad():
        vectors.weight.normal_(std=1 / math.sqrt(size))[0].zero_()
    return vectors


def _shares_all(params: Params, signature: Signature) -> bool:
    if params.tie != "all":
        return False
    if not _sequence.one_vocabulary(signature):
        raise ValueError("tie: all needs one vocabulary for both sides: set the task's shared_vocabulary to true")
    return True


@contextmanager
def _inputs_of(module: nn.Module) -> Iterator[list[Any]]:
    """What the module is called with next."""
    seen: list[Any] = []
    handle = module.register_forward_pre_hook(lambda _, inputs: seen.extend(inputs))
    try:
        yield seen
    finally:
        handle.remove()
