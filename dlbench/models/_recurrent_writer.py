"""Recurrent networks that write a sequence: an encoder–decoder without attention, with soft, or with hard attention.

The encoder reads a token sequence (many to many) or an image as one vector (one to many). Its last state, through a
linear layer and tanh (Bahdanau et al. 2015, appendix A.2.2), is where the decoder's layers begin; torch's kernels do
not tell an LSTM's cell at each example's own end, so it is not passed on itself. Without attention that is all that
the decoder learns of the input (Cho et al. 2014; Sutskever et al. 2014). With attention its top state asks the states
of the encoder, and what it gathers, together with itself, becomes an attentional vector from which the next token is
told (Luong et al. 2015, §3, equation 5). With `input_feeding` (§3.3) that vector is part of the next step's input, and
training goes step by step; without it, the whole decoder is one kernel over all positions.

Shapes: B examples, S positions read, T written, D size of the encoder's states, H hidden units, V tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from dlbench.models import _image, _sequence
from dlbench.models._recurrent import Cell, Recurrent, RecurrentParams, embedding
from dlbench.models._scores import Scores
from dlbench.schema.signature import Image, Signature, Tokens

if TYPE_CHECKING:
    from dlbench.contracts.batches import Batch, State

ENTROPY = 0.002
"""Weight of the entropy of where to look, in hard attention (in the code of Xu et al. 2015, `alpha_entropy_c`)."""

SOFT = 0.5
"""Share of the examples for which hard attention takes the expectation in training (Xu et al. 2015, §4.1)."""

MEMORY = 0.9
"""Share of the old baseline in the new one (Xu et al. 2015, §4.1)."""


def accepts(signature: Signature) -> bool:
    """Token sequences or images to token sequences."""
    return isinstance(signature.input, Tokens | Image) and isinstance(signature.output, Tokens)


def build(params: RecurrentParams, cell: Cell, signature: Signature) -> RecurrentWriter:
    """The encoder–decoder that the parameters ask for."""
    if params.attention == "hard" and isinstance(signature.input, Tokens):
        return HardWriter(params, cell, signature)
    return RecurrentWriter(params, cell, signature)


class TokenEncoder(nn.Module):
    """States of all positions of a token sequence."""

    def __init__(self, params: RecurrentParams, cell: Cell, vocabulary: int) -> None:
        super().__init__()
        self.embedding = embedding(vocabulary, params.embedding_size)
        self.token_dropout = _sequence.TokenDropout(params.token_dropout)
        shape = params.embedding_size, params.hidden_size, params.layers, params.bidirectional, params.dropout
        self.body = Recurrent(cell, *shape)
        self.output_size = self.body.output_size

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """States (B, S, D), which are real (B, S), and the state behind the last token (B, D)."""
        tokens, lengths = batch["tokens"], batch["lengths"]
        states_BSD = self.body(self.token_dropout(self.embedding(tokens)), lengths)
        real_BS = _sequence.real_positions(lengths, tokens.shape[1])
        return states_BSD, real_BS, self.body.final(states_BSD, lengths)


class ImageEncoder(nn.Module):
    """An image as a single vector: what is read in one step."""

    def __init__(self, params: RecurrentParams, pixels: int) -> None:
        super().__init__()
        self.project = nn.Linear(pixels, params.hidden_size)
        self.dropout = nn.Dropout(params.dropout)
        self.output_size = params.hidden_size

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """One state (B, 1, D), which is real (B, 1), and the same (B, D)."""
        state_BD = self.dropout(torch.tanh(self.project(batch["image"].flatten(1))))
        return state_BD[:, None], torch.ones_like(state_BD[:, :1], dtype=torch.bool), state_BD


class Layers(nn.Module):
    """Recurrent layers in one direction that begin anywhere and say where they end.

    Args:
        cell: makes one layer.
        input_size: of a vector that is read.
        hidden_size: H.
        layers: how many.
        dropout: on the input of every layer.
    """

    def __init__(self, cell: Cell, input_size: int, hidden_size: int, layers: int, dropout: float) -> None:
        super().__init__()
        sizes = [input_size] + [hidden_size] * (layers - 1)
        self.layers = nn.ModuleList(cell(size, hidden_size) for size in sizes)
        self.parts = 2 if isinstance(self.layers[0], nn.LSTM) else 1
        self.states = layers * self.parts
        self.dropout = nn.Dropout(dropout)

    def forward(self, vectors_BTE: Tensor, hidden_BPH: Tensor) -> tuple[Tensor, Tensor]:
        """States of the last layer (B, T, H), and what all layers remember behind the last step, (B, P, H).

        Args:
            vectors_BTE: what is read.
            hidden_BPH: what the layers remember before; P: one row for each layer, two if it is an LSTM.
        """
        ends: list[Tensor] = []
        states_BTH = vectors_BTE
        for layer, start_BQH in zip(self.layers, hidden_BPH.chunk(len(self.layers), 1), strict=True):
            start = start_BQH.transpose(0, 1).contiguous().chunk(self.parts)
            states_BTH, end = layer(self.dropout(states_BTH), start if self.parts == 2 else start[0])
            ends += end if self.parts == 2 else [end]
        return states_BTH, torch.cat(ends).transpose(0, 1)


@dataclass
class Looked:
    """Where a stretch of positions looked, and what it gathered.

    Attributes:
        vector_BTH: attentional vectors, out of which tokens are told.
        weight_BTS: how much each position would take from each; None: there is no attention.
        chosen_BT: where hard attention looked; None: attention is soft.
    """

    vector_BTH: Tensor
    weight_BTS: Tensor | None = None
    chosen_BT: Tensor | None = None


class RecurrentWriter(nn.Module):
    """A recurrent encoder–decoder; implements `dlbench.contracts.Writer`.

    Args:
        params: size, shape and attention.
        cell: makes one layer in one direction.
        signature: of tokens or an image to tokens, all sizes known.

    Raises:
        ValueError: a size is not known.
    """

    def __init__(self, params: RecurrentParams, cell: Cell, signature: Signature) -> None:
        super().__init__()
        size = params.hidden_size
        if isinstance(signature.input, Image):
            self.encoder: nn.Module = ImageEncoder(params, _image.values(signature.input))
            written, _ = _sequence.sizes_of(signature.output)
            attention = "none"  # there is a single state to look at
        else:
            (read, _), (written, _) = _sequence.sizes_of_both(signature)
            self.encoder = TokenEncoder(params, cell, read)
            attention = params.attention
        memory_size: int = self.encoder.output_size
        self.embedding = embedding(written, params.embedding_size)
        self.feeds = params.input_feeding and attention != "none"
        fed = params.embedding_size + (size if self.feeds else 0)
        self.body = Layers(cell, fed, size, params.layers, params.dropout)
        self.bridge = nn.Linear(memory_size, self.body.states * size)
        self.scores = None if attention == "none" else Scores(attention, size, memory_size)
        self.combine = None if self.scores is None else nn.Linear(memory_size + size, size)
        self.dropout = nn.Dropout(params.dropout)
        self.output = nn.Linear(size, written)

    def forward(self, batch: Batch) -> Tensor:
        """Logits of each position from what stands before it, (B, T, V)."""
        return self._told(self._looked(batch).vector_BTH)

    def begin(self, batch: Batch) -> tuple[State, State]:
        """The encoder's states, and where the decoder begins."""
        states_BSD, real_BS, final_BD = self.encoder(batch)
        hidden_BPH = torch.tanh(self.bridge(final_BD)).view(len(final_BD), self.body.states, -1)
        state = {"hidden": hidden_BPH}
        if self.scores is None:
            return {}, state
        if self.feeds:
            state["vector"] = torch.zeros_like(hidden_BPH[:, 0])
        return {"states": states_BSD, "real": real_BS, "keys": self.scores.keys(states_BSD)}, state

    def step(self, previous_B: Tensor, position: int, memory: State, state: State) -> tuple[Tensor, State]:
        """Logits of the next token, (B, V), and the state behind it; see `dlbench.contracts.Writer`."""
        looked, state = self._advance(self.embedding(previous_B[:, None]), memory, state)
        return self._told(looked.vector_BTH).squeeze(1), state

    def attention(self, batch: Batch) -> Mapping[str, Tensor]:
        """`cross`: weights of the encoder's states at each position, (B, T, S); none without attention."""
        looked = self._looked(batch)
        if looked.weight_BTS is None:
            return {}
        if looked.chosen_BT is None:
            return {"cross": looked.weight_BTS}
        chosen_BTS = functional.one_hot(looked.chosen_BT, looked.weight_BTS.shape[2])
        return {"cross": chosen_BTS.to(looked.weight_BTS.dtype)}

    def _told(self, vector_BTH: Tensor) -> Tensor:
        logits_BTV: Tensor = self.output(self.dropout(vector_BTH))
        return logits_BTV

    def _looked(self, batch: Batch) -> Looked:
        """All positions under teacher forcing."""
        memory, state = self.begin(batch)
        vectors_BTE = self.embedding(batch["previous"])
        if not self.feeds:
            return self._advance(vectors_BTE, memory, state)[0]
        steps = []
        for vectors_B1E in vectors_BTE.chunk(vectors_BTE.shape[1], 1):
            looked, state = self._advance(vectors_B1E, memory, state)
            steps.append(looked)
        return _joined(steps)

    def _advance(self, vectors_BTE: Tensor, memory: State, state: State) -> tuple[Looked, State]:
        """Some more positions; a single one where attentional vectors are fed back."""
        if self.feeds:
            vectors_BTE = torch.cat([vectors_BTE, state["vector"][:, None]], 2)
        states_BTH, hidden_BPH = self.body(vectors_BTE, state["hidden"])
        after: State = {"hidden": hidden_BPH}
        if self.scores is None or self.combine is None:
            return Looked(states_BTH), after
        weight_BTS = self.scores(states_BTH, memory["keys"], memory["real"])
        gathered_BTD, chosen_BT = self._gathered(weight_BTS, memory["states"])
        vector_BTH = torch.tanh(self.combine(torch.cat([gathered_BTD, states_BTH], 2)))
        if self.feeds:
            after["vector"] = vector_BTH[:, -1]
        return Looked(vector_BTH, weight_BTS, chosen_BT), after

    def _gathered(self, weight_BTS: Tensor, states_BSD: Tensor) -> tuple[Tensor, Tensor | None]:
        """What is gathered from the encoder's states, and where it was looked, if at one of them only."""
        return weight_BTS.to(states_BSD.dtype) @ states_BSD, None


