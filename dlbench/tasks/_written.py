"""What tasks share whose answers are sequences of tokens: targets, loss, decoding, scores. Knows no input.

Scores are BLEU (Papineni et al. 2002) and chrF (Popović 2015) by sacrebleu (Post 2018), whose signature is kept with
each figure, exact match, and perplexity under teacher forcing.

Shapes: N examples, B of a batch, T the longest target of a batch, L the longest of all, V tokens.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from torch import Tensor
from torch.nn import functional

from dlbench.contracts.batches import Batch, Predictions
from dlbench.contracts.models import Writer
from dlbench.schema import base
from dlbench.schema.metric import Direction, Metric
from dlbench.schema.signature import Input, Signature, Tokens
from dlbench.tasks import _decoding
from dlbench.tasks._decoding import BEGIN, END, PADDING
from dlbench.tasks._predictions import named
from dlbench.tasks._shown_texts import ShownTexts

SCORES: Mapping[str, Direction] = {
    "bleu": "higher",
    "chrf": "higher",
    "exact_match": "higher",
    "perplexity": "lower",
}
"""All that `score` gives, with which way is better."""

OF_NAMES = ("exact_match", "chrf", "perplexity")
"""Those of answers of a word or two, the own score first: BLEU counts runs of four."""

OF_LANGUAGE = ("bleu", "chrf", "exact_match", "perplexity")
OF_SYMBOLS = ("exact_match", "bleu", "chrf", "perplexity")

REFERENCED = ("val", "test")
"""Splits whose answers are compared with a reference."""


class DecodingParams(base.Params):
    """How answers are searched for."""

    beam: int = Field(1, ge=1, le=256, description="answers followed at once in scoring; 1 is greedy decoding")
    length_penalty: float = Field(
        0.6, ge=0, le=10, description="exponent by which beam search favours longer answers (Wu et al. 2016)"
    )


@dataclass(frozen=True)
class References:
    """What should have been written.

    Attributes:
        texts: split → a text for each example.
        language: natural language, to be compared without regard to case; otherwise symbols.
        names: a word or two each.
    """

    texts: Mapping[str, Sequence[str]]
    language: bool
    names: bool = False

    @property
    def scores(self) -> Mapping[str, Direction]:
        """What answers of this kind are scored by, the task's own score first."""
        names = OF_NAMES if self.names else OF_LANGUAGE if self.language else OF_SYMBOLS
        return {name: SCORES[name] for name in names}


