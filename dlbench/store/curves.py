"""Learning curves as points of MLflow metrics, and of the scores on validation their best and their final value.

    curve/<column>        the whole curve, over steps; MLflow's table shows its last value
    val_<score>_best      best value on the way, at its step; of the task's own score and of the loss
    val_<score>_final     value at the end of training

`val_<score>` itself is the record's own figure: that of the weights that were kept (`train.keep`, `kept_step`).
"""

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dlbench.schema.record import Record
from dlbench.store.names import clean_names

MOST_POINTS = 1000  # of one curve; all of them are in the attached CSV
AXES = frozenset({"step", "epoch", "elapsed_s"})  # of a curve: MLflow draws over steps and time
LOSS = "val_loss"

Rows = Sequence[Mapping[str, str]]


class Point(NamedTuple):
    """One value of a metric; `time_ms` since the epoch."""

    name: str
    value: float
    time_ms: int
    step: int


def points(record: Record, folder: Path, started_ms: int) -> Iterator[Point]:
    """All points of an attempt's learning curves; none of a file that is not there.

    Args:
        folder: of the attempt.
        started_ms: when it started, since the epoch.
    """
    for artifact in record.artifacts:
        path = folder / artifact.path
        if artifact.role == "curve" and path.is_file():
            with open(path, newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
            columns = [column for column in (rows[0] if rows else ()) if column not in AXES]
            for name, column in clean_names({f"curve/{column}": column for column in columns}).items():
                yield from _curve(_thinned(_measured(rows, column)), column, name, started_ms)
            yield from _ends(record, rows, columns, started_ms)


def _ends(record: Record, rows: Rows, columns: Sequence[str], started_ms: int) -> Iterator[Point]:
    """Best and final value of the task's own score, which is the first on validation, and of the loss."""
    scores = [column for column in columns if column.startswith("val_")]
    for column in dict.fromkeys([*scores[:1], *(score for score in scores if score == LOSS)]):
        (name,) = clean_names({column: None})
        curve = list(_curve(_measured(rows, column), column, name, started_ms))
        if not curve:
            continue
        metric = record.metric(column) or record.metric(f"test_{column.removeprefix('val_')}")
        better = "lower" if column == LOSS else metric.better if metric is not None else "neither"
        if better != "neither":
            best = (max if better == "higher" else min)(curve, key=lambda point: point.value)
            yield best._replace(name=f"{name}_best")
        yield curve[-1]._replace(name=f"{name}_final")


def _measured(rows: Rows, column: str) -> Rows:
    return [row for row in rows if row.get(column) and row.get("step")]


def _curve(rows: Iterable[Mapping[str, str]], column: str, name: str, started_ms: int) -> Iterator[Point]:
    for row in rows:
        value = float(row[column])
        if math.isfinite(value):
            elapsed_s = float(row.get("elapsed_s") or 0)
            yield Point(name, value, started_ms + round(elapsed_s * 1000), int(float(row["step"])))


def _thinned(rows: Rows) -> Iterable[Mapping[str, str]]:
    """At most `MOST_POINTS` rows, evenly spread, the first and the last among them."""
    if len(rows) <= MOST_POINTS:
        return rows
    last = len(rows) - 1
    return [rows[round(number * last / (MOST_POINTS - 1))] for number in range(MOST_POINTS)]
