"""Batches: every example once, padding only where it belongs, order from the generator alone."""

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlbench.tasks._sequences import POOL, Sequences

SEED = st.integers(0, 2**31)


def make(lengths: list[int]) -> tuple[Sequences, list[list[int]]]:
    """Sequences whose ids say where they come from, and the same as lists."""
    rows, following = [], 1
    for length in lengths:
        rows.append(list(range(following, following + length)))
        following += length
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return Sequences(np.arange(1, following), offsets, np.arange(len(lengths)) % 5), rows


@settings(max_examples=150, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=200),
    batch_size=st.integers(1, 70),
    seed=st.one_of(st.none(), SEED),
)
def test_every_example_comes_once_and_whole(lengths: list[int], batch_size: int, seed: int | None) -> None:
    sequences, rows = make(lengths)
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    batches = list(sequences.batches(batch_size, generator))
    assert len(batches) == math.ceil(len(lengths) / batch_size)
    assert sorted(row for batch in batches for row in batch["index"].tolist()) == list(range(len(lengths)))
    for batch in batches:
        assert {column.dtype for column in batch.values()} == {torch.int64}
        assert batch["lengths"].tolist() == [lengths[row] for row in batch["index"].tolist()]
        assert batch["target"].tolist() == [row % 5 for row in batch["index"].tolist()]
        longest = max(batch["lengths"].tolist())
        assert batch["tokens"].shape == (len(batch["index"]), longest)
        for tokens, row in zip(batch["tokens"].tolist(), batch["index"].tolist(), strict=True):
            assert tokens == rows[row] + [0] * (longest - lengths[row])


@settings(max_examples=50, deadline=None)
@given(lengths=st.lists(st.integers(1, 9), min_size=2, max_size=120), batch_size=st.integers(1, 20), seed=SEED)
def test_the_order_is_a_function_of_the_generator(lengths: list[int], batch_size: int, seed: int) -> None:
    sequences, _ = make(lengths)

    def order(generator: torch.Generator) -> list[list[int]]:
        return [batch["index"].tolist() for batch in sequences.batches(batch_size, generator)]

    generator = torch.Generator().manual_seed(seed)
    first, second = order(generator), order(generator)
    again = torch.Generator().manual_seed(seed)
    assert [first, second] == [order(again), order(again)]


def test_two_epochs_differ_and_without_a_generator_none_do() -> None:
    sequences, _ = make([length % 40 + 1 for length in range(1000)])
    generator = torch.Generator().manual_seed(0)
    epochs = [[batch["index"].tolist() for batch in sequences.batches(32, generator)] for _ in range(2)]
    assert epochs[0] != epochs[1]
    fixed = [[batch["index"].tolist() for batch in sequences.batches(32)] for _ in range(2)]
    assert fixed[0] == fixed[1]
    lengths = [sequences.lengths[row] for batch in fixed[0] for row in batch]
    assert lengths == sorted(lengths)


def test_buckets_save_most_padding_and_the_small_batch_is_a_random_one() -> None:
    lengths = np.random.RandomState(0).randint(1, 101, size=64 * POOL * 2 + 10).tolist()
    sequences, _ = make(lengths)
    generator = torch.Generator().manual_seed(0)
    tokens = padding = 0
    small, places, first = [], set(), []
    for _ in range(20):
        batches = list(sequences.batches(64, generator))
        for place, batch in enumerate(batches):
            if len(batch["index"]) == 64:
                tokens += batch["tokens"].numel()
                padding += int((batch["tokens"] == 0).sum())
            else:
                small.append(float(batch["lengths"].float().mean()))
                places.add(place)
        first.append(float(batches[0]["lengths"].float().mean()))
    assert padding / tokens < 0.03  # unsorted batches of such lengths are half padding
    assert 40 < np.mean(small) < 60
    assert len(places) > 5
    assert np.std(first) > 10  # batches do not come from short to long


def test_equal_lengths_are_shuffled_without_any_padding() -> None:
    sequences, _ = make([7] * 100)
    batches = list(sequences.batches(16, torch.Generator().manual_seed(1)))
    assert all(batch["tokens"].shape[1] == 7 and bool((batch["tokens"] > 0).all()) for batch in batches)
    assert [row for batch in batches for row in batch["index"].tolist()] != list(range(100))