class Writing:
    """A task whose answers are written, but for what is read and how its batches are made.

    Args:
        read: what a model reads, all sizes known.
        lengths: split → tokens of each target, its end included, (N,).
        references: the targets as text.
        tokenizer: JSON of the package `tokenizers`, which knows the targets' ids.
        params: how answers are searched for.
        shared: whether the ids of the input mean the same.
    """

    def __init__(
        self,
        read: Input,
        lengths: Mapping[str, NDArray[np.integer]],
        references: References,
        tokenizer: str,
        params: DecodingParams,
        *,
        shared: bool = False,
    ) -> None:
        from tokenizers import Tokenizer

        self._lengths, self._references, self._params = lengths, references, params
        self._tokenizer = Tokenizer.from_str(tokenizer)
        self._longest = max(int(of_split.max()) for of_split in lengths.values())
        self.sizes = {split: len(of_split) for split, of_split in lengths.items()}
        self.scores = references.scores
        output = Tokens(vocabulary=self._tokenizer.get_vocab_size(), length=self._longest, shared=shared)
        self.signature = Signature(input=read, output=output)

    def loss(self, output: Tensor, batch: Batch, *, label_smoothing: float = 0.0) -> Tensor:
        """Mean cross entropy of logits (B, T, V) over all tokens that are no padding, in nats."""
        return functional.cross_entropy(
            output.flatten(0, 1).float(),
            batch["target"].flatten(),
            ignore_index=PADDING,
            label_smoothing=label_smoothing,
        )

    def predict(self, model: torch.nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Under teacher forcing: `loss`, the negative log-probability of each target in nats, (B,), float32."""
        logits_BTV: Tensor = model(batch)
        target_BT = batch["target"]
        loss_BT = functional.cross_entropy(
            logits_BTV.flatten(0, 1).float(), target_BT.flatten(), ignore_index=PADDING, reduction="none"
        )
        return {"loss": loss_BT.view(target_BT.shape).sum(1)}

    def generate(self, model: torch.nn.Module, batch: Batch, length: int | None = None) -> dict[str, Tensor]:
        """`generated`, (B, L), or (B, length): see `dlbench.contracts.Generator.generate`."""
        writer, longest = cast(Writer, model), length or self._longest
        how: dict[str, Any] = {"exactly": length is not None, "known": self._longest}
        if self._params.beam == 1:
            return {"generated": _decoding.greedy(writer, batch, longest, **how)}
        beam, penalty = self._params.beam, self._params.length_penalty
        return {"generated": _decoding.beam_search(writer, batch, longest, beam, penalty, **how)}

    def written(self, generated_NT: Tensor) -> list[str]:
        """Rows of ids as text, up to the first end."""
        rows = [_until_end(row) for row in generated_NT.tolist()]
        texts: list[str] = self._tokenizer.decode_batch(rows, skip_special_tokens=False)
        return texts

    def reference(self, row: int) -> str:
        """The test target of that row as the dataset has it."""
        return self._references.texts["test"][row]

    def target_pieces(self, batch: Batch) -> list[list[str]]:
        """Each token of the targets as a person reads it, without padding."""
        return [spelled(self._tokenizer, row) for row in batch["target"].tolist()]

    def score(self, predictions: Predictions, split: str) -> list[Metric]:
        """Of BLEU, chrF, exact match and perplexity those that the kind of references asks for, in its order."""
        answers = named(predictions)
        texts, references = self.written(answers["generated"]), self._references.texts[split]
        n = len(texts)
        exact = float(np.mean(self._exact(texts, split)))
        tokens = int(self._lengths[split].sum())
        perplexity = math.exp(min(float(answers["loss"].double().sum()) / tokens, 700.0))
        bleu, chrf = self._bleu(), CHRF(lowercase=self._references.language)
        of_corpus = [
            Metric(
                name=name,
                value=scorer.corpus_score(texts, [references]).score,
                unit="number",
                better="higher",
                n=n,
                detail={"signature": scorer.get_signature().format()},
            )
            for name, scorer in (("bleu", bleu), ("chrf", chrf))
            if name in self.scores
        ]
        others = [
            Metric(name="exact_match", value=exact, unit="fraction", better="higher", n=n),
            Metric(name="perplexity", value=perplexity, unit="number", better="lower", n=tokens),
        ]
        return sorted([*of_corpus, *others], key=lambda metric: list(self.scores).index(metric.name))

    def keep(self, predictions: Predictions, split: str) -> dict[str, NDArray[np.generic]]:
        """Of each example `exact`, `loss`, `target_length` in tokens, and the counts that BLEU sums (N, 10).

        Those are the lengths of answer and reference, then of n-grams of 1 to 4 words how many are in the reference,
        then how many there are; they are kept where BLEU is a score.
        """
        answers = named(predictions)
        texts = self.written(answers["generated"])
        columns: dict[str, NDArray[np.generic]] = {
            "exact": self._exact(texts, split),
            "loss": answers["loss"].double().cpu().numpy(),
            "target_length": self._lengths[split].astype(np.int32),
        }
        if "bleu" in self.scores:
            columns["bleu_statistics"] = self._statistics(texts, split)
        return columns

    def _exact(self, texts: Sequence[str], split: str) -> NDArray[np.bool_]:
        """Which answers are the reference: of language, without regard to case and runs of spaces."""
        language, references = self._references.language, self._references.texts[split]
        pairs = zip(texts, references, strict=True)
        return np.array([plain(text, language) == plain(reference, language) for text, reference in pairs])

    def _bleu(self, **others: Any) -> BLEU:
        language = self._references.language
        return BLEU(lowercase=language, tokenize="13a" if language else "none", **others)

    def _statistics(self, texts: Sequence[str], split: str) -> NDArray[np.int32]:
        scorer = self._bleu(effective_order=True)
        pairs = zip(texts, self._references.texts[split], strict=True)
        scores = (scorer.sentence_score(text, [reference]) for text, reference in pairs)
        return np.array([[s.sys_len, s.ref_len, *s.counts, *s.totals] for s in scores], np.int32)


def forced(target_BT: Tensor) -> Batch:
    """What teacher forcing takes: `target` (B, T), and `previous` (B, T), the token before each."""
    begin_B1 = torch.full_like(target_BT[:, :1], BEGIN)
    return {"target": target_BT, "previous": torch.cat([begin_B1, target_BT[:, :-1]], 1)}


def plain(text: str, language: bool) -> str:
    """A text as exact match compares it."""
    return " ".join(text.lower().split()) if language else text


def spelled(tokenizer: Any, ids: Sequence[int]) -> list[str]:
    """Each id by itself as a person reads it, without padding and the spaces around it."""
    kept = [[one] for one in ids if one != PADDING]
    texts: list[str] = tokenizer.decode_batch(kept, skip_special_tokens=False)
    return [text.strip() or tokenizer.id_to_token(one[0]) for text, one in zip(texts, kept, strict=True)]


def _until_end(row: list[int]) -> list[int]:
    for stop in (END, PADDING):
        if stop in row:
            row = row[: row.index(stop)]
    return row


def shown(content: NDArray[np.uint8], offsets: NDArray[np.int64]) -> list[str]:
    """All texts that `packed` packed."""
    texts = ShownTexts(content, offsets)
    return [texts[row] for row in range(len(texts))]
