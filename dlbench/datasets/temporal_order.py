"""Temporal order: in which order did two or three rare symbols appear, a long lag ago? Built in.

Hochreiter & Schmidhuber 1997, "Long Short-Term Memory", Experiment 6. A sequence starts with E, ends with the
trigger B and consists of random symbols from {a, b, c, d}, but for two (task 6a) or three (6b) relevant ones that
are X or Y at random. The class is their order: 4 or 8 classes. In the paper sequences have 100 to 110 symbols and
training examples are made on the fly; here they are drawn in advance, none twice, and every figure scales with
`length`.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dlbench.datasets._drawn import splits
from dlbench.datasets._text import Text
from dlbench.schema import base
from dlbench.schema.data import DataFile

REVISION = 1
TASKS = ("text_classification",)
FILES: tuple[DataFile, ...] = ()

POSITIONS = {2: ((10, 20), (50, 60)), 3: ((10, 20), (33, 43), (66, 76))}
"""Relevant symbols → first and last step (the E is step 0) at which each may stand, at length 100."""

CLASSES = {2: ("Q", "R", "S", "U"), 3: ("Q", "R", "S", "U", "V", "A", "B", "C")}
"""Relevant symbols → the paper's names, in the order XX, XY, YX, YY or XXX, XXY, …, YYY."""


class Params(base.Params):
    """Length and difficulty."""

    length: int = Field(100, ge=10, le=100_000, description="shortest sequence; the longest is a tenth longer")
    relevant: int = Field(2, ge=2, le=3, description="relevant symbols: 2 is the paper's task 6a, 3 is 6b")
    train_size: int = Field(8000, ge=1, le=10_000_000, description="training sequences")
    val_size: int = Field(1000, ge=1, le=10_000_000, description="validation sequences")
    test_size: int = Field(2000, ge=1, le=10_000_000, description="test sequences")
    seed: int = Field(0, ge=0, lt=2**32, description="seed of the generator")


def make(split: str, params: Params) -> Text:
    """Sequences of a split, symbols with spaces between them."""
    return _splits(params)[split]


@lru_cache(maxsize=1)
def _splits(params: Params) -> dict[str, Text]:
    return splits(
        lambda stream, n: _draw(stream, n, params.length, params.relevant),
        train=params.train_size,
        val=params.val_size,
        test=params.test_size,
        seed=params.seed,
        classes=CLASSES[params.relevant],
        what=f"temporal_order of length {params.length}",
    )


def _draw(stream: np.random.RandomState, n: int, length: int, relevant: int) -> tuple[list[str], NDArray[np.int64]]:
    """Independent sequences: texts, and labels (n,)."""
    rows = np.arange(n)
    lengths = stream.randint(length, length + length // 10 + 1, size=n)
    symbols = np.frombuffer(b"abcd", np.uint8)[stream.randint(0, 4, size=(n, lengths.max()))]
    labels = np.zeros(n, np.int64)
    for first, last in POSITIONS[relevant]:
        position = stream.randint(first * length // 100, last * length // 100 + 1, size=n)
        is_y = stream.randint(0, 2, size=n)
        symbols[rows, position] = np.where(is_y, ord("Y"), ord("X"))
        labels = 2 * labels + is_y
    symbols[:, 0] = ord("E")
    symbols[rows, lengths - 1] = ord("B")
    spaced = np.full((n, 2 * symbols.shape[1]), ord(" "), np.uint8)
    spaced[:, ::2] = symbols
    texts = [row[: 2 * size - 1].tobytes().decode() for row, size in zip(spaced, lengths.tolist(), strict=True)]
    return texts, labels