class HardWriter(RecurrentWriter):
    """Looks at one position at a time, drawn in training, the likeliest otherwise (Xu et al. 2015, §4.1).

    Where to look cannot be differentiated: REINFORCE rewards a draw with the log-probability of the tokens that it had
    a part in, less a moving average (equation 11). An entropy term keeps it from settling too soon, and half of the
    examples take the expectation over positions instead of a draw; both as in the paper.
    """

    baseline: Tensor

    def __init__(self, params: RecurrentParams, cell: Cell, signature: Signature) -> None:
        super().__init__(params, cell, signature)
        self.register_buffer("baseline", torch.zeros(()))

    def loss(self, batch: Batch, *, label_smoothing: float = 0.0) -> Tensor:
        """Mean cross entropy over the targets' tokens, in nats; its gradient has also that of the expected reward."""
        looked = self._looked(batch)
        target_BT = batch["target"]
        logits_BTV = self._told(looked.vector_BTH).float()
        real_BT = target_BT != 0
        cross_entropy = functional.cross_entropy(
            logits_BTV.flatten(0, 1), target_BT.flatten(), ignore_index=0, label_smoothing=label_smoothing
        )
        if looked.chosen_BT is None or looked.weight_BTS is None:  # in evaluation
            return cross_entropy
        reward_BT = logits_BTV.detach().log_softmax(2).gather(2, target_BT[..., None]).squeeze(2) * real_BT
        tokens = real_BT.sum()
        if self.training:
            mean = (reward_BT.sum() / tokens).to(self.baseline.dtype)
            self.baseline.copy_(MEMORY * self.baseline + (1 - MEMORY) * mean)
        advantage_BT = (reward_BT - self.baseline) * real_BT
        if self.feeds:  # a look then has a part in all tokens behind it, too
            advantage_BT = advantage_BT.flip(1).cumsum(1).flip(1)
        log_BTS = looked.weight_BTS.float().clamp_min(1e-12).log()
        drawn_BT = log_BTS.gather(2, looked.chosen_BT.clamp_min(0)[..., None]).squeeze(2)
        entropy_BT = -(looked.weight_BTS.float() * log_BTS).sum(2)
        gain_BT = advantage_BT * drawn_BT * (looked.chosen_BT >= 0) + ENTROPY * entropy_BT
        gain = (gain_BT * real_BT).sum() / tokens
        return cross_entropy - (gain - gain.detach())

    def _gathered(self, weight_BTS: Tensor, states_BSD: Tensor) -> tuple[Tensor, Tensor | None]:
        """The state at one position; in training for half of the examples all, in which case the position is -1."""
        if not self.training:
            chosen_BT = weight_BTS.argmax(2)
        else:  # the largest of log-probabilities with Gumbel noise is a draw, and needs no loop over examples
            noise_BTS = torch.rand_like(weight_BTS, dtype=torch.float32).clamp_min(1e-12).log().neg()
            chosen_BT = (weight_BTS.float() / noise_BTS).argmax(2)
        index_BTD = chosen_BT[..., None].expand(-1, -1, states_BSD.shape[2])
        gathered_BTD = states_BSD.gather(1, index_BTD)
        if not self.training:
            return gathered_BTD, chosen_BT
        soft_B = torch.rand(len(weight_BTS), device=weight_BTS.device) < SOFT
        expected_BTD, _ = super()._gathered(weight_BTS, states_BSD)
        gathered_BTD = torch.where(soft_B[:, None, None], expected_BTD, gathered_BTD)
        return gathered_BTD, chosen_BT.masked_fill(soft_B[:, None], -1)


def _joined(steps: list[Looked]) -> Looked:
    """Positions one after the other as one stretch."""

    def joined(parts: list[Tensor | None]) -> Tensor | None:
        present = [part for part in parts if part is not None]
        return torch.cat(present, 1) if present else None

    weight_BTS, chosen_BT = joined([step.weight_BTS for step in steps]), joined([step.chosen_BT for step in steps])
    return Looked(torch.cat([step.vector_BTH for step in steps], 1), weight_BTS, chosen_BT)
