"""The search for the largest batch that fits."""

from hypothesis import given
from hypothesis import strategies as st

from dlbench.worker.fitting import GRAIN, Search


@given(limit=st.integers(0, 5000), first=st.integers(1, 3000), most=st.integers(1, 4000), failed=st.booleans())
def test_the_largest_batch_is_found_within_a_grain_and_no_size_is_tried_twice(
    limit: int, first: int, most: int, failed: bool
) -> None:
    asked: list[int] = []

    def fits(size: int) -> int | None:
        assert 1 <= size <= most
        asked.append(size)
        return 1000 + size if size <= limit else None

    known = failed and limit < most
    search = Search({most: None} if known else {})
    search.run(fits, first, most)
    reachable = min(limit, most)
    assert len(set(asked)) == len(asked) <= 30
    assert search.largest <= reachable
    assert reachable - search.largest <= max(1, search.largest // GRAIN)
    if limit >= most:
        assert search.largest == most
        assert search.smallest_failed is None
    if limit == 0:
        assert search.largest == 0
        assert search.smallest_failed == 1
