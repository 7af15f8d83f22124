"""A table as CSV that a spreadsheet can open without running anything in it, and as Parquet for programs."""

from io import BytesIO

import pandas as pd

from dlbench.report.plain import plain

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "|")
"""First characters that make a spreadsheet take a text for a formula (OWASP, CSV injection)."""


def to_csv(table: pd.DataFrame) -> str:
    """The table as CSV; a text that a spreadsheet would run gets a leading apostrophe, numbers stay as they are."""
    texts = table.select_dtypes(exclude="number")
    inert = table.assign(**{str(name): column.map(_inert).astype(object) for name, column in texts.items()})
    inert.columns = pd.Index([_inert(name) for name in table.columns])
    return inert.to_csv(index=False, lineterminator="\n")


def _inert(value: object) -> object:
    if not isinstance(value, str):
        return value
    text: str = plain(value)  # else a lone carriage return would begin a new row
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA_STARTS) else text


def to_parquet(table: pd.DataFrame) -> bytes:
    """The table as Parquet, every value as it is; a column of several types is one of text."""
    copy = table.copy()
    for name in copy.columns:
        if copy[name].dtype == object and copy[name].map(type).nunique() > 1:
            copy[name] = copy[name].map(_as_text, na_action="ignore")
    whole = BytesIO()
    copy.to_parquet(whole, index=False)
    return whole.getvalue()


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else str(value)
