import pytest

from dlbench.analyze.scaling import Knee, knee


@pytest.mark.parametrize("half", [1.0, 8.0, 40.0, 200.0])
def test_the_knee_of_a_saturating_curve_is_where_algebra_has_it(half: float) -> None:
    """For b / (b + h), doubling b gains h / (2 b + h), which is under a tenth from b = 4.5 h on."""
    sizes = [2**n for n in range(11)]
    found = knee({size: size / (size + half) for size in sizes})
    assert found == Knee(next((size for size in sizes[:-1] if size > 4.5 * half), None), 1024)


def test_steps_of_any_width_are_judged_by_the_doubling() -> None:
    """From 1 to 16 throughput grows by 1.5, which is 1.107 a doubling; by 1.4, 1.088."""
    assert knee({1: 100.0, 16: 150.0, 32: 151.0}) == Knee(16, 32)
    assert knee({1: 100.0, 16: 140.0, 32: 141.0}) == Knee(1, 32)


def test_what_grows_again_has_not_flattened() -> None:
    assert knee({1: 100.0, 2: 101.0, 4: 200.0}) == Knee(None, 4)
    assert knee({1: 100.0, 2: 101.0, 4: 200.0, 8: 201.0}) == Knee(4, 8)


def test_two_sizes_are_no_curve() -> None:
    assert knee({1: 1.0, 2: 1.0}) is None
    assert knee({1: 1.0, 2: 1.0, 4: 0.0}) is None
