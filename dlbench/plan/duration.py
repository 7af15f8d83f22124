"""How long: `90s`, `10m`, `2h`, `1h30m`, or a number of seconds."""

import math
import re

from dlbench.schema.base import Json

_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_NUMBER = r"\d{1,9}(?:\.\d{1,9})?"
_DURATION = re.compile("".join(rf"(?:({_NUMBER})\s*{unit}\s*)?" for unit in _UNITS), re.ASCII)


def seconds(value: Json) -> float | None:
    """Seconds of a duration as a suite writes it; None if it is no duration, or not longer than nothing."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if 0 < value < math.inf else None
    matched = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if matched is None:
        return None
    total = sum(float(part or 0) * unit for part, unit in zip(matched.groups(), _UNITS.values(), strict=True))
    return total or None
