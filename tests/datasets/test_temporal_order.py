"""Against the words of Hochreiter & Schmidhuber 1997, Experiment 6."""

import numpy as np
import pytest

from dlbench.datasets import temporal_order
from dlbench.datasets.temporal_order import Params

# The paper's rules, as printed.
RULES = {
    2: {"XX": "Q", "XY": "R", "YX": "S", "YY": "U"},
    3: {"XXX": "Q", "XXY": "R", "XYX": "S", "XYY": "U", "YXX": "V", "YXY": "A", "YYX": "B", "YYY": "C"},
}
BOUNDS = {2: [(10, 20), (50, 60)], 3: [(10, 20), (33, 43), (66, 76)]}


@pytest.mark.parametrize("relevant", [2, 3])
def test_every_sequence_obeys_the_paper(relevant: int) -> None:
    params = Params(relevant=relevant, train_size=2000, val_size=10, test_size=10)
    text = temporal_order.make("train", params)
    lengths, positions = set(), [set() for _ in range(relevant)]
    for words, label in zip(text.texts, text.labels, strict=True):
        symbols = words.split(" ")
        lengths.add(len(symbols))
        assert symbols[0] == "E"
        assert symbols[-1] == "B"
        marks = [(step, symbol) for step, symbol in enumerate(symbols) if symbol in "XY"]
        assert text.classes[label] == RULES[relevant]["".join(symbol for _, symbol in marks)]
        assert {symbol for symbol in symbols[1:-1] if symbol not in "XY"} <= set("abcd")
        for seen, (step, _) in zip(positions, marks, strict=True):
            seen.add(step)
    assert lengths == set(range(100, 111))
    assert positions == [set(range(first, last + 1)) for first, last in BOUNDS[relevant]]
    assert np.bincount(text.labels).min() > 2000 / 2**relevant * 0.8


@pytest.mark.parametrize("length", [10, 37, 1000])
def test_the_lags_grow_with_the_length(length: int) -> None:
    text = temporal_order.make("test", Params(length=length, train_size=50, val_size=50, test_size=50))
    for words in text.texts:
        symbols = words.split(" ")
        assert length <= len(symbols) <= length * 1.1
        first, second = (step for step, symbol in enumerate(symbols) if symbol in "XY")
        assert length // 10 <= first <= length // 5
        assert length // 2 <= second <= length * 6 // 10


def test_the_seed_decides_and_splits_share_nothing() -> None:
    params = Params(length=20, train_size=3000, val_size=500, test_size=500)
    splits = [temporal_order.make(split, params) for split in ("train", "val", "test")]
    assert [len(text.texts) for text in splits] == [3000, 500, 500]
    assert len({words for text in splits for words in text.texts}) == 4000
    other = temporal_order.make("train", params.model_copy(update={"seed": 1}))
    assert other.texts[0] != splits[0].texts[0]
    assert temporal_order.make("train", params).texts == splits[0].texts
