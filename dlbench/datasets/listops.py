"""ListOps: the value of a nested expression of MAX, MIN, MED and SM over digits. Built in.

Nangia & Bowman 2018, "ListOps: A Diagnostic Dataset for Latent Tree Learning". From depth 1 down, a node is with
probability 1/4 one of four operators over 2 to `max_args` nodes, else (and always at `max_depth`) a digit, all
uniform: `[MAX 2 9 [MIN 4 7 ] 0 ]` is 9. MED is the median, rounded down; SM the sum modulo 10. As in the paper's
generator no expression occurs twice; there are 90,000 for training and 10,000 for testing, its trees have at most
20 levels and 5 arguments, and their length is not bounded. The longer variant of Tay et al. 2021 ("Long Range
Arena") has lengths 500 to 2,000 with 10 levels and 10 arguments.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from dlbench.datasets._drawn import splits
from dlbench.datasets._text import Text
from dlbench.schema import base
from dlbench.schema.data import DataFile

REVISION = 1
TASKS = ("text_classification",)
FILES: tuple[DataFile, ...] = ()

SYMBOLS = (*"0123456789", "[MIN", "[MAX", "[MED", "[SM", "]")
MIN, MAX, MED, SM, END = range(10, 15)
OPERATOR_PROBABILITY = 0.25

Ints = NDArray[np.int64]


class Params(base.Params):
    """Length and difficulty."""

    min_length: int = Field(1, ge=1, description="shortest expression, in symbols")
    max_length: int = Field(256, ge=1, le=100_000, description="longest expression, in symbols")
    max_depth: int = Field(20, ge=1, le=100, description="levels of the tree")
    max_args: int = Field(5, ge=2, le=100, description="arguments of an operator, at most")
    train_size: int = Field(20_000, ge=1, le=10_000_000, description="training expressions")
    val_size: int = Field(2000, ge=1, le=10_000_000, description="validation expressions")
    test_size: int = Field(2000, ge=1, le=10_000_000, description="test expressions")
    seed: int = Field(0, ge=0, lt=2**32, description="seed of the generator")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_length > self.max_length:
            raise ValueError(f"min_length {self.min_length} is above max_length {self.max_length}")
        return self


def make(split: str, params: Params) -> Text:
    """Expressions of a split, symbols with spaces between them; the label is the value, 0 to 9."""
    return _splits(params)[split]


@lru_cache(maxsize=1)
def _splits(params: Params) -> dict[str, Text]:
    return splits(
        lambda stream, n: _draw(stream, n, params),
        train=params.train_size,
        val=params.val_size,
        test=params.test_size,
        seed=params.seed,
        classes=tuple(SYMBOLS[:10]),
        what=f"listops of length {params.min_length} to {params.max_length}",
    )


@dataclass
class _Level:
    """The nodes of all trees at one depth; children of a node stand together, in order, on the next level.

    Attributes:
        tree: index of the tree, (K,).
        parent: index of the parent on the level above, (K,).
        operator: whether the node has children, (K,).
        args: number of children of each operator, (operators,).
    """

    tree: Ints
    parent: Ints
    operator: NDArray[np.bool_]
    args: Ints


def _draw(stream: np.random.RandomState, n: int, params: Params) -> tuple[list[str], Ints]:
    """At most n expressions whose length is within the bounds, and their values."""
    levels, lengths = _grow(stream, n, params)
    offsets = np.cumsum(lengths) - lengths
    symbol, size = _fill(stream, levels)
    out = np.empty(int(lengths.sum()), np.int64)
    position = offsets[levels[0].tree]
    for depth, level in enumerate(levels):
        if depth:
            before = np.cumsum(size[depth]) - size[depth]
            first = np.searchsorted(level.parent, level.parent)
            position = position[level.parent] + 1 + before - before[first]
        out[position] = symbol[depth]
        out[(position + size[depth] - 1)[level.operator]] = END
    words = np.array(SYMBOLS, dtype=object)[out].tolist()
    texts = [" ".join(words[start:end]) for start, end in zip(offsets, offsets + lengths, strict=True)]
    return texts, _evaluate(levels, symbol, params.max_args)


def _grow(stream: np.random.RandomState, n: int, params: Params) -> tuple[list[_Level], Ints]:
    """Shapes of n trees without those outside the bounds, level by level, and the length of each that is left."""
    levels: list[_Level] = []
    lengths = np.zeros(n, np.int64)
    too_long = np.zeros(n, np.bool_)
    tree = parent = np.arange(n)
    while len(tree):
        chance = stream.random_sample(len(tree))
        operator = (chance <= OPERATOR_PROBABILITY) & (len(levels) + 1 < params.max_depth)
        lengths += np.bincount(tree, 1 + operator, minlength=n).astype(np.int64)
        args = stream.randint(2, params.max_args + 1, size=int(operator.sum()))
        levels.append(_Level(tree, parent, operator, args))
        parent = np.repeat(np.flatnonzero(operator), args)
        too_long |= lengths + np.bincount(tree[parent], minlength=n) > params.max_length
        parent = parent[~too_long[tree[parent]]]  # such a tree grows no further
        tree = tree[parent]
    kept = (lengths >= params.min_length) & ~too_long
    return _keep(levels, kept), lengths[kept]


def _keep(levels: list[_Level], kept: NDArray[np.bool_]) -> list[_Level]:
    """The levels with only the trees that are kept, all indices renumbered."""
    renumbered = np.cumsum(kept) - 1
    result: list[_Level] = []
    above = kept
    for level in levels:
        here = kept[level.tree]
        parent = (np.cumsum(above) - 1)[level.parent[here]]
        result.append(
            _Level(renumbered[level.tree[here]], parent, level.operator[here], level.args[here[level.operator]])
        )
        above = here
    return [level for depth, level in enumerate(result) if depth == 0 or len(level.tree)]


def _fill(stream: np.random.RandomState, levels: list[_Level]) -> tuple[list[Ints], list[Ints]]:
    """A symbol for each node, and the number of symbols that its expression takes."""
    symbol = [
        np.where(level.operator, stream.randint(MIN, SM + 1, len(level.tree)), stream.randint(0, 10, len(level.tree)))
        for level in levels
    ]
    size = [np.where(level.operator, 2, 1) for level in levels]
    for depth in range(len(levels) - 1, 0, -1):
        below = np.bincount(levels[depth].parent, size[depth], minlength=len(size[depth - 1]))
        size[depth - 1] = size[depth - 1] + below.astype(np.int64)
    return symbol, size


def _evaluate(levels: list[_Level], symbol: list[Ints], max_args: int) -> Ints:
    """The value of every tree, from the leaves up."""
    below = np.empty(0, np.int64)
    for level, symbols in zip(reversed(levels), reversed(symbol), strict=True):
        value = symbols.copy()
        # Arguments side by side, (operators, max_args), sorted; 10 is above every digit and marks absent ones.
        present = np.arange(max_args) < level.args[:, None]
        table = np.full(present.shape, 10)
        table[present] = below
        table.sort(axis=1)
        row = np.arange(len(table))
        lower, upper = table[row, (level.args - 1) // 2], table[row, level.args // 2]
        total = np.where(present, table, 0).sum(axis=1)
        by_operator = (table[:, 0], table[row, level.args - 1], (lower + upper) // 2, total % 10)
        value[level.operator] = np.choose(symbols[level.operator] - MIN, by_operator)
        below = value
    return below
