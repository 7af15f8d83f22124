"""Learning curves: the validation score against epochs, seconds and operations, the training loss against epochs.

Each with the range over seeds. The loss tells whether a network that scores badly could not be trained or does not
generalise.
"""

import math
from dataclasses import dataclass
from typing import Any

from dlbench.analyze.contenders import Arena, Contender, finished
from dlbench.analyze.curves import pool
from dlbench.analyze.quantities import format_of, titled
from dlbench.analyze.results import Results
from dlbench.analyze.verdict import score_name
from dlbench.schema.blocks import Block, Figure, Heading, Section
from dlbench.schema.train import FORWARD_AND_BACKWARD
from dlbench.sections import _charts, _drawn

POSITION = 40


@dataclass(frozen=True)
class Quantity:
    """What is drawn upwards: a column of the curve, its name in words and in files, the format of its values."""

    column: str
    name: str
    file: str
    format: str
    note: str = ""


@dataclass(frozen=True)
class Axis:
    """What is drawn to the right: a column of the rows, its name in files and in words, and what a caption adds."""

    column: str
    file: str
    name: str
    note: str = ""


EPOCHS = Axis("epoch", "epochs", "epochs")
SECONDS = Axis("elapsed_s", "seconds", "seconds of training")
FLOPS = Axis(
    "flops",
    "flops",
    "floating-point operations",
    f" Operations are those of a forward pass, times {FORWARD_AND_BACKWARD} for forward and backward pass, times the "
    "examples seen.",
)


def build(results: Results) -> Section | None:
    """Figures for each arena that has curves."""
    blocks: list[Block] = []
    for arena in results.arenas:
        figures = _figures(results, arena)
        if figures:
            blocks += [Heading(text=arena.title)] if len(results.arenas) > 1 else []
            blocks += figures
    return Section(title="Learning curves", anchor="learning-curves", blocks=tuple(blocks)) if blocks else None


def _figures(results: Results, arena: Arena) -> list[Figure]:
    if arena.score is None:
        return []
    column = f"val_{arena.score.name.partition('_')[2]}"
    score = Quantity(column, f"validation {score_name(arena)}", "learning", format_of(arena.score.unit))
    loss = Quantity(
        "train_loss",
        "training loss",
        "loss",
        "number",
        "What training minimised, since the validation before, in nats. ",
    )
    figures: list[Figure] = []
    for quantity, axes in ((score, (EPOCHS, SECONDS, FLOPS)), (loss, (EPOCHS,))):
        rows, note = _rows(results, arena, quantity.column)
        for axis in axes:
            usable = rows if axis is EPOCHS else [row for row in rows if row.get(axis.column, 0) > 0]
            figures += [_figure(results, arena, usable, quantity, axis, note)] if usable else []
    return figures


def _rows(results: Results, arena: Arena, column: str) -> tuple[list[dict[str, Any]], str]:
    """Points of the curves that are drawn, and what is said of those that are not."""
    rows: list[dict[str, Any]] = []
    contenders, left_out = _drawn.drawn(arena, [one for one in arena.contenders if one.seeds])
    notes = [left_out]
    for contender in contenders:
        done = finished(contender.train)
        pooled = pool([curve for result, _ in done if (curve := results.curve(result)) is not None], column)
        pooled["flops"] = pooled["epoch"].astype(float) * _flops_per_epoch(contender)
        points, note = _drawn.thinned(pooled.round(6).to_dict("records"), len(contenders))
        notes.append(note)
        for point in points:
            known = {str(key): value for key, value in point.items() if value == value}  # nan is no JSON
            rows.append({"model": contender.name, **known})
    return rows, "".join(dict.fromkeys(notes))


def _flops_per_epoch(contender: Contender) -> float:
    """Operations of an epoch of training; not a number where they were not counted."""
    sample = next((record.metric("flops_per_sample") for _, record in contender.measured), None)
    size = next((record.dataset.train for _, record in finished(contender.train)), None)
    if sample is None or sample.value is None or size is None:
        return math.nan
    return sample.value * FORWARD_AND_BACKWARD * size


def _figure(
    results: Results, arena: Arena, rows: list[dict[str, Any]], quantity: Quantity, axis: Axis, note: str
) -> Figure:
    field, what = axis.column, axis.name
    last = {row["model"]: row[field] for row in rows}
    shown, ends = list(last), list(last.values())
    log = axis is not EPOCHS and _charts.spans_decades(ends)
    x = _charts.measure(field, what.capitalize(), "rate" if axis is FLOPS else "number", log=log)
    if axis is EPOCHS and max(row["epoch"] for row in rows) >= 2:
        x["axis"]["tickMinStep"] = 1
    title = titled(quantity.name)
    y = _charts.measure("mean", title, quantity.format)
    hue = _charts.colour(results.series, shown)
    tip = [
        _charts.tooltip("model", "model"),
        _charts.tooltip(field, what, ".4~s"),
        _charts.tooltip("mean", quantity.name, _charts.tooltip_format(quantity.format)),
        _charts.tooltip("n", "seeds"),
    ]
    shapes = _charts.shape(results.series, shown)
    layers = _charts.lines_with_bands(x, y, hue, shapes, tip, point_size=45)
    return Figure(
        name=f"{quantity.file}_{axis.file}_{arena.anchor}",
        title=f"{title} against {what}",
        alt=f"Lines of {quantity.name} against {what} on {arena.title} for {', '.join(shown)}.",
        caption=f"{quantity.note}Mean over seeds; the band reaches from the lowest to the highest seed, up to the last "
        f"step that all seeds reached.{axis.note}{note}" + (" Logarithmic to the right." if log else ""),
        spec=_charts.chart(rows, layers),
    )
