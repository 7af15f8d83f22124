import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dlbench.analyze.summary import summarise, summarise_rounds


def test_the_interval_is_that_of_scipy() -> None:
    sample = [0.91, 0.905, 0.913, 0.899, 0.908]
    summary = summarise(sample)
    assert summary is not None
    low, high = stats.t.interval(0.95, 4, loc=np.mean(sample), scale=stats.sem(sample))
    assert summary.margin is not None
    assert (summary.mean - summary.margin, summary.mean + summary.margin) == pytest.approx((low, high))
    assert (summary.median, summary.low, summary.high, summary.n) == (0.908, 0.899, 0.913, 5)


def test_one_seed_has_no_interval() -> None:
    summary = summarise([0.5])
    assert summary is not None
    assert (summary.n, summary.mean, summary.sd, summary.margin) == (1, 0.5, None, None)


def test_equal_seeds_have_an_interval_of_no_width() -> None:
    summary = summarise([0.5, 0.5, 0.5])
    assert summary is not None
    assert summary.margin == 0


def test_what_is_not_finite_is_left_out() -> None:
    summary = summarise([0.5, float("nan"), 0.7])
    assert summary is not None
    assert (summary.n, summary.mean) == (2, pytest.approx(0.6))
    assert summarise([float("nan")]) is None
    assert summarise([]) is None


@pytest.mark.parametrize(
    ("n", "rank", "coverage"), [(2, 0, 0.5), (5, 0, 0.9375), (6, 0, 0.96875), (10, 1, 0.978515625), (20, 5, 0.9586)]
)
def test_the_interval_of_a_median_lies_between_order_statistics(n: int, rank: int, coverage: float) -> None:
    """Ranks and coverages as in the tables of Hahn & Meeker 1991."""
    summary = summarise_rounds([float(i) for i in range(n)])
    assert summary is not None
    assert (summary.low, summary.high) == (rank, n - 1 - rank)
    assert summary.coverage == pytest.approx(coverage, abs=1e-4)


def test_one_round_has_no_interval() -> None:
    summary = summarise_rounds([3.0])
    assert summary is not None
    assert (summary.median, summary.low, summary.high, summary.coverage) == (3.0, None, None, None)


def test_a_missed_target_counts_as_infinite() -> None:
    summary = summarise_rounds([2.0, math.inf, 3.0])
    assert summary is not None
    assert (summary.median, summary.high) == (3.0, math.inf)
    missed = summarise_rounds([2.0, math.inf, math.inf, math.inf])
    assert missed is not None
    assert missed.median == math.inf


@given(st.lists(st.floats(0.1, 1e6), min_size=1, max_size=30))
def test_a_median_lies_in_its_interval(values: list[float]) -> None:
    summary = summarise_rounds(values)
    assert summary is not None
    assert summary.median == pytest.approx(np.median(values))
    if summary.low is not None and summary.high is not None:
        assert summary.low <= summary.median <= summary.high
