"""Learning curves as points of MLflow metrics, and of the scores on validation their best and their final value.

    curve/<column>        the whole curve, over steps; MLflow's table shows its last value
    val_<score>_best      best value on the way, at its step; of the task's own score and of the loss
    val_<score>_final     value at the end of training

`val_<score>` itself is the record's own figure: that of the weights that were kept (`train.keep`, `kept_step`).
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dlbench.schema.record import Record
from dlbench.store.names import clean_names

if TYPE_CHECKING:
    from dlbench.analyze.curves import Curve

MOST_POINTS = 1000  # of one curve; all of them are in the attached CSV
AXES = frozenset({"step", "epoch", "elapsed_s"})  # of a curve: MLflow draws over steps and time
LOSS = "val_loss"


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
    from dlbench.analyze.curves import read  # here: it brings NumPy in, and a run that has not begun needs no curves

    for artifact in record.artifacts:
        curve = read(folder / artifact.path) if artifact.role == "curve" else None
        if curve is not None:
            columns = [column for column in curve if column not in AXES]
            for name, column in clean_names({f"curve/{column}": column for column in columns}).items():
                yield from _thinned(_points(curve, column, name, started_ms))
            yield from _ends(record, curve, columns, started_ms)


def _ends(record: Record, curve: "Curve", columns: Sequence[str], started_ms: int) -> Iterator[Point]:
    """Best and final value of the task's own score, which is the first on validation, and of the loss."""
    scores = [column for column in columns if column.startswith("val_")]
    for column in dict.fromkeys([*scores[:1], *(score for score in scores if score == LOSS)]):
        (name,) = clean_names({column: None})
        found = _points(curve, column, name, started_ms)
        if not found:
            continue
        metric = record.metric(column) or record.metric(f"test_{column.removeprefix('val_')}")
        better = "lower" if column == LOSS else metric.better if metric is not None else "neither"
        if better != "neither":
            best = (max if better == "higher" else min)(found, key=lambda point: point.value)
            yield best._replace(name=f"{name}_best")
        yield found[-1]._replace(name=f"{name}_final")


def _points(curve: "Curve", column: str, name: str, started_ms: int) -> list[Point]:
    """Where step and value are numbers; one whose time is none has that of the point before."""
    found: list[Point] = []
    time_ms = started_ms
    lines = zip(*(curve[key].tolist() for key in ("step", "elapsed_s", column) if key in curve), strict=True)
    for step, *elapsed_s, value in lines if "step" in curve else ():
        if math.isfinite(step) and math.isfinite(value):
            time_ms = next((started_ms + round(1000 * s) for s in elapsed_s if math.isfinite(s)), time_ms)
            found.append(Point(name, value, time_ms, int(step)))
    return found


def _thinned(found: Sequence[Point]) -> Sequence[Point]:
    """At most `MOST_POINTS` of them, evenly spread, the first and the last among them."""
    if len(found) <= MOST_POINTS:
        return found
    last = len(found) - 1
    return [found[round(number * last / (MOST_POINTS - 1))] for number in range(MOST_POINTS)]
