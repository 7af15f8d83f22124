"""Generated texts: distinct draws from one stream, shuffled, then cut into splits.

Streams come from `numpy.random.RandomState`, which numpy has frozen: the same seed gives the same data for ever.
"""

from collections.abc import Callable, Container, Iterable
from typing import Self, TypeVar

import numpy as np
from pydantic import Field, model_validator

from dlbench.datasets._text import Text
from dlbench.errors import DataError
from dlbench.schema import base

Answer = TypeVar("Answer")
Draw = Callable[[np.random.RandomState, int], tuple[list[str], Iterable[Answer]]]
"""(stream, n) → at most n independent draws (it may reject some): texts, and the answer to each."""

ROUND = 2**14
"""Draws asked for at once: enough to be quick with numpy, little enough to be small in memory."""

ROUNDS = 2000
FRUITLESS = 50
"""After so many rounds in all, or so many on end with nothing new, the parameters ask for what hardly exists."""


def distinct(
    draw: Draw[Answer], wanted: int, stream: np.random.RandomState, what: str, apart_from: Container[str] = ()
) -> tuple[list[str], list[Answer]]:
    """Different texts in random order, and the answer to each.

    Args:
        draw: where they come from.
        wanted: how many.
        stream: drawn from.
        what: what is drawn, for the message.
        apart_from: texts that are not to be among them.

    Raises:
        DataError: there are not that many, or they are too rare to be found.
    """
    found: dict[str, Answer] = {}
    rounds = fruitless = 0
    while len(found) < wanted:
        if rounds == ROUNDS or fruitless == FRUITLESS:
            raise DataError(
                f"{what}: {rounds * ROUND:,} draws gave {len(found):,} different examples, not {wanted:,}; "
                "ask for fewer, or for longer ones"
            )
        before = len(found)
        texts, answers = draw(stream, ROUND)
        found.update((text, answer) for text, answer in zip(texts, answers, strict=True) if text not in apart_from)
        rounds += 1
        fruitless = fruitless + 1 if len(found) == before else 0
    # Frequent examples are found first, so the order of finding must not decide the split.
    taken = stream.permutation(len(found))[:wanted]
    all_texts, all_answers = list(found), list(found.values())
    return [all_texts[row] for row in taken], [all_answers[row] for row in taken]


def splits(
    draw: Draw[int], *, train: int, val: int, test: int, seed: int, classes: tuple[str, ...], what: str
) -> dict[str, Text]:
    """All three splits of labelled texts; no example occurs twice, within a split or across them.

    Args:
        draw: texts and labels.
        train: examples in the training split; `val` and `test` likewise.
        seed: of the stream.
        classes: names of the classes.
        what: what is drawn, for the message.

    Raises:
        DataError: there are not that many distinct examples, or they are too rare to be found.
    """
    texts, answers = distinct(draw, train + val + test, np.random.RandomState(seed), what)
    labels = np.array(answers, np.int64)
    cut = {"train": slice(train), "val": slice(train, train + val), "test": slice(train + val, None)}
    return {split: Text(texts[rows], labels[rows], classes, language=False) for split, rows in cut.items()}


class Lengths(base.Params):
    """How long sequences are that may be longer in the test than in training; a dataset narrows and describes these."""

    min_length: int = Field(1, description="shortest sequence")
    max_length: int = Field(1, description="longest sequence of training and validation")
    test_max_length: int | None = Field(None, description="longest of the test; default: as in training")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_length > self.max_length:
            raise ValueError(f"min_length {self.min_length} is above max_length {self.max_length}")
        if self.test_max_length is not None and self.test_max_length < self.max_length:
            raise ValueError(f"test_max_length {self.test_max_length} is below max_length {self.max_length}")
        return self

    @property
    def longest_tested(self) -> int:
        """The longest sequence of the test."""
        return self.test_max_length or self.max_length


def trained_and_tested(
    draw: Callable[[int], Draw[Answer]],
    longest: int,
    longest_tested: int,
    *,
    train: int,
    val: int,
    test: int,
    seed: int,
    what: str,
    shortest: int,
) -> dict[str, tuple[list[str], list[Answer]]]:
    """All three splits of texts and answers, of which those that are tested may be longer; none occurs twice.

    What is tested does not depend on what is trained on.

    Args:
        draw: the longest length → where texts up to it come from.
        longest: of training and validation.
        longest_tested: of the test.
        train: examples in the training split; `val` and `test` likewise.
        seed: of the stream.
        what: what is drawn, for the message; `shortest` likewise.

    Raises:
        DataError: there are not that many distinct examples, or they are too rare to be found.
    """
    stream = np.random.RandomState(seed)
    tested = distinct(draw(longest_tested), test, stream, f"{what}, test of length {shortest} to {longest_tested}")
    texts, answers = distinct(
        draw(longest),
        train + val,
        stream,
        f"{what}, training and validation of length {shortest} to {longest}",
        apart_from=frozenset(tested[0]),
    )
    return {"train": (texts[:train], answers[:train]), "val": (texts[train:], answers[train:]), "test": tested}
