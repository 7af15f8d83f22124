"""Intervals of comparisons against scipy and closed forms."""

import math

import numpy as np
import pytest
from scipy import stats

from dlbench.analyze.bootstrap import RESAMPLES, SEED, bca, draws, percentile
from dlbench.analyze.certainty import certainty, effect_interval, effect_size, exact_share, improvement_interval, wins

SKEWED = np.array([0.4, 0.1, 0.9, -0.2, 0.35, 2.5, 0.05])


def test_bca_is_that_of_scipy() -> None:
    known = stats.bootstrap((SKEWED,), np.mean, n_resamples=RESAMPLES, method="BCa", rng=np.random.default_rng(SEED))
    interval = bca(SKEWED, lambda array: array.mean(axis=-1))
    assert interval == pytest.approx((known.confidence_interval.low, known.confidence_interval.high), rel=1e-9)


def test_percentile_is_that_of_scipy() -> None:
    known = stats.bootstrap(
        (SKEWED,), np.median, n_resamples=RESAMPLES, method="percentile", rng=np.random.default_rng(SEED)
    )
    low, high = percentile(np.median(SKEWED[draws(len(SKEWED))], axis=1))
    assert (low, high) == pytest.approx((known.confidence_interval.low, known.confidence_interval.high))


def test_draws_are_the_same_every_time_and_differ_between_streams() -> None:
    assert draws(5) is draws(5)
    assert not draws(5).flags.writeable
    assert (draws(5) != draws(5, 1)).any()


@pytest.mark.parametrize("delta", [0.0, 0.8, -2.0])
def test_the_interval_of_the_effect_size_is_that_of_the_noncentral_t(delta: float) -> None:
    """At its ends the observed t is exactly the 97.5 % and the 2.5 % point."""
    sample = np.array([0.3, -1.2, 0.8, 1.1, -0.4, -0.6, 0.2, -0.2]) + delta
    n = len(sample)
    found, size = effect_interval(sample), effect_size(sample)
    assert found is not None
    assert size is not None
    correction = math.gamma((n - 1) / 2) / (math.sqrt((n - 1) / 2) * math.gamma((n - 2) / 2))
    t = stats.ttest_1samp(sample, 0).statistic
    assert size == pytest.approx(correction * sample.mean() / sample.std(ddof=1))
    centres = [end / correction * math.sqrt(n) for end in found]
    assert stats.nct.cdf(t, n - 1, centres[0]) == pytest.approx(0.975)
    assert stats.nct.cdf(t, n - 1, centres[1]) == pytest.approx(0.025)


def test_hedges_correction_removes_the_bias() -> None:
    """Of 20,000 samples of six with a true effect of one: the plain ratio is 19 % too large."""
    samples = np.random.default_rng(3).normal(1.0, 1.0, (20_000, 6))
    plain = np.mean(samples.mean(axis=1) / samples.std(axis=1, ddof=1))
    corrected = np.mean([effect_size(sample) or 0.0 for sample in samples])
    assert plain == pytest.approx(1.19, abs=0.02)
    assert corrected == pytest.approx(1.0, abs=0.02)


def test_an_effect_far_beyond_chance_has_an_interval_too() -> None:
    """There the noncentral t cannot be computed, and only the spread is uncertain."""
    near, far = SKEWED * 1e-6 + 1.0, SKEWED * 0.02 + 1.0
    for sample in (near, far):
        interval, size = effect_interval(sample), effect_size(sample)
        assert interval is not None
        assert size is not None
        assert interval[0] < size < interval[1]
    negative = effect_interval(-near)
    assert negative is not None
    assert negative == pytest.approx(tuple(-end for end in (effect_interval(near) or ())[::-1]))


@pytest.mark.parametrize(("hits", "n"), [(0, 5), (5, 5), (3, 12)])
def test_an_exact_share_is_that_of_scipy(hits: int, n: int) -> None:
    known = stats.binomtest(hits, n).proportion_ci(0.95, method="exact")
    assert exact_share(hits, n) == pytest.approx((known.low, known.high))


def test_the_probability_of_improvement_is_bootstrapped_within_strata() -> None:
    """One stratum is always won, so that only the other can vary: half its bootstrapped share, and a half."""
    one = np.array([1.0, 1.0, 0.0, 0.5, 1.0, 0.0])
    known = stats.bootstrap(
        (one,), np.mean, n_resamples=RESAMPLES, method="percentile", rng=np.random.default_rng(SEED)
    ).confidence_interval
    assert improvement_interval([one]) == pytest.approx((known.low, known.high))
    assert improvement_interval([one, np.ones(6)]) == pytest.approx((0.5 + known.low / 2, 0.5 + known.high / 2))


def test_five_wins_of_five_are_not_certain() -> None:
    assert improvement_interval([np.ones(5)]) == pytest.approx((0.025 ** (1 / 5), 1.0))
    assert improvement_interval([np.ones(5), np.zeros(5)]) == pytest.approx(exact_share(5, 10))


def test_certainty_knows_the_direction_and_its_limits() -> None:
    found = certainty(SKEWED, higher_is_better=False)
    assert found.improvement == pytest.approx(1 / 7)
    assert wins(np.array([0.1, 0.0, -0.1]), higher_is_better=True).tolist() == [1.0, 0.5, 0.0]
    few = certainty(SKEWED[:4], higher_is_better=True)
    assert (few.difference, few.improvement_interval, few.effect, few.effect_interval) == (None, None, None, None)
    equal = certainty(np.full(6, 0.1), higher_is_better=True)
    assert (equal.difference, equal.effect, equal.improvement) == (None, None, 1.0)
