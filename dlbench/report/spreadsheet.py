"""Rows as CSV that a spreadsheet can open without running anything in it, and as Parquet for programs."""

import csv
from collections.abc import Mapping, Sequence
from io import BytesIO, StringIO
from typing import Any

from dlbench.report.plain import plain

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "|")
"""First characters that make a spreadsheet take a text for a formula (OWASP, CSV injection)."""

Rows = Sequence[Mapping[str, Any]]
"""Each with the same keys, in the same order."""


def to_csv(rows: Rows) -> str:
    """The rows as CSV; a text that a spreadsheet would run gets a leading apostrophe, numbers stay as they are."""
    written = StringIO()
    if rows:
        writer = csv.writer(written, lineterminator="\n")
        writer.writerow([_inert(name) for name in rows[0]])
        writer.writerows([[_inert(value) for value in row.values()] for row in rows])
    return written.getvalue()


def _inert(value: object) -> object:
    if not isinstance(value, str):
        return value
    text: str = plain(value)  # else a lone carriage return would begin a new row
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA_STARTS) else text


def to_parquet(rows: Rows) -> bytes:
    """The rows as Parquet, every value as it is; a column of several types is one of text."""
    import pandas as pd  # here, since CSV on a terminal does without it

    whole = BytesIO()
    names = list(rows[0]) if rows else []
    pd.DataFrame({name: _column([row[name] for row in rows]) for name in names}).to_parquet(whole, index=False)
    return whole.getvalue()


def _column(values: Sequence[Any]) -> Any:
    """Values of one type, with gaps: whole numbers stay whole."""
    import pandas as pd

    kinds = {type(value) for value in values if value is not None}
    if kinds == {int}:
        return pd.array(values, dtype="Int64")
    if kinds == {bool}:
        return pd.array(values, dtype="boolean")
    if kinds <= {int, float}:
        return pd.array([float("nan") if value is None else float(value) for value in values], dtype="float64")
    return pd.array([None if value is None else _as_text(value) for value in values], dtype="string")


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else str(value)
