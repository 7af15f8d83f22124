"""Learning curves of several seeds → one curve with a band. Knows nothing of models and charts."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Curve = Mapping[str, NDArray[np.float64]]
"""Column (`step`, `epoch`, `elapsed_s`, `train_loss`, `val_accuracy`, …) → its value at each validation, (rows,)."""

POOLED = ("step", "epoch", "elapsed_s", "mean", "low", "high", "n")


def read(path: Path) -> Curve | None:
    """A curve's CSV file: what is not a number is not a number (nan); None where there is no whole line.

    By hand, for a report reads thousands of these small files, and pandas takes 2 ms for each.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            names, *rows = csv.reader(file)
    except (OSError, ValueError, csv.Error):
        return None
    whole = [[_number(text) for text in row] for row in rows if len(row) == len(names)]
    if not whole:
        return None
    return dict(zip(names, np.array(whole, dtype=np.float64).T, strict=True))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def pool(curves: Sequence[Curve], column: str) -> "pd.DataFrame":
    """Mean and range over seeds at every step that all seeds reached, so that no mean jumps when a seed stops.

    Args:
        curves: one a seed, with columns `step`, `epoch`, `elapsed_s` and `column`; rows without a value are left out.

    Returns:
        Columns `step`, `epoch`, `elapsed_s` (means), `mean`, `low`, `high`, `n`, in order of the step; empty if no
        step is common.
    """
    import pandas as pd  # here: a table of results needs no curves, and is there half a second sooner

    parts = [_rows(curve, column) for curve in curves if column in curve and "step" in curve]
    parts = [part for part in parts if len(part)]
    if not parts:
        return pd.DataFrame(columns=list(POOLED))
    rows = np.concatenate(parts)
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    starts = np.flatnonzero(np.diff(rows[:, 0], prepend=-np.inf))
    groups = [group for group in np.split(rows, starts[1:]) if len(group) == len(parts)]
    return pd.DataFrame([_pooled(group) for group in groups], columns=list(POOLED))


def _pooled(group: NDArray[np.float64]) -> tuple[float, ...]:
    """The rows (seeds, 4) of one step as one row."""
    values = group[:, 3]
    return (
        int(group[0, 0]),
        _mean(group[:, 1]),
        _mean(group[:, 2]),
        values.mean(),
        values.min(),
        values.max(),
        len(group),
    )


def _mean(values: NDArray[np.float64]) -> float:
    """Of those that are numbers."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def _rows(curve: Curve, column: str) -> NDArray[np.float64]:
    """Step, epoch, elapsed seconds (nan where they are not known) and value of the rows that have one: (rows, 4)."""
    missing = np.full(len(curve["step"]), math.nan)
    rows = np.stack([curve["step"], *(curve.get(name, missing) for name in ("epoch", "elapsed_s")), curve[column]], 1)
    known: NDArray[np.float64] = rows[np.isfinite(rows[:, 0]) & ~np.isnan(rows[:, 3])]
    return known
