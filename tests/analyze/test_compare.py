import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from dlbench.analyze.compare import compare, compare_cost, correct, holm

OURS = {0: 0.91, 1: 0.905, 2: 0.913, 3: 0.899, 4: 0.908, 5: 0.907}
OTHERS = {0: 0.90, 1: 0.899, 2: 0.909, 3: 0.896, 4: 0.90, 5: 0.902}


def test_a_paired_test_is_that_of_scipy() -> None:
    paired = compare(OURS, OTHERS, higher_is_better=True)
    assert paired is not None
    known = stats.ttest_rel(list(OURS.values()), list(OTHERS.values()))
    interval = known.confidence_interval(0.95)
    assert paired.p == pytest.approx(known.pvalue)
    assert (paired.low, paired.high) == pytest.approx((interval.low, interval.high))
    assert (paired.wins, paired.word, paired.n) == (1.0, "better", 6)


def test_lower_can_be_better() -> None:
    paired = compare(OURS, OTHERS, higher_is_better=False)
    assert paired is not None
    assert (paired.word, paired.wins) == ("worse", 0.0)


def test_only_common_seeds_count() -> None:
    paired = compare(
        OURS, {seed: value for seed, value in OTHERS.items() if seed != 2} | {9: 0.1}, higher_is_better=True
    )
    assert paired is not None
    assert (paired.pairs, paired.unpaired) == ((0, 1, 3, 4, 5), 2)
    assert paired.other_mean == pytest.approx(np.mean([OTHERS[seed] for seed in (0, 1, 3, 4, 5)]))


def test_no_common_seed_is_no_comparison() -> None:
    assert compare({0: 0.9}, {1: 0.8}, higher_is_better=True) is None
    assert compare({0: float("nan")}, {0: 0.8}, higher_is_better=True) is None


@pytest.mark.parametrize("n", [1, 2, 4])
def test_below_five_seeds_there_is_no_verdict(n: int) -> None:
    paired = compare({i: 0.9 + i * 1e-5 for i in range(n)}, dict.fromkeys(range(n), 0.1), higher_is_better=True)
    assert paired is not None
    assert paired.word == "too few seeds"
    assert (paired.p is None) == (n == 1)


def test_differences_that_never_vary() -> None:
    same = compare(OURS, OURS, higher_is_better=True)
    shifted = compare(OURS, {seed: value - 0.1 for seed, value in OURS.items()}, higher_is_better=True)
    assert same is not None
    assert shifted is not None
    assert (same.word, same.p, same.wins, same.more_seeds) == ("indistinguishable", 1.0, 0.5, None)
    assert (shifted.word, shifted.p) == ("better", 0.0)


def test_significance_without_wins_is_no_better() -> None:
    """Seven seeds of ten won by much: significant, but below three of four."""
    ours = {i: (10.0 + i % 3 if i < 7 else -0.5) for i in range(10)}
    paired = compare(ours, dict.fromkeys(range(10), 0.0), higher_is_better=True)
    assert paired is not None
    assert paired.p is not None
    assert paired.p < 0.05
    assert (paired.wins, paired.word) == (0.7, "indistinguishable")


def test_holm_by_hand() -> None:
    """0.005·4, 0.01·3, 0.03·2, 0.04·1, each at least the one before."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_family_corrects_each_word() -> None:
    weak = compare(
        {i: 0.01 + 0.01 * (-1) ** i + 0.002 * i for i in range(6)}, dict.fromkeys(range(6), 0.0), higher_is_better=True
    )
    few = compare({0: 1.0, 1: 2.0}, {0: 0.0, 1: 0.5}, higher_is_better=True)
    assert weak is not None
    assert few is not None
    assert weak.p is not None
    assert 0.0125 < weak.p < 0.05
    alone, with_others = correct([weak, few], [True, True])[0], correct([weak] * 4, [True] * 4)[0]
    assert alone.p_holm == pytest.approx(weak.p)  # what gives no verdict is not in the family
    assert alone.word == "better"
    assert with_others.word == "indistinguishable"
    assert with_others.more_seeds is not None


NOISES = ("normal", "heavy-tailed", "skewed")


def noise(name: str, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """Of mean 0 and standard deviation 1."""
    match name:
        case "normal":
            return rng.standard_normal(n)
        case "heavy-tailed":
            return np.asarray(rng.standard_t(3, n) / np.sqrt(3))
        case _:
            return np.asarray((rng.lognormal(0, 1, n) - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e))


def word(ours: NDArray[np.float64], others: NDArray[np.float64]) -> str:
    """The word of the only comparison of a suite."""
    paired = compare(dict(enumerate(ours.tolist())), dict(enumerate(others.tolist())), higher_is_better=True)
    assert paired is not None
    return correct([paired], [True])[0].word


@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("seeds", [5, 10, 12])
def test_identical_contenders_rarely_differ(name: str, seeds: int) -> None:
    """At most 6.8 % false verdicts of 1,000: 5 % and two and a half standard errors."""
    rng = np.random.default_rng(seeds)
    words = [word(noise(name, rng, seeds), noise(name, rng, seeds)) for _ in range(1000)]
    assert sum(found != "indistinguishable" for found in words) <= 68


@pytest.mark.parametrize("name", NOISES)
def test_a_true_difference_is_found(name: str) -> None:
    """One standard deviation of the differences, 12 seeds: found in at least 80 % of 500 suites."""
    rng = np.random.default_rng(2)
    sides = (noise(name, rng, 12) / np.sqrt(2) for _ in range(1000))
    found = [word(1 + ours, others) for ours, others in zip(sides, sides, strict=True)]
    assert found.count("better") >= 400


def test_cost_is_a_ratio_of_paired_rounds() -> None:
    drift = {0: 1.0, 1: 2.0, 2: 4.0}
    ratio = compare_cost({n: 12 * v for n, v in drift.items()} | {7: 99.0}, drift)
    assert ratio is not None
    assert (ratio.n, ratio.ratio, ratio.low, ratio.high) == (3, *[pytest.approx(12)] * 3)
    assert ratio.clear


def test_cost_of_one_round_or_none() -> None:
    once = compare_cost({0: 3.0}, {0: 2.0})
    assert once is not None
    assert once.ratio == pytest.approx(1.5)
    assert (once.low, once.clear) == (None, False)
    assert compare_cost({0: 3.0}, {1: 2.0}) is None
    assert compare_cost({0: 0.0}, {0: 2.0}) is None
