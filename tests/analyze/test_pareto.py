import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from dlbench.analyze.bootstrap import resampled_means
from dlbench.analyze.pareto import front_probability, pareto_front, resampled_medians

POINT = st.tuples(st.integers(1, 9).map(float), st.integers(1, 9).map(float))


def test_a_front_by_hand() -> None:
    points = [(1.0, 0.9), (2.0, 0.8), (3.0, 0.85), (3.0, 0.85), (0.5, 0.2)]
    assert pareto_front(points) == [0, 2, 3]
    assert pareto_front(points, cheaper_is_lower=True) == [4, 0]


@given(st.lists(POINT, min_size=1, max_size=12))
def test_no_point_of_a_front_is_beaten(points: list[tuple[float, float]]) -> None:
    front = pareto_front(points)
    assert front
    for index in front:
        x, y = points[index]
        assert not any((a > x and b >= y) or (a >= x and b > y) for a, b in points)


def on_front(points: NDArray[np.float64], lower: bool) -> list[bool]:
    front = pareto_front([(float(cost), float(score)) for cost, score in points], cheaper_is_lower=lower)
    return [index in front for index in range(len(points))]


@pytest.mark.parametrize("lower", [False, True])
def test_the_probability_counts_the_fronts_of_all_resamples(lower: bool) -> None:
    """With ties, as scores of small test sets have them."""
    rng = np.random.default_rng(4)
    costs, scores = rng.integers(0, 5, (2, 300, 6)).astype(float)
    found = front_probability(scores, costs, cheaper_is_lower=lower)
    one_by_one = [on_front(np.stack([c, s], axis=1), lower) for c, s in zip(costs, scores, strict=True)]
    assert found == pytest.approx(np.mean(one_by_one, axis=0))


def test_the_probability_of_two_is_that_of_winning() -> None:
    """Of two of which one is always cheaper, the other is on the front where its resampled mean is higher.

    The difference of means over resampled seeds is near normal: mean 1, standard error 2/√20.
    """
    rng = np.random.default_rng(5)
    noise = rng.normal(size=20)
    noise = (noise - noise.mean()) / noise.std() * 2
    common = rng.normal(size=20) * 50  # the same for both: seeds are resampled in pairs
    scores = resampled_means([list(common), list(common + 0.5 + noise)])
    costs = resampled_medians([{0: 1.0, 1: 1.1}, {0: 2.0, 1: 2.1}])
    cheap, dear = front_probability(scores, costs, cheaper_is_lower=True)
    assert cheap == 1.0
    assert dear == pytest.approx(stats.norm.cdf(0.5 / (2 / np.sqrt(20))), abs=0.03)


def test_medians_are_resampled_together_where_rounds_are_the_same() -> None:
    rounds = {number: float(number) for number in range(7)}
    together = resampled_medians([rounds, {number: 2 * value for number, value in rounds.items()}])
    assert (together[:, 1] == 2 * together[:, 0]).all()
    apart = resampled_medians([rounds, {number + 1: value for number, value in rounds.items()}])
    assert 0.2 < np.mean(apart[:, 0] == apart[:, 1]) < 0.9
