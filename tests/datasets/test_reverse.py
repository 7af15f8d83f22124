"""Copying and reversing: what is to be written, lengths, and that nothing occurs twice."""

import hashlib
from collections import Counter
from itertools import product

import numpy as np
import pytest
from pydantic import ValidationError

from dlbench.datasets import reverse
from dlbench.datasets._pairs import Pairs
from dlbench.datasets.reverse import Params
from dlbench.errors import DataError

SPLITS = ("train", "val", "test")


def made(params: Params) -> dict[str, Pairs]:
    return {split: reverse.make(split, params) for split in SPLITS}


def lengths(pairs: Pairs) -> Counter[int]:
    return Counter(len(source.split(" ")) for source in pairs.sources)


@pytest.mark.parametrize("operation", ["reverse", "copy"])
def test_targets_are_the_sources_copied_or_reversed(operation: str) -> None:
    splits = made(Params(operation=operation, symbols=12, train_size=3000))
    assert [len(splits[split].sources) for split in SPLITS] == [3000, 1000, 1000]
    for pairs in splits.values():
        assert not pairs.language
        for source, target in zip(pairs.sources, pairs.targets, strict=True):
            symbols = source.split(" ")
            assert target.split(" ") == (symbols[::-1] if operation == "reverse" else symbols)
    words = Counter(word for pairs in splits.values() for source in pairs.sources for word in source.split(" "))
    assert set(words) == {str(symbol) for symbol in range(12)}  # of two letters too: `10` is not `0 1` backwards
    assert min(words.values()) > 0.9 * max(words.values())


def test_no_sequence_occurs_twice() -> None:
    for params in (Params(), Params(test_max_length=20), Params(symbols=2, train_size=5000)):
        splits = made(params)
        assert len({source for pairs in splits.values() for source in pairs.sources}) == sum(
            len(pairs.sources) for pairs in splits.values()
        )


def test_lengths_are_spread_evenly_from_the_shortest_to_the_longest() -> None:
    splits = made(Params(min_length=5, max_length=12, train_size=16_000, val_size=2000, test_size=2000))
    for pairs in splits.values():
        found = lengths(pairs)
        assert set(found) == set(range(5, 13))
        even = len(pairs.sources) / 8
        assert all(abs(count - even) < 4 * even**0.5 for count in found.values())  # four standard deviations


def test_the_test_reaches_lengths_that_are_not_trained_on() -> None:
    splits = made(Params(min_length=4, max_length=8, test_max_length=24, test_size=4200))
    assert set(lengths(splits["train"])) == set(lengths(splits["val"])) == set(range(4, 9))
    found = lengths(splits["test"])
    assert set(found) == set(range(4, 25))
    assert all(abs(count - 200) < 4 * 200**0.5 for count in found.values())
    assert reverse.make("test", Params(test_max_length=12)).sources == reverse.make("test", Params()).sources


def test_all_that_there_is_can_be_had_and_no_more() -> None:
    # 2 + 4 + 8 + 16 sequences of two symbols.
    params = Params(symbols=2, max_length=4, train_size=18, val_size=6, test_size=6)
    every = {" ".join(symbols) for size in range(1, 5) for symbols in product("01", repeat=size)}
    assert {source for pairs in made(params).values() for source in pairs.sources} == every
    message = r"^reverse, 2 symbols, training and validation of length 1 to 4: [\d,]+ draws gave 24 different examples"
    with pytest.raises(DataError, match=rf"{message}, not 25; ask for fewer, or for longer ones$"):
        reverse.make("val", params.model_copy(update={"val_size": 7}))
    with pytest.raises(DataError, match=r"copy, 2 symbols, test of length 3 to 4: .* 24 different examples, not 1,000"):
        reverse.make("train", Params(operation="copy", symbols=2, min_length=3, max_length=4))


def test_the_seed_decides_and_what_is_tested_does_not_depend_on_what_is_trained_on() -> None:
    splits, other = made(Params()), made(Params(seed=1))
    for split in SPLITS:
        assert set(splits[split].sources) != set(other[split].sources)
    assert reverse.make("test", Params(train_size=10, val_size=10)).sources == splits["test"].sources
    # These are the sequences of seed 0 for ever.
    lines = "\n".join(source for pairs in splits.values() for source in pairs.sources)
    assert hashlib.sha256(lines.encode()).hexdigest()[:16] == "3320450e0a6013a2"


def test_neighbours_and_places_are_independent() -> None:
    sources = reverse.make("train", Params(min_length=6, max_length=6)).sources
    table = np.array([source.split(" ") for source in sources], int)
    assert abs(np.corrcoef(table.T)[np.triu_indices(6, 1)]).max() < 4 / len(table) ** 0.5
    assert all(np.bincount(column, minlength=10).min() > 0.8 * len(table) / 10 for column in table.T)


def test_lengths_that_are_no_range_are_refused() -> None:
    with pytest.raises(ValidationError, match="min_length 13 is above max_length 12"):
        Params(min_length=13)
    with pytest.raises(ValidationError, match="test_max_length 11 is below max_length 12"):
        Params(test_max_length=11)
