"""Reversal: symbols to be written backwards, or copied, also in sequences longer than any seen. Built in.

Copying (Graves, Wayne & Danihelka 2014, "Neural Turing Machines") and reversal (Grefenstette et al. 2015, "Learning
to Transduce with Unbounded Memory") are what a model that remembers, or looks back, does without fail. Lengths are
drawn uniformly, then symbols, and no sequence occurs twice: of the shortest there are fewer than their share.
`test_max_length` beyond `max_length` spreads the lengths that are tested up to there, so some were never trained on
(in the second paper: trained on 8 to 64, tested on 65 to 128).
"""

from functools import lru_cache
from typing import Literal

import numpy as np
from pydantic import Field

from dlbench.datasets._drawn import Draw, Lengths, trained_and_tested
from dlbench.datasets._pairs import Pairs
from dlbench.schema.data import DataFile

REVISION = 1
TASKS = ("translation",)
FILES: tuple[DataFile, ...] = ()


class Params(Lengths):
    """What is asked, of which sequences."""

    operation: Literal["reverse", "copy"] = Field("reverse", description="what is to be written")
    symbols: int = Field(10, ge=2, le=10_000, description="how many different symbols there are: 0, 1, 2, …")
    min_length: int = Field(1, ge=1, le=1000, description="shortest sequence, in symbols")
    max_length: int = Field(12, ge=1, le=1000, description="longest sequence of training and validation")
    test_max_length: int | None = Field(None, ge=1, le=1000, description="longest of the test; default: as in training")
    train_size: int = Field(8000, ge=1, le=10_000_000, description="training sequences")
    val_size: int = Field(1000, ge=1, le=10_000_000, description="validation sequences")
    test_size: int = Field(1000, ge=1, le=10_000_000, description="test sequences")
    seed: int = Field(0, ge=0, lt=2**32, description="seed of the generator")


def make(split: str, params: Params) -> Pairs:
    """Sequences of a split and what is to be written for each, symbols with spaces between them.

    Raises:
        DataError: there are not as many different sequences as are asked for.
    """
    return Pairs(*_splits(params)[split], language=False)


@lru_cache(maxsize=1)
def _splits(params: Params) -> dict[str, tuple[list[str], list[str]]]:
    return trained_and_tested(
        lambda longest: _draw(params, longest),
        params.max_length,
        params.longest_tested,
        train=params.train_size,
        val=params.val_size,
        test=params.test_size,
        seed=params.seed,
        what=f"{params.operation}, {params.symbols} symbols",
        shortest=params.min_length,
    )


def _draw(params: Params, longest: int) -> Draw[str]:
    """Sequences of `min_length` to `longest` symbols, and what is to be written."""
    words = np.array([str(symbol) for symbol in range(params.symbols)], dtype=object)
    step = -1 if params.operation == "reverse" else 1

    def draw(stream: np.random.RandomState, n: int) -> tuple[list[str], list[str]]:
        lengths = stream.randint(params.min_length, longest + 1, size=n)
        symbols = words[stream.randint(0, params.symbols, size=lengths.sum())].tolist()
        ends = np.cumsum(lengths)
        sequences = [symbols[start:end] for start, end in zip(ends - lengths, ends, strict=True)]
        return [" ".join(one) for one in sequences], [" ".join(one[::step]) for one in sequences]

    return draw
