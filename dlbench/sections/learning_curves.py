"""Learning curves: the validation score against epochs and against seconds, with the range over seeds."""

from typing import Any

from dlbench.analyze.contenders import Arena, finished
from dlbench.analyze.curves import pool
from dlbench.analyze.quantities import format_of
from dlbench.analyze.results import Results
from dlbench.analyze.verdict import score_name
from dlbench.schema.blocks import Block, Figure, Heading, Section
from dlbench.sections import _charts

POSITION = 40


def build(results: Results) -> Section | None:
    """Two figures for each arena that has curves."""
    blocks: list[Block] = []
    for arena in results.arenas:
        rows = _rows(results, arena)
        if rows:
            blocks += [Heading(text=arena.title)] if len(results.arenas) > 1 else []
            blocks += [_figure(results, arena, rows, by_time) for by_time in (False, True)]
    return Section(title="Learning curves", anchor="learning-curves", blocks=tuple(blocks)) if blocks else None


def _rows(results: Results, arena: Arena) -> list[dict[str, Any]]:
    if arena.score is None:
        return []
    column = f"val_{arena.score.name.partition('_')[2]}"
    rows: list[dict[str, Any]] = []
    for contender in arena.contenders:
        curves = [results.curve(result) for result, _ in finished(contender.train)]
        pooled = pool([curve for curve in curves if curve is not None], column)
        for point in pooled.round(6).to_dict("records"):
            rows.append({"model": contender.name, **{str(key): value for key, value in point.items()}})
    return rows


def _figure(results: Results, arena: Arena, rows: list[dict[str, Any]], by_time: bool) -> Figure:
    assert arena.score is not None
    name, format = score_name(arena), format_of(arena.score.unit)
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
    y = _charts.measure("mean", f"Validation {name}", format)
    hue = _charts.colour(results.series, shown)
    tip = [
        _charts.tooltip("model", "model"),
        _charts.tooltip(field, what, ".4~s"),
        _charts.tooltip("mean", name, _charts.tooltip_format(format)),
        _charts.tooltip("n", "seeds"),
    ]
    shapes = _charts.shape(results.series, shown)
    layers = _charts.lines_with_bands(x, y, hue, shapes, tip, point_size=45)
    return Figure(
        name=f"learning_{'seconds' if by_time else 'epochs'}_{arena.anchor}",
        title=f"Validation {name} against {what}",
        alt=f"Lines of validation {name} against {what} on {arena.title} for {', '.join(shown)}.",
        caption="Mean over seeds; the band reaches from the lowest to the highest seed, up to the last step that all "
        "seeds reached." + (" Logarithmic time." if log else ""),
        spec=_charts.chart(rows, layers),
    )
