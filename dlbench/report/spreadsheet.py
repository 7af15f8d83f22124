"""A table as CSV that a spreadsheet can open without running anything in it."""

import pandas as pd

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "|")
"""First characters that make a spreadsheet take a text for a formula (OWASP, CSV injection)."""


def to_csv(table: pd.DataFrame) -> str:
    """The table as CSV; a text that a spreadsheet would run gets a leading apostrophe, numbers stay as they are."""
    inert = table.map(_inert)
    inert.columns = pd.Index([_inert(name) for name in table.columns])
    return inert.to_csv(index=False, lineterminator="\n")


def _inert(value: object) -> object:
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value
