import pytest

from dlbench.analyze.quantities import difference, listed, quantity, significant, with_margin


@pytest.mark.parametrize(
    ("value", "format", "text"),
    [
        (0.9123, "fraction", "91.2 %"),
        (-0.5, "fraction", "−50.0 %"),
        (12345.6, "rate", "12,300 /s"),
        (1_790_000, "bytes", "1.79 MB"),
        (1_596_426, "count", "1.60 M"),
        (2_567_463_684, "count", "2.57 B"),
        (61_706, "count", "61,706"),
        (3.1e9, "flop", "3.10 GFLOP"),
        (4.123, "milliseconds", "4.12 ms"),
        (0.0042, "milliseconds", "4.20 µs"),
        (41.234, "seconds", "41.2 s"),
        (200, "seconds", "3 min 20 s"),
        (9000, "seconds", "2 h 30 min"),
        (0, "count", "0"),
        (None, "rate", "–"),
        (float("nan"), "rate", "–"),
        (float("inf"), "seconds", "∞"),
    ],
)
def test_a_quantity_reads_as_expected(value: float | None, format: str, text: str) -> None:
    assert quantity(value, format) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(12345.6, "12,300"), (0.01234, "0.0123"), (9.999, "10.00"), (999.9, "1,000"), (1e-12, "1.00e-12")],
)
def test_significant_digits(value: float, text: str) -> None:
    assert significant(value) == text


def test_margins_share_the_digits_of_their_value() -> None:
    assert with_margin(0.91234, 0.0021, "fraction") == "91.2 % ± 0.2"
    assert with_margin(0.98934, 0.0004, "fraction") == "98.93 % ± 0.04"
    assert with_margin(0.9, None, "fraction") == "90.0 %"
    assert with_margin(28.13, 0.31, "number") == "28.1 ± 0.3"
    assert with_margin(11.04, 2.31, "number") == "11.0 ± 2.3"


def test_differences_of_fractions_are_points() -> None:
    assert difference(-0.0081, "fraction") == "0.8 points"
    assert difference(0.0004, "fraction") == "0.04 points"


def test_lists_read_as_sentences() -> None:
    assert [listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
