"""Writing answers token by token with a `Writer`: greedily, or by beam search. Knows no vocabulary and no task.

Nothing waits for the device but the question whether all answers have ended, which a GPU is asked now and then only.

Shapes: B examples, K beams, V tokens, L the longest answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dlbench.contracts.batches import Batch
from dlbench.contracts.models import Writer

PADDING, UNKNOWN, BEGIN, END = range(4)
SPECIALS = ("[PAD]", "[UNK]", "[BOS]", "[EOS]")

ASKED_EVERY = 8
"""Tokens between two questions to a GPU whether all answers have ended."""


def greedy(model: Writer, batch: Batch, longest: int, *, exactly: bool = False, known: int | None = None) -> Tensor:
    """The likeliest token at each position, given those before; (B, longest), padded behind each end.

    Args:
        model: in evaluation mode.
        batch: what it reads.
        longest: L; what has not ended by then is cut.
        exactly: nothing ends before.
        known: positions that the model knows, where those are fewer; all behind are taken for the last of them.
    """
    memory, state = model.begin(batch)
    previous_B = torch.full_like(batch["index"], BEGIN)
    ended_B = torch.zeros_like(previous_B, dtype=torch.bool)
    written_BL = previous_B.new_zeros((len(previous_B), longest))
    barred = _barred(exactly)
    for position in range(longest):
        logits_BV, state = model.step(previous_B, _within(known, position), memory, state)
        previous_B = _without(logits_BV, barred).argmax(1).masked_fill(ended_B, PADDING)
        written_BL[:, position] = previous_B
        ended_B |= previous_B == END
        if not exactly and _asks(position, ended_B) and bool(ended_B.all()):
            break
    return written_BL


def beam_search(
    model: Writer,
    batch: Batch,
    longest: int,
    beams: int,
    length_penalty: float,
    *,
    exactly: bool = False,
    known: int | None = None,
) -> Tensor:
    """The best answer that a beam search finds; (B, longest), padded behind each end.

    An answer Y of log-probability log P is worth log P / ((5 + |Y|) / 6)^α, its end counted in |Y| (Wu et al. 2016, §7,
    equation 14, without coverage). The search goes on until no beam can become better than the best answer that has
    ended, so a beam that is wide enough finds the best of all. Only where nothing ends within `longest` tokens an
    answer without an end is given.

    Args:
        model: in evaluation mode.
        batch: what it reads.
        longest: L.
        beams: K, answers that are followed at once.
        length_penalty: α; 0 prefers short answers.
        exactly: nothing ends before `longest` tokens.
        known: as in `greedy`.
    """
    memory, state = model.begin(batch)
    memory, state = (
        {name: rows.repeat_interleave(beams, 0) for name, rows in part.items()} for part in (memory, state)
    )
    search = _Beams.fresh(batch["index"], beams, longest)
    barred = _barred(exactly)
    for position in range(longest):
        logits, state = model.step(search.previous(position), _within(known, position), memory, state)
        origin = search.extend(_without(logits, barred), position, _penalty(position + 1, length_penalty))
        state = {name: rows.index_select(0, origin) for name, rows in state.items()}
        if not exactly and _asks(position, origin) and bool(search.decided(_penalty(longest, length_penalty)).all()):
            break
    return search.best()


def _penalty(length: int, alpha: float) -> float:
    penalty: float = ((5 + length) / 6) ** alpha
    return penalty


def _within(known: int | None, position: int) -> int:
    return position if known is None else min(position, known - 1)


def _barred(exactly: bool) -> list[int]:
    """Tokens that are never written."""
    return [PADDING, BEGIN, END] if exactly else [PADDING, BEGIN]


def _without(logits: Tensor, barred: list[int]) -> Tensor:
    """Logits, float32, of what may be written; a copy, for they may be the model's own memory."""
    logits = logits.to(torch.float32, copy=True)
    for token in barred:
        logits[:, token] = -torch.inf
    return logits


def _asks(position: int, tensor: Tensor) -> bool:
    return not tensor.is_cuda or position % ASKED_EVERY == ASKED_EVERY - 1


@dataclass
class _Beams:
    """The answers that are followed, and the best that has ended, of every example.

    Attributes:
        tokens_BKL: what each beam has written.
        score_BK: its log-probability; -inf: there is no such beam.
        ended_BL: the best answer that has ended.
        worth_B: what that is worth; -inf: none has ended.
    """

    tokens_BKL: Tensor
    score_BK: Tensor
    ended_BL: Tensor
    worth_B: Tensor

    @classmethod
    def fresh(cls, like_B: Tensor, beams: int, longest: int) -> _Beams:
        """One empty beam for each example."""
        tokens_BKL = like_B.new_zeros((len(like_B), beams, longest))
        score_BK = torch.full(tokens_BKL.shape[:2], -torch.inf, device=like_B.device)
        score_BK[:, 0] = 0
        return cls(
            tokens_BKL, score_BK, torch.zeros_like(tokens_BKL[:, 0]), score_BK.new_full(like_B.shape, -torch.inf)
        )

    def previous(self, position: int) -> Tensor:
        """The last token of every beam, (B · K,)."""
        if position == 0:
            return torch.full_like(self.tokens_BKL[:, :, 0], BEGIN).flatten()
        return self.tokens_BKL[:, :, position - 1].flatten()

    def extend(self, logits: Tensor, position: int, penalty: float) -> Tensor:
        """Write the next token of every beam; which row (of B · K) each beam goes on from, (B · K,).

        Args:
            logits: of the beams' next tokens, (B · K, V).
            position: of that token.
            penalty: of answers that end with it.
        """
        batch, beams, _ = self.tokens_BKL.shape
        total_BKV = self.score_BK[:, :, None] + logits.log_softmax(1).view(batch, beams, -1)
        self._end(total_BKV[:, :, END], position, penalty)
        total_BKV[:, :, END] = -torch.inf
        self.score_BK, choice_BK = total_BKV.flatten(1).topk(min(beams, total_BKV[0].numel()), 1)
        vocabulary = total_BKV.shape[2]
        origin_BK = choice_BK // vocabulary
        self.tokens_BKL = self.tokens_BKL.gather(1, origin_BK[:, :, None].expand_as(self.tokens_BKL))
        self.tokens_BKL[:, :, position] = choice_BK % vocabulary
        first_B1 = torch.arange(batch, device=logits.device)[:, None] * beams
        return (first_B1 + origin_BK).flatten()

    def _end(self, score_BK: Tensor, position: int, penalty: float) -> None:
        """Take in the answers that end now, of these log-probabilities, where they are better than the best so far."""
        worth_B, beam_B = (score_BK / penalty).max(1)
        answer_BL = self.tokens_BKL[torch.arange(len(beam_B), device=beam_B.device), beam_B]
        answer_BL[:, position] = END
        better_B = worth_B > self.worth_B
        self.worth_B = torch.where(better_B, worth_B, self.worth_B)
        self.ended_BL = torch.where(better_B[:, None], answer_BL, self.ended_BL)

    def decided(self, least_penalty: float) -> Tensor:
        """For which examples no beam can become better any more, (B,): log-probabilities only fall."""
        return self.worth_B >= self.score_BK[:, 0] / least_penalty

    def best(self) -> Tensor:
        """The best answer of each example, ended if any has, (B, L)."""
        ended_B = self.worth_B > -torch.inf
        return torch.where(ended_B[:, None], self.ended_BL, self.tokens_BKL[:, 0])
