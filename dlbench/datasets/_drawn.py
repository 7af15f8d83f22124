"""Splits of generated texts: distinct draws from one stream, shuffled, then cut into train, validation and test.

Streams come from `numpy.random.RandomState`, which numpy has frozen: the same seed gives the same data for ever.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dlbench.datasets._text import Text
from dlbench.errors import DataError

Draw = Callable[[np.random.RandomState, int], tuple[list[str], NDArray[np.int64]]]

ROUND = 2**14
"""Draws asked for at once: enough to be quick with numpy, little enough to be small in memory."""

ROUNDS = 2000
FRUITLESS = 50
"""After so many rounds in all, or so many on end with nothing new, the parameters ask for what hardly exists."""


def splits(
    draw: Draw, *, train: int, val: int, test: int, seed: int, classes: tuple[str, ...], what: str
) -> dict[str, Text]:
    """All three splits; no example occurs twice, within a split or across them.

    Args:
        draw: (stream, n) → at most n independent draws, texts and labels (it may reject some).
        train: examples in the training split; `val` and `test` likewise.
        seed: of the stream.
        classes: names of the classes.
        what: what is drawn, for the message.

    Raises:
        DataError: there are not that many distinct examples, or they are too rare to be found.
    """
    stream = np.random.RandomState(seed)
    wanted = train + val + test
    found: dict[str, int] = {}
    rounds = fruitless = 0
    while len(found) < wanted:
        if rounds == ROUNDS or fruitless == FRUITLESS:
            raise DataError(f"{what}: {rounds * ROUND:,} draws gave {len(found):,} different examples, not {wanted:,}")
        before = len(found)
        texts, labels = draw(stream, ROUND)
        found.update(zip(texts, labels.tolist(), strict=True))
        rounds += 1
        fruitless = fruitless + 1 if len(found) == before else 0
    # Frequent examples are found first, so the order of finding must not decide the split.
    taken = stream.permutation(len(found))[:wanted]
    all_texts, all_labels = list(found), np.fromiter(found.values(), np.int64, len(found))
    cut = {"train": taken[:train], "val": taken[train : train + val], "test": taken[train + val :]}
    return {
        split: Text([all_texts[row] for row in rows], all_labels[rows], classes, language=False)
        for split, rows in cut.items()
    }
