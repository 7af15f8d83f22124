"""Brackets: after each one, which must be closed next? Well-formed sequences of bounded depth. Built in.

The Dyck language of k kinds of brackets with at most m open at once, Dyck-(k, m), for which recurrent networks need
only of the order of m log k units (Hewitt et al. 2020, "RNNs can generate bounded hierarchical languages with optimal
memory"); of unbounded depth, two kinds are more than LSTMs learnt (Suzgun et al. 2019, "LSTM networks can perform
dynamic counting"). Each position is tagged with the bracket that alone could close there: what is open last. That is
the question of Skachkova et al. 2018, "Closing brackets with recurrent neural networks", asked everywhere.

Lengths are drawn uniformly from the even ones, then one of all well-formed sequences of that length, each equally
likely; no sequence occurs twice, so of the shortest there are fewer than their share. `test_max_length` beyond
`max_length` spreads the lengths that are tested up to there, so some were never trained on.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dlbench.datasets._drawn import Draw, Lengths, trained_and_tested
from dlbench.datasets._tagged import Tagged
from dlbench.schema.data import DataFile

REVISION = 1
TASKS = ("tagging",)
FILES: tuple[DataFile, ...] = ()

NOTHING = "-"
"""The tag where nothing is open."""


class Params(Lengths):
    """Which brackets, in sequences how long."""

    kinds: int = Field(2, ge=1, le=1000, description="kinds of brackets: (0 0), (1 1), …")
    max_depth: int = Field(4, ge=1, le=500, description="most brackets that are open at once")
    min_length: int = Field(2, ge=2, le=1000, multiple_of=2, description="shortest sequence, in brackets; even")
    max_length: int = Field(40, ge=2, le=1000, multiple_of=2, description="longest of training and validation; even")
    test_max_length: int | None = Field(
        None, ge=2, le=1000, multiple_of=2, description="longest of the test; default: as in training"
    )
    train_size: int = Field(4000, ge=1, le=10_000_000, description="training sequences")
    val_size: int = Field(500, ge=1, le=10_000_000, description="validation sequences")
    test_size: int = Field(1000, ge=1, le=10_000_000, description="test sequences")
    seed: int = Field(0, ge=0, lt=2**32, description="seed of the generator")


def make(split: str, params: Params) -> Tagged:
    """Sequences of a split with the tag of each bracket.

    Raises:
        DataError: there are not as many different sequences as are asked for.
    """
    texts, tags = _splits(params)[split]
    return Tagged(texts, tags, (NOTHING, *(_closing(kind) for kind in range(params.kinds))))


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
        what=f"brackets of {params.kinds} kinds, depth {params.max_depth}",
        shortest=params.min_length,
    )


def _draw(params: Params, longest: int) -> Draw[str]:
    """Sequences of `min_length` to `longest` brackets, and their tags."""
    opens = opening_chances(longest, params.max_depth)
    opening = [f"({kind}" for kind in range(params.kinds)]
    closing = [_closing(kind) for kind in range(params.kinds)]

    def draw(stream: np.random.RandomState, n: int) -> tuple[list[str], list[str]]:
        lengths = 2 * stream.randint(params.min_length // 2, longest // 2 + 1, size=n)
        ups_NT = _walks(stream, lengths, opens)
        kinds_NT = stream.randint(0, params.kinds, size=ups_NT.shape)
        texts, tags = [], []
        for ups, kinds, length in zip(ups_NT.tolist(), kinds_NT.tolist(), lengths.tolist(), strict=True):
            stack: list[int] = []
            text, tag = [], []
            for up, kind in zip(ups[:length], kinds[:length], strict=True):
                if up:
                    stack.append(kind)
                    text.append(opening[kind])
                else:
                    text.append(closing[stack.pop()])
                tag.append(closing[stack[-1]] if stack else NOTHING)
            texts.append(" ".join(text))
            tags.append(" ".join(tag))
        return texts, tags

    return draw


def opening_chances(longest: int, max_depth: int) -> NDArray[np.float64]:
    """The chance that the next bracket opens, by how many are left (rows) and how many are open (columns).

    With it, all well-formed sequences of a length are equally likely, from the exact number of ways to end. (The kinds
    do not matter here: every sequence of a length opens equally many brackets.)
    """
    ways = [1] + [0] * max_depth
    chances = np.zeros((longest + 1, max_depth + 1))
    for left in range(1, longest + 1):
        up, down = [*ways[1:], 0], [0, *ways[:-1]]
        ways = [above + below for above, below in zip(up, down, strict=True)]
        chances[left] = [above / total if total else 0.0 for above, total in zip(up, ways, strict=True)]
    return chances


def _walks(
    stream: np.random.RandomState, lengths_N: NDArray[np.int64], opens: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which brackets open, (N, T); arbitrary beyond a sequence's length."""
    ups_NT = np.zeros((len(lengths_N), int(lengths_N.max())), np.bool_)
    depth_N = np.zeros(len(lengths_N), np.int64)
    for step in range(ups_NT.shape[1]):
        left_N = np.maximum(lengths_N - step, 0)
        ups_NT[:, step] = stream.random_sample(len(lengths_N)) < opens[left_N, depth_N]
        depth_N += np.where(left_N > 0, np.where(ups_NT[:, step], 1, -1), 0)
    return ups_NT


def _closing(kind: int) -> str:
    return f"{kind})"
