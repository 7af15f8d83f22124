"""The noise floor covers the differences that it says, and no more."""

import math
import random

import pytest

from dlbench.analyze.repeats import even_against_odd, noise_floor


def test_equal_rounds_have_no_noise() -> None:
    assert noise_floor([3.0] * 10) == 0.0
    assert even_against_odd([3.0] * 10) == 0.0


def test_floor_does_not_depend_on_the_unit_or_on_which_way_is_better() -> None:
    values = [1.0, 1.1, 0.95, 1.02, 1.3]
    assert noise_floor(values) == pytest.approx(noise_floor([1000 * value for value in values]))
    assert noise_floor(values) == pytest.approx(noise_floor([1 / value for value in values]))


def test_floor_covers_95_percent_of_pairs_of_further_rounds() -> None:
    draw = random.Random(0)
    covered, trials = 0, 4000
    for _ in range(trials):
        values = [math.exp(draw.gauss(0, 0.03)) for _ in range(12)]
        one, other = (draw.gauss(0, 0.03) for _ in range(2))
        covered += abs(one - other) <= math.log1p(noise_floor(values))
    assert covered / trials == pytest.approx(0.95, abs=0.02)


def test_even_against_odd_rounds() -> None:
    assert even_against_odd([2.2, 2.0, 2.2, 2.0, 9.9]) == pytest.approx(0.1)
