"""What verdicts can find, against scipy and by simulation of the whole rule."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from dlbench.analyze.compare import Paired, compare, correct
from dlbench.analyze.power import LEAST_WINS, power, resolvable, seeds_needed
from dlbench.analyze.verdict import seeds_phrase


@pytest.mark.parametrize(("effect", "n", "alpha"), [(1.0, 12, 0.05), (0.8, 5, 0.01), (2.0, 7, 0.005), (1.2, 400, 0.05)])
def test_power_is_that_of_both_demands(effect: float, n: int, alpha: float) -> None:
    significant = stats.nct.sf(stats.t.ppf(1 - alpha / 2, n - 1), n - 1, effect * math.sqrt(n))
    enough = stats.binom.sf(math.ceil(LEAST_WINS * n) - 1, n, stats.norm.cdf(effect))
    assert power(effect, n, alpha) == pytest.approx(significant * enough)


@pytest.mark.parametrize("n", [5, 7, 12, 20, 50])
def test_what_is_resolvable_is_found(n: int) -> None:
    """By the whole rule in at least four of five simulated suites, and not in nearly all."""
    effect = resolvable(1.0, n)
    rng = np.random.default_rng(n)
    found = [judged(effect + rng.standard_normal(n)).word == "better" for _ in range(1000)]
    assert 0.78 <= np.mean(found) <= 0.9


@pytest.mark.parametrize("effect", [0.75, 0.8, 1.0, 1.5, 4.0])
def test_needed_seeds_are_the_fewest(effect: float) -> None:
    n = seeds_needed(effect)
    assert n is not None
    assert resolvable(1.0, n) <= effect
    assert all(resolvable(1.0, fewer) > effect for fewer in range(2, n))


def test_no_number_of_seeds_makes_a_small_effect_win_three_of_four() -> None:
    """The normal point of 75 %: below 0.674 the better one loses too often to be called better."""
    assert stats.norm.ppf(LEAST_WINS) == pytest.approx(0.674, abs=0.001)
    assert seeds_needed(0.67) is None
    assert seeds_needed(0.01, 0.001) is None
    rng = np.random.default_rng(1)
    assert judged(0.4 + rng.standard_normal(400)).word == "indistinguishable"


def test_no_spread_resolves_everything() -> None:
    assert resolvable(0.0, 5) == 0.0


def judged(differences: NDArray[np.float64]) -> Paired:
    """The only comparison of a suite."""
    paired = compare(
        dict(enumerate(differences.tolist())), dict.fromkeys(range(len(differences)), 0.0), higher_is_better=True
    )
    assert paired is not None
    return correct([paired], [True])[0]


def test_what_is_significant_but_not_won_is_said() -> None:
    paired = judged(np.array([10.0, 11.0, 12.0, 10.0, 11.0, 12.0, 10.0, -0.5, -0.5, -0.5]))
    assert paired.word == "indistinguishable"
    assert seeds_phrase(paired, "nats") == "significant, but seeds disagree too much for a verdict: 70 % are won"


def test_more_seeds_are_promised_only_where_they_help() -> None:
    """Seven seeds with an effect near one need more; of one far below 0.67 nothing is promised."""
    zigzag = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 0.0])
    helped, hopeless = judged(0.85 + zigzag), judged(0.2 + zigzag)
    assert helped.more_seeds is not None
    assert seeds_phrase(helped, "fraction").startswith(f"{helped.more_seeds} more seeds would resolve")
    assert hopeless.more_seeds is None
    assert seeds_phrase(hopeless, "fraction").startswith("7 seeds can find differences from")
