"""Greedy decoding and beam search against all that could be written, with a model whose every answer is in a table."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from dlbench.contracts.batches import Batch, State
from dlbench.tasks._decoding import BEGIN, END, PADDING, beam_search, greedy

VOCABULARY, LENGTH, EXAMPLES = 6, 4, 5
WIDE = 27
"""Beams enough to follow every sequence of LENGTH - 1 tokens that has not ended: 3 tokens each."""


class Table:
    """Logits of every token behind every prefix, for each example (E, LENGTH, VOCABULARY^LENGTH, VOCABULARY).

    A prefix is the number whose digits to the base of the vocabulary are its tokens.
    """

    def __init__(self, seed: int, scale: float = 2.0) -> None:
        generator = torch.Generator().manual_seed(seed)
        shape = (EXAMPLES, LENGTH, VOCABULARY**LENGTH, VOCABULARY)
        self.logits = scale * torch.randn(shape, generator=generator)

    def begin(self, batch: Batch) -> tuple[State, State]:
        return {"row": batch["index"]}, {"prefix": torch.zeros_like(batch["index"])}

    def step(self, previous_B: Tensor, position: int, memory: State, state: State) -> tuple[Tensor, State]:
        written_B = torch.zeros_like(previous_B) if position == 0 else previous_B
        prefix_B = state["prefix"] * VOCABULARY + written_B
        return self.logits[memory["row"], position, prefix_B], {"prefix": prefix_B}

    def log_probability(self, row: int, answer: tuple[int, ...]) -> float:
        """Of an answer where padding and begin are never written, in double precision."""
        total, prefix = 0.0, 0
        for position, token in enumerate(answer):
            logits = self.logits[row, position, prefix].double().tolist()
            whole = sum(math.exp(logits[other]) for other in range(VOCABULARY) if other not in (PADDING, BEGIN))
            total += logits[token] - math.log(whole)
            prefix = prefix * VOCABULARY + token
        return total


class Slope:
    """The same logits at every position, of which it gives a view."""

    def __init__(self) -> None:
        self.logits = torch.linspace(1, 0, VOCABULARY)

    def begin(self, batch: Batch) -> tuple[State, State]:
        return {}, {}

    def step(self, previous_B: Tensor, position: int, memory: State, state: State) -> tuple[Tensor, State]:
        return self.logits.expand(len(previous_B), -1), {}


def rows(*numbers: int) -> Batch:
    return {"index": torch.tensor(numbers or range(EXAMPLES))}


def ended_answers(length: int) -> list[tuple[int, ...]]:
    going_on = [token for token in range(VOCABULARY) if token not in (PADDING, BEGIN, END)]
    return [(*before, END) for shorter in range(length) for before in itertools.product(going_on, repeat=shorter)]


def best_of_all(table: Table, row: int, alpha: float, length: int = LENGTH) -> list[int]:
    """The answer of most worth (Wu et al. 2016, equation 14), padded."""

    def worth(answer: tuple[int, ...]) -> float:
        return table.log_probability(row, answer) / ((5 + len(answer)) ** alpha / 6**alpha)

    best = max(ended_answers(length), key=worth)
    return [*best, *[PADDING] * (length - len(best))]


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0, 5.0])
@pytest.mark.parametrize("seed", range(4))
def test_a_wide_beam_finds_the_best_of_all_answers(seed: int, alpha: float) -> None:
    table = Table(seed)
    expected = [best_of_all(table, row, alpha) for row in range(EXAMPLES)]
    assert beam_search(table, rows(), LENGTH, WIDE, alpha).tolist() == expected


def test_the_length_penalty_decides_how_long_answers_are() -> None:
    tables = [Table(seed) for seed in range(20)]
    lengths = [
        sum(int((beam_search(table, rows(), LENGTH, WIDE, alpha) > 0).sum()) for table in tables)
        for alpha in (0.0, 1.0, 5.0)
    ]
    assert lengths[0] < lengths[1] < lengths[2]


def test_a_wider_beam_finds_no_worse_answers_on_the_whole() -> None:
    tables = [Table(seed, scale=1.0) for seed in range(20)]
    found = [
        sum(
            table.log_probability(row, tuple(token for token in answer if token))
            for table in tables
            for row, answer in enumerate(beam_search(table, rows(), LENGTH, beams, 0.0).tolist())
        )
        for beams in (1, 3, WIDE)
    ]
    assert found[0] < found[1] <= found[2]


def test_greedy_takes_the_likeliest_token_at_each_position() -> None:
    table = Table(0)
    written = greedy(table, rows(), LENGTH).tolist()
    for row, answer in enumerate(written):
        prefix, ended = 0, False
        for position, token in enumerate(answer):
            logits = table.logits[row, position, prefix].tolist()
            likeliest = max((1, *range(3, VOCABULARY)), key=lambda other: logits[other])
            assert token == (PADDING if ended else likeliest)
            prefix, ended = prefix * VOCABULARY + token, ended or token == END
    assert {answer.count(PADDING) for answer in written} > {0}, "some end early"


@pytest.mark.parametrize("beams", [1, 2, 5])
def test_greedy_is_what_every_beam_search_finds_where_each_token_is_nearly_certain(beams: int) -> None:
    """One answer then has more than half of all probability."""
    table = Table(1)
    likeliest = table.logits.index_fill(3, torch.tensor([PADDING, BEGIN]), -torch.inf).argmax(3, keepdim=True)
    table.logits.scatter_(3, likeliest, 15.0)
    table.logits[:, LENGTH - 1, :, END] = 30.0
    assert torch.equal(beam_search(table, rows(), LENGTH, beams, 0.0), greedy(table, rows(), LENGTH))


@pytest.mark.parametrize("beams", [1, 4])
@pytest.mark.parametrize("alpha", [0.0, 0.6])
def test_the_others_of_a_batch_change_nothing(beams: int, alpha: float) -> None:
    table = Table(2)
    alone = torch.cat([beam_search(table, rows(row), LENGTH, beams, alpha) for row in range(EXAMPLES)])
    assert torch.equal(beam_search(table, rows(), LENGTH, beams, alpha), alone)
    assert torch.equal(beam_search(table, rows(3, 0, 3), LENGTH, beams, alpha), alone[[3, 0, 3]])
    greedily = torch.cat([greedy(table, rows(row), LENGTH) for row in range(EXAMPLES)])
    assert torch.equal(greedy(table, rows(), LENGTH), greedily)


def test_exactly_so_many_tokens_are_written_when_that_is_asked_for() -> None:
    for seed in range(10):
        table = Table(seed)
        table.logits[..., END] += 5
        greedily = greedy(table, rows(), LENGTH, exactly=True)
        for found in (greedily, beam_search(table, rows(), LENGTH, 3, 0.6, exactly=True)):
            assert found.shape == (EXAMPLES, LENGTH)
            assert not torch.isin(found, torch.tensor([PADDING, BEGIN, END])).any()
        assert torch.equal(beam_search(table, rows(), LENGTH, 1, 0.6, exactly=True), greedily)


def test_of_answers_of_one_length_a_wide_beam_finds_the_likeliest() -> None:
    table = Table(4)
    going_on = list(itertools.product((1, 4, 5), repeat=LENGTH))
    table.logits[..., END] = -torch.inf
    likeliest = [list(max(going_on, key=lambda answer: table.log_probability(row, answer))) for row in range(EXAMPLES)]
    found = beam_search(table, rows(), LENGTH, WIDE, 0.6)
    assert found.tolist() == likeliest, "where nothing can end, answers are cut"
    assert beam_search(Table(4), rows(), LENGTH, WIDE, 0.6, exactly=True).tolist() == likeliest
    assert (greedy(table, rows(), LENGTH) != PADDING).all()


@pytest.mark.parametrize("length", [1, 2, 3])
def test_answers_are_cut_at_the_longest_length(length: int) -> None:
    table = Table(5)
    assert torch.equal(greedy(table, rows(), length), greedy(table, rows(), LENGTH)[:, :length])
    expected = [best_of_all(table, row, 0.6, length) for row in range(EXAMPLES)]
    assert beam_search(table, rows(), length, WIDE, 0.6).tolist() == expected


@pytest.mark.parametrize("beams", [1, 2, WIDE, 200])
def test_padding_and_begin_are_never_written_and_nothing_follows_an_end(beams: int) -> None:
    for seed in range(5):
        table = Table(seed)
        table.logits[..., [PADDING, BEGIN]] += 50
        for found in (greedy(table, rows(), LENGTH), beam_search(table, rows(), LENGTH, beams, 0.6)):
            assert found.shape == (EXAMPLES, LENGTH)
            for answer in found.tolist():
                written = answer[: answer.index(END) + 1] if END in answer else answer
                assert not {PADDING, BEGIN} & set(written)
                assert set(answer[len(written) :]) <= {PADDING}


def test_what_a_model_hands_over_stays_as_it_is() -> None:
    slope = Slope()
    before = slope.logits.clone()
    assert greedy(slope, rows(), 3).tolist() == [[1, 1, 1]] * EXAMPLES
    assert beam_search(slope, rows(), 3, 2, 0.6).shape == (EXAMPLES, 3)
    assert torch.equal(slope.logits, before)
