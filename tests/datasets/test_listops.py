"""Against a plain recursive reader and the statistics of the paper's generator."""

import statistics
import time

import pytest
from pydantic import ValidationError

from dlbench.datasets import listops
from dlbench.datasets.listops import Params
from dlbench.errors import DataError

MEANING = {
    "[MIN": min,
    "[MAX": max,
    "[MED": lambda values: int(statistics.median(values)),
    "[SM": lambda values: sum(values) % 10,
}


def read(symbols: list[str]) -> tuple[int, int, int]:
    """Value, depth and most arguments of the expression at the head of a list, which is consumed."""
    head = symbols.pop(0)
    if head not in MEANING:
        return int(head), 1, 0
    parts = []
    while symbols[0] != "]":
        parts.append(read(symbols))
    symbols.pop(0)
    values, depths, widths = zip(*parts, strict=True)
    return MEANING[head](list(values)), 1 + max(depths), max(len(values), *widths)


@pytest.mark.parametrize(
    "params",
    [
        Params(train_size=3000),
        Params(min_length=20, max_length=60, max_depth=4, max_args=9, train_size=1000, val_size=100, test_size=100),
        Params(max_length=12, train_size=1000, val_size=100, test_size=100),
    ],
    ids=["paper", "bounded", "short"],
)
def test_labels_are_the_values_of_the_expressions(params: Params) -> None:
    lengths, depths, widths = [], [], []
    for split in ("train", "val", "test"):
        text = listops.make(split, params)
        for words, label in zip(text.texts, text.labels, strict=True):
            symbols = words.split(" ")
            lengths.append(len(symbols))
            value, depth, width = read(symbols)
            assert not symbols
            assert value == label
            depths.append(depth)
            widths.append(width)
    assert params.min_length <= min(lengths)
    assert max(lengths) <= params.max_length
    assert max(depths) <= params.max_depth
    assert max(widths) == params.max_args


def test_shapes_are_those_of_the_papers_generator() -> None:
    # Unbounded trees of depth 2: a root operator (probability 1/4, or it would be one of ten digits) of 2 to 5
    # digits, each number equally likely, before duplicates are dropped; with 5 arguments hardly any is.
    text = listops.make("train", Params(max_depth=2, min_length=7, train_size=4000))
    operators = [words.split(" ")[0] for words in text.texts]
    assert set(operators) == set(MEANING)
    assert all(abs(operators.count(operator) / 4000 - 0.25) < 0.03 for operator in MEANING)
    assert {len(words.split(" ")) for words in text.texts} == {7}


def test_no_expression_occurs_twice_and_all_sizes_are_kept() -> None:
    params = Params(train_size=5000, val_size=700, test_size=300)
    splits = [listops.make(split, params) for split in ("train", "val", "test")]
    assert [len(text.texts) for text in splits] == [5000, 700, 300]
    assert len({words for text in splits for words in text.texts}) == 6000


def test_what_does_not_exist_is_said() -> None:
    with pytest.raises(DataError, match=r"listops of length 1 to 1: .* gave 10 different examples, not 24,000"):
        listops.make("train", Params(max_length=1))
    with pytest.raises(DataError, match="gave 0 different examples"):
        listops.make("train", Params(min_length=50, max_depth=1))
    with pytest.raises(ValidationError, match="min_length 9 is above max_length 4"):
        Params(min_length=9, max_length=4)


def test_ten_thousand_take_less_than_a_second() -> None:
    begun = time.process_time()
    listops.make("train", Params(train_size=8000, val_size=1000, test_size=1000, seed=12345))
    assert time.process_time() - begun < 1
