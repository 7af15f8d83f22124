"""Brackets against a stack, against a list of all that there are, and against their own promises."""

import hashlib
from collections import Counter
from itertools import product

import numpy as np
import pytest
from pydantic import ValidationError

from dlbench.datasets import brackets
from dlbench.datasets._drawn import ROUND
from dlbench.datasets._tagged import Tagged
from dlbench.datasets.brackets import NOTHING, Params
from dlbench.errors import DataError

SPLITS = ("train", "val", "test")


def made(params: Params) -> dict[str, Tagged]:
    return {split: brackets.make(split, params) for split in SPLITS}


def lengths(split: Tagged) -> Counter[int]:
    return Counter(len(text.split(" ")) for text in split.texts)


def tags_of(text: str, max_depth: int) -> str:
    """What could close after each bracket, by rewriting: a pair that closes vanishes, and what is left is open."""
    tags, left = [], ""
    for bracket in text.split(" "):
        left += bracket
        if bracket.endswith(")"):
            pair = f"({bracket[:-1]}{bracket}"
            assert left.endswith(pair), text
            left = left.removesuffix(pair)
        assert left.count("(") <= max_depth
        tags.append(f"{left.rsplit('(', 1)[1]})" if left else NOTHING)
    assert not left
    return " ".join(tags)


def well_formed(length: int, kinds: int, max_depth: int) -> set[str]:
    """Every sequence there is, by trying all."""
    tokens = [f"({kind}" for kind in range(kinds)] + [f"{kind})" for kind in range(kinds)]
    found = set()
    for sequence in product(tokens, repeat=length):
        try:
            tags_of(" ".join(sequence), max_depth)
        except AssertionError:
            continue
        found.add(" ".join(sequence))
    return found


@pytest.mark.parametrize("params", [Params(), Params(kinds=12, max_depth=3, min_length=20), Params(kinds=1)])
def test_every_sequence_is_well_formed_within_its_depth_and_tagged_by_what_is_open_last(params: Params) -> None:
    if params.kinds == 1:  # of one kind there are few
        params = params.model_copy(update={"min_length": 20, "max_depth": 6})
    splits = made(params)
    assert [len(splits[split].texts) for split in SPLITS] == [4000, 500, 1000]
    for split in splits.values():
        assert split.classes == (NOTHING, *(f"{kind})" for kind in range(params.kinds)))
        assert list(split.tags) == [tags_of(text, params.max_depth) for text in split.texts]
    deepest = max(text.count("(") - text.count(")") for text in _prefixes(splits["train"]))
    assert deepest == params.max_depth  # it is reached


def _prefixes(split: Tagged) -> list[str]:
    rows = [text.split(" ") for text in split.texts]
    return [" ".join(row[:end]) for row in rows for end in range(1, len(row) + 1)]


def test_all_sequences_of_a_length_are_equally_likely() -> None:
    draw = brackets._draw(Params(kinds=2, max_depth=2, min_length=6, max_length=6), 6)
    every = well_formed(6, 2, 2)
    assert len(every) == 2**3 * 4  # Dyck paths of three pairs and depth two at most: 5 less the one of depth three
    counts = Counter(draw(np.random.RandomState(0), ROUND)[0])
    assert set(counts) == every
    even = ROUND / len(every)
    squared = sum((count - even) ** 2 / even for count in counts.values())
    assert squared < 61.1  # chi squared, 31 degrees of freedom: exceeded once in a thousand


def test_lengths_are_even_and_spread_evenly() -> None:
    found = lengths(made(Params(min_length=20, max_length=40, test_max_length=60, test_size=2100))["test"])
    assert set(found) == set(range(20, 61, 2))
    assert all(abs(count - 100) < 4 * 100**0.5 for count in found.values())  # four standard deviations


def test_the_test_reaches_lengths_that_are_not_trained_on() -> None:
    splits = made(Params(min_length=10, max_length=20, test_max_length=60))
    assert set(lengths(splits["train"])) == set(lengths(splits["val"])) == set(range(10, 21, 2))
    assert max(lengths(splits["test"])) == 60
    assert brackets.make("test", Params(test_max_length=40)).texts == brackets.make("test", Params()).texts


def test_no_sequence_occurs_twice_and_all_that_there_is_can_be_had() -> None:
    # Two pairs of two kinds, and one pair: 2 · 4 + 2.
    params = Params(max_length=4, train_size=6, val_size=2, test_size=2)
    every = well_formed(2, 2, 4) | well_formed(4, 2, 4)
    assert {text for split in made(params).values() for text in split.texts} == every
    message = r"^brackets of 2 kinds, depth 4, training and validation of length 2 to 4: .* gave 8 different examples"
    with pytest.raises(DataError, match=rf"{message}, not 9; ask for fewer, or for longer ones$"):
        brackets.make("val", params.model_copy(update={"val_size": 3}))
    splits = made(Params())
    assert len({text for split in splits.values() for text in split.texts}) == 5500


def test_the_seed_decides_and_what_is_tested_does_not_depend_on_what_is_trained_on() -> None:
    splits, other = made(Params()), made(Params(seed=1))
    for split in SPLITS:
        assert set(splits[split].texts) != set(other[split].texts)
    assert brackets.make("test", Params(train_size=10, val_size=10)).texts == splits["test"].texts
    # These are the sequences of seed 0 for ever.
    lines = "\n".join(text for split in splits.values() for text in split.texts)
    assert hashlib.sha256(lines.encode()).hexdigest()[:16] == "6ea50c96b897c9a2"


def test_lengths_that_are_no_range_are_refused() -> None:
    with pytest.raises(ValidationError, match="min_length 42 is above max_length 40"):
        Params(min_length=42)
    with pytest.raises(ValidationError, match="test_max_length 38 is below max_length 40"):
        Params(test_max_length=38)
    with pytest.raises(ValidationError, match="multiple of 2"):
        Params(max_length=41)
