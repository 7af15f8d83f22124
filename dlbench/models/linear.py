"""Logistic regression over a bag of hashed n-grams: the baseline that every text model has to beat.

Joulin et al. 2016, Bag of Tricks for Efficient Text Classification: words have rows of their own, longer n-grams
share hashed rows. By default a row holds one weight for each class and the logits are the sum over all n-grams of
the text: logistic regression on counts. With `hidden_size` rows are vectors, their mean goes through a small linear
layer, and it is fastText. It knows nothing of order beyond the n-gram.

Weights start at zero (the loss is convex), fastText's rows uniformly in ±1/hidden_size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from dlbench.models import _sequence
from dlbench.schema.base import Params as BaseParams
from dlbench.schema.signature import Classes, Signature, Tokens

if TYPE_CHECKING:
    from dlbench.contracts.batches import Batch

REVISION = 1

ROLLING = 116_049_371
"""Multiplier with which fastText rolls word hashes into n-gram hashes (`Dictionary::addWordNgrams`)."""

GOLDEN = 0x9E3779B97F4A7C15 - 2**64
"""2⁶⁴ over the golden ratio as a signed integer: Fibonacci hashing (Knuth, TAOCP 3, §6.4) spreads over high bits."""


class Params(BaseParams):
    """Which n-grams are counted, and how many rows they share."""

    ngrams: int = Field(2, ge=1, le=5, description="longest n-gram that is counted")
    buckets: int = Field(2**18, ge=1, le=2**26, description="rows that all n-grams of two and more words share")
    hidden_size: int | None = Field(None, ge=1, le=4096, description="fastText's hidden layer; null: none")


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "fasttext": {"ngrams": 1, "hidden_size": 10},
    "fasttext_bigram": {"ngrams": 2, "hidden_size": 10, "buckets": 10_000_000},
}
"""Joulin et al. 2016, §3.1: 10 hidden units, without and with bigrams in 10 million bins."""


def accepts(signature: Signature) -> bool:
    """Token sequences to classes."""
    return _sequence.reads_tokens_tells_class(signature)


def signature(preset: str | None) -> Signature:
    """AG News; fastText kept each of its about 95,800 words."""
    if preset is None:
        return _sequence.AG_NEWS
    return Signature(input=Tokens(vocabulary=95_812, length=256), output=Classes(classes=4))


def build(params: Params, signature: Signature) -> nn.Module:
    """The classifier, weights at zero."""
    vocabulary, _, classes = _sequence.sizes(signature)
    return Linear(params, vocabulary, classes)


class Linear(nn.Module):
    """Sum or mean of the rows of a text's n-grams.

    Rows: 0 is padding, then one for each word, then `buckets` for longer n-grams. Counting them is integer
    arithmetic on the device; only small gathers and one matrix product depend on the batch.
    """

    def __init__(self, params: Params, vocabulary: int, classes: int) -> None:
        super().__init__()
        self.ngrams, self.vocabulary, self.buckets = params.ngrams, vocabulary, params.buckets
        rows = vocabulary + (params.buckets if params.ngrams > 1 else 0)
        if params.hidden_size is None:
            self.rows = nn.EmbeddingBag(rows, classes, mode="sum", padding_idx=0)
            nn.init.zeros_(self.rows.weight)
            self.head: nn.Module = Bias(classes)
        else:
            self.rows = nn.EmbeddingBag(rows, params.hidden_size, mode="mean", padding_idx=0)
            nn.init.uniform_(self.rows.weight, -1 / params.hidden_size, 1 / params.hidden_size)
            self.head = nn.Linear(params.hidden_size, classes)

    def forward(self, batch: Batch) -> Tensor:
        """Logits, (B, classes)."""
        bag = self.rows(self.row_ids(batch["tokens"], batch["lengths"]))
        logits: Tensor = self.head(bag)
        return logits

    def row_ids(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """The row of every n-gram of every example, (B, N); 0 where an n-gram would reach into padding."""
        real = _sequence.real_positions(lengths, tokens.shape[1])
        found = [tokens * real]
        rolled = tokens
        for n in range(2, self.ngrams + 1):
            rolled = rolled[:, :-1] * ROLLING + tokens[:, n - 1 :]  # wraps at 64 bits, as intended
            row = self.vocabulary + ((rolled * GOLDEN) >> 32) % self.buckets
            found.append(row * real[:, n - 1 :])
        return torch.cat(found, 1)


class Bias(nn.Module):
    """One offset for each class."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(classes))

    def forward(self, logits: Tensor) -> Tensor:
        """Logits with the offsets added, (B, classes)."""
        return logits + self.bias
