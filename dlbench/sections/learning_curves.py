"""Learning curves: the validation score against epochs and against seconds, the training loss against epochs.

Each with the range over seeds. The loss tells whether a network that scores badly could not be trained or does not
generalise.
"""

from dataclasses import dataclass
from typing import Any

from dlbench.analyze.contenders import Arena, finished
from dlbench.analyze.curves import pool
from dlbench.analyze.quantities import format_of
from dlbench.analyze.results import Results
from dlbench.analyze.verdict import score_name
from dlbench.schema.blocks import Block, Figure, Heading, Section
from dlbench.sections import _charts

POSITION = 40


@dataclass(frozen=True)
class Quantity:
    """What is drawn upwards: a column of the curve, its name in words and in files, the format of its values."""

    column: str
    name: str
    file: str
    format: str
    note: str = ""


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
    for quantity, axes in ((score, (False, True)), (loss, (False,))):
        rows = _rows(results, arena, quantity.column)
        figures += [_figure(results, arena, rows, quantity, by_time) for by_time in axes if rows]
    return figures


def _rows(results: Results, arena: Arena, column: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for contender in arena.contenders:
        curves = [results.curve(result) for result, _ in finished(contender.train)]
        pooled = pool([curve for curve in curves if curve is not None], column)
        for point in pooled.round(6).to_dict("records"):
            rows.append({"model": contender.name, **{str(key): value for key, value in point.items()}})
    return rows


def _figure(results: Results, arena: Arena, rows: list[dict[str, Any]], quantity: Quantity, by_time: bool) -> Figure:
    shown = list(dict.fromkeys(row["model"] for row in rows))
    if by_time:
        rows = [row for row in rows if row["elapsed_s"] == row["elapsed_s"] and row["elapsed_s"] > 0]
        field, what = "elapsed_s", "seconds of training"
        ends = [max((row["elapsed_s"] for row in rows if row["model"] == model), default=1.0) for model in shown]
        log = _charts.spans_decades(ends)
    else:
        field, what, log = "epoch", "epochs", False
    x = _charts.measure(field, what.capitalize(), "number", log=log)
    if not by_time and max(row["epoch"] for row in rows) >= 2:
        x["axis"]["tickMinStep"] = 1
    title = quantity.name.capitalize()
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
        name=f"{quantity.file}_{'seconds' if by_time else 'epochs'}_{arena.anchor}",
        title=f"{title} against {what}",
        alt=f"Lines of {quantity.name} against {what} on {arena.title} for {', '.join(shown)}.",
        caption=f"{quantity.note}Mean over seeds; the band reaches from the lowest to the highest seed, up to the last "
        "step that all seeds reached." + (" Logarithmic time." if log else ""),
        spec=_charts.chart(rows, layers),
    )
