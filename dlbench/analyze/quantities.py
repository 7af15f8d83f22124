"""Numbers in words: sensible digits, and the unit that the field uses. Knows nothing of records."""

import math

NO_VALUE = "–"
"""What stands where a number is missing."""

SPEEDS = {
    "train_throughput": "training speed",
    "infer_throughput": "inference speed",
    "decode_throughput": "decoding speed",
}
"""Samples per second of each phase → what it is called."""

_UNIT_FORMATS = {
    "fraction": "fraction",
    "bytes": "bytes",
    "s": "seconds",
    "ms": "milliseconds",
    "samples/s": "rate",
    "count": "count",
    "steps": "count",
    "flop": "flop",
}

_TIMES = ((1e-6, 1e9, "ns"), (1e-3, 1e6, "µs"), (1.0, 1e3, "ms"))


def format_of(unit: str) -> str:
    """The format (`dlbench.schema.blocks.Format`) of a metric's unit; `number` for an unknown one."""
    return _UNIT_FORMATS.get(unit, "number")


def digits_for(margin: float | None, *, scale: float = 1.0, most: int = 2) -> int:
    """Decimals that a value with this half width of its interval deserves: one significant digit of the half width,
    and at least one decimal.

    Args:
        margin: half width; None or 0 gives one decimal.
        scale: what value and margin are multiplied with before they are shown (100 for per cent).
    """
    if margin is None or not math.isfinite(margin) or margin <= 0:
        return 1
    return min(max(math.ceil(-math.log10(margin * scale)), 1), most)


def significant(value: float, digits: int = 3) -> str:
    """A number with so many significant digits, thousands separated, never in powers of ten up to 10¹⁵.

    `significant(12345.6) == "12,300"`, `significant(0.01234) == "0.0123"`.
    """
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    if places > 8 or abs(value) >= 1e15:
        return f"{value:.{digits - 1}e}"
    return f"{round(value, places):,.{max(places, 0)}f}"


def quantity(value: float | None, format: str, digits: int | None = None) -> str:
    """A number as a reader expects it: `91.2 %`, `12,300 /s`, `1.8 GB`, `4.1 ms`, `3 min 20 s`.

    Args:
        value: None and not-a-number give a dash, infinity `∞`.
        format: one of `dlbench.schema.blocks.Format`.
        digits: decimals; None chooses by size.
    """
    if value is None or math.isnan(value):
        return NO_VALUE
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    sign = "−" if value < 0 else ""
    return sign + _written(abs(value), format, digits)


def _written(value: float, format: str, digits: int | None) -> str:
    match format:
        case "fraction":
            return f"{100 * value:.{1 if digits is None else digits}f} %"
        case "count":
            return f"{value:,.0f}" if value < 1e6 else _scaled(value, "", thousand="k")
        case "bytes":
            return _scaled(value, "B")
        case "flop":
            return _scaled(value, "FLOP", giga="G")
        case "rate":
            return f"{significant(value)} /s"
        case "seconds":
            return _duration(value)
        case "milliseconds":
            return _short_time(value / 1e3)
        case _:
            return significant(value) if digits is None else f"{value:,.{digits}f}"


def _scaled(value: float, unit: str, thousand: str = "k", giga: str | None = None) -> str:
    """With an SI prefix: 1,790,000 B is `1.79 MB`; without a unit a billion is a `B`, as parameters are counted."""
    prefixes = (("T", 1e12), (giga or ("G" if unit else "B"), 1e9), ("M", 1e6), (thousand, 1e3))
    for prefix, size in prefixes:
        if value >= size:
            return f"{significant(value / size)} {prefix}{unit}".rstrip()
    return f"{significant(value)} {unit}".rstrip()


def _duration(seconds: float) -> str:
    if seconds < 1:
        return _short_time(seconds)
    if seconds < 120:
        return f"{significant(seconds)} s"
    if seconds < 7200:
        return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"


def _short_time(seconds: float) -> str:
    for below, factor, unit in _TIMES:
        if seconds < below:
            return f"{significant(seconds * factor)} {unit}"
    return f"{significant(seconds)} s"


def with_margin(value: float | None, margin: float | None, format: str, digits: int | None = None) -> str:
    """A value and the half width of its interval in the same digits: `91.2 % ± 0.2`."""
    if value is None or margin is None or not math.isfinite(margin):
        return quantity(value, format, digits)
    if format == "fraction":
        places = digits_for(margin, scale=100) if digits is None else digits
        return f"{quantity(value, format, places)} ± {100 * margin:.{places}f}"
    if format == "number" and digits is None:
        digits = digits_for(margin, most=4)
    if format == "number":
        return f"{quantity(value, format, digits)} ± {margin:,.{digits}f}"
    return f"{quantity(value, format)} ± {quantity(margin, format)}"


def difference(value: float, format: str, digits: int | None = None) -> str:
    """A difference of two values, without its sign: of fractions in `points` (percentage points)."""
    if format == "fraction":
        places = digits if digits is not None else (1 if abs(value) >= 0.001 else 2)
        return f"{100 * abs(value):.{places}f} points"
    return quantity(abs(value), format, digits)


def times(ratio: float) -> str:
    """A ratio above 1 in words: `12 times`, `1.4 times`."""
    return f"{significant(ratio, 2)} times"


def share(value: float) -> str:
    """A share in the fewest digits that tell it from nothing and from everything: `62 %`, `0.4 %`."""
    return quantity(value, "fraction", 0 if 0.01 <= value <= 0.99 else 1)


def titled(words: str) -> str:
    """`Mean accuracy`, `BLEU`: the first letter large, all others as they are."""
    return words[:1].upper() + words[1:]


def listed(words: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
