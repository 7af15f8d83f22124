"""Shares and values of an axis are each other's inverse, and lie where the axis' own scale says."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from dlbench.schema.space import Axis
from dlbench.strategies._scale import at, count, nth, place, same, where

AXES = (
    Axis(name="a", choices=("x", True, 1, None)),
    Axis(name="a", low=1, high=9, integer=True),
    Axis(name="a", low=2, high=1000, integer=True, log=True),
    Axis(name="a", low=32, high=512, step=32, integer=True, log=True),
    Axis(name="a", low=0.1, high=0.3, step=0.1),
    Axis(name="a", low=-1.0, high=2.0),
    Axis(name="a", low=1e-5, high=1e-1, log=True),
    Axis(name="a", low=3, high=3, integer=True),
)


@given(st.sampled_from(AXES), st.floats(0, 1, exclude_max=True))
def test_a_share_has_a_value_on_the_axis(axis: Axis, share: float) -> None:
    value = at(axis, share)
    assert axis.holds(value)
    assert 0 <= where(axis, value) < 1
    if count(axis) is None:
        assert abs(where(axis, value) - share) < 1e-9
    else:
        assert same(at(axis, where(axis, value)), value)


@given(st.sampled_from(AXES[1:]), st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
def test_larger_shares_have_no_smaller_values(axis: Axis, one: float, other: float) -> None:
    assert at(axis, min(one, other)) <= at(axis, max(one, other))


def test_places_are_those_of_the_axis() -> None:
    for axis in AXES:
        if axis.values is not None:
            assert count(axis) == len(axis.values)
            assert [place(axis, value) for value in axis.values] == list(range(len(axis.values)))
            assert all(abs(nth(axis, n) - v) < 1e-9 for n, v in enumerate(axis.values) if isinstance(v, float))


def test_every_value_has_its_width() -> None:
    """Whole numbers on a logarithmic scale from half a step below to half a step above, others evenly."""
    shares = [number / 100_000 for number in range(100_000)]
    for axis, widths in (
        (AXES[1], [1 / 9] * 9),
        (Axis(name="a", low=1, high=3, integer=True, log=True), [0.565, 0.263, 0.173]),
    ):
        found = [len(list(group)) / 100_000 for _, group in itertools.groupby(at(axis, share) for share in shares)]
        assert all(abs(one - other) < 1e-3 for one, other in zip(found, widths, strict=True))
