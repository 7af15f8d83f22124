"""Vocabularies: what they are made of, and what they never see."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlbench.tasks import _tokens

TRAIN = ["The cat sat.", "The dog sat, the cat ran!", "Don't run"]


def rows(ragged: _tokens.Ragged) -> list[list[int]]:
    values, offsets = ragged
    return [values[start:end].tolist() for start, end in pairwise(offsets)]


def test_words_get_ids_by_frequency_then_by_first_appearance() -> None:
    ragged, size = _tokens.words({"train": TRAIN, "test": ["A cat, the CAT", "don't"]}, 64, 100, 1)
    # the 3, cat sat 2, then once each: . dog , ran ! don't run
    the, cat, sat, dot, dog, comma, ran, bang, dont, run = range(2, 12)
    assert rows(ragged["train"]) == [[the, cat, sat, dot], [the, dog, sat, comma, the, cat, ran, bang], [dont, run]]
    assert rows(ragged["test"]) == [[1, cat, comma, the, cat], [dont]]
    assert size == 12


def test_rare_words_and_those_beyond_the_vocabulary_are_unknown() -> None:
    frequent, size = _tokens.words({"train": TRAIN}, 64, 100, 2)
    assert rows(frequent["train"]) == [[2, 3, 4, 1], [2, 1, 4, 1, 2, 3, 1, 1], [1, 1]]
    assert size == 5
    small, size = _tokens.words({"train": TRAIN}, 64, 3, 1)
    assert rows(small["train"]) == [[2, 1, 1, 1], [2, 1, 1, 1, 2, 1, 1, 1], [1, 1]]
    assert size == 3


def test_long_texts_are_cut_before_words_are_counted() -> None:
    ragged, size = _tokens.words({"train": ["a b c c c c"], "val": ["c b a"]}, 2, 100, 1)
    assert rows(ragged["train"]) == [[2, 3]]
    assert rows(ragged["val"]) == [[1, 3]]
    assert size == 4


@pytest.mark.parametrize("tokenize", [_tokens.words, _tokens.subwords])
def test_an_empty_text_is_one_unknown_token(tokenize: object) -> None:
    ragged, _ = tokenize({"train": ["", "a b a b", " "], "val": [""], "test": ["\n"]}, 8, 50, 1)  # type: ignore[operator]
    assert rows(ragged["train"])[0] == rows(ragged["train"])[2] == [1]
    assert rows(ragged["val"]) == rows(ragged["test"]) == [[1]]


def test_symbols_are_never_cut_and_always_known() -> None:
    ragged, size = _tokens.symbols({"train": ["b " * 5000 + "[MAX", "a ]"], "val": ["a [MAX z"]})
    assert rows(ragged["train"]) == [[2] * 5000 + [3], [4, 5]]
    assert rows(ragged["val"]) == [[4, 3, 1]]
    assert size == 6


TEXTS = st.lists(st.text("abAB ',.\n\x00é", max_size=12), min_size=1, max_size=12)


@settings(max_examples=100, deadline=None)
@given(train=TEXTS, held_out=TEXTS, other=TEXTS)
def test_held_out_texts_never_change_what_training_sees(
    train: list[str], held_out: list[str], other: list[str]
) -> None:
    # With the held-out split first, its words are met first if anything reads it before the training split.
    one, size = _tokens.words({"test": held_out, "train": train}, 8, 10, 1)
    two, other_size = _tokens.words({"test": other, "train": train}, 8, 10, 1)
    assert size == other_size
    assert rows(one["train"]) == rows(two["train"])
    assert max(one["test"][0].max(), one["train"][0].max()) < size <= 10
    assert min(one["test"][0].min(), one["train"][0].min()) >= 1
    assert len(rows(one["test"])) == len(held_out)


def test_subwords_learn_from_training_texts_only() -> None:
    train = ["low lower lowest", "newer wider lower"] * 20
    one, size = _tokens.subwords({"train": train, "test": ["lowest widest zzz"]}, 64, 40, 2)
    two, _ = _tokens.subwords({"train": train, "test": ["zzz zzz zzz"] * 500}, 64, 40, 2)
    assert rows(one["train"]) == rows(two["train"])
    assert size <= 40
    assert len(rows(one["train"])[0]) < 3 * 4  # pieces, not letters
    assert rows(two["test"])[0].count(1) == 9  # a letter that training never had is unknown
    assert max(map(max, rows(one["train"]))) < size
    assert {len(row) for row in rows(_tokens.subwords({"train": train}, 2, 40, 2)[0]["train"])} == {2}


def test_values_fit_the_tensors_they_become() -> None:
    (values, offsets), _ = _tokens.words({"train": TRAIN}, 64, 100, 1)[0]["train"], 0
    assert values.dtype == np.int32
    assert offsets[0] == 0
    assert offsets[-1] == len(values)
