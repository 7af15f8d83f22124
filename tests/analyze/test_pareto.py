from hypothesis import given
from hypothesis import strategies as st

from dlbench.analyze.pareto import pareto_front

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
