"""What the suite varies: the score against each varied value, a line for each model."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from dlbench.analyze.contenders import canonical
from dlbench.analyze.quantities import format_of, titled
from dlbench.analyze.results import Results
from dlbench.analyze.summary import summarise
from dlbench.analyze.varied import Point, points_of, series_names, words_of
from dlbench.analyze.verdict import score_name
from dlbench.schema.base import Json
from dlbench.schema.blocks import Block, Figure, Section
from dlbench.sections import _charts

POSITION = 25


def build(results: Results) -> Section | None:
    """A figure for each task, dataset and varied key that has at least two values with a score."""
    blocks: list[Block] = []
    for key in dict.fromkeys(key for result in results.compared for key in result.entry.varied):
        groups: dict[tuple[str, str], list[Point]] = {}
        for point in points_of(results.arenas, key):
            if point.arena.score is None or not point.contender.values(point.arena.score.name):
                continue
            # A varied dataset parameter makes an arena of each value; they meet in one figure.
            where = point.arena.dataset if key.startswith("dataset.") else point.arena.title
            groups.setdefault((point.arena.task, where), []).append(point)
        for (task, where), points in groups.items():
            if len({canonical(point.value) for point in points}) > 1:
                blocks.append(_figure(results, key, task, where, points))
    return Section(title="What was varied", anchor="varied", blocks=tuple(blocks)) if blocks else None


def _figure(results: Results, key: str, task: str, where: str, points: Sequence[Point]) -> Figure:
    score = points[0].arena.score
    assert score is not None
    names = series_names(points)
    shown = list(dict.fromkeys(names.values()))
    domain = results.series if set(shown) <= set(results.series) else tuple(shown)
    rows: list[dict[str, Any]] = []
    for point in points:
        summary = summarise(list(point.contender.values(score.name).values()))
        if summary is not None:
            margin = summary.margin or 0.0
            value = point.value if _number(point.value) or isinstance(point.value, str) else canonical(point.value)
            rows.append(
                {
                    "model": names[point.series],
                    "value": value,
                    "score": summary.mean,
                    "low": summary.low,
                    "high": summary.high,
                    "margin": margin,
                    "n": summary.n,
                }
            )
    name, what = score_name(points[0].arena), words_of(key)
    values = [row["value"] for row in rows]
    log = all(_number(value) for value in values) and _geometric(sorted(set(values)))
    return Figure(
        name="_".join(["varied", *map(_plain, (key, task, where))]),
        title=f"{titled(name)} against {what} on {where}",
        alt=f"Lines of {name} against {what} on {where} for {', '.join(shown)}.",
        caption="Means over seeds; the band reaches from the lowest to the highest seed."
        + (f" Logarithmic {what}." if log else ""),
        spec=_charts.chart(rows, _layers(rows, domain, shown, what, name, format_of(score.unit), log)),
    )


def _layers(
    rows: Sequence[dict[str, Any]],
    domain: Sequence[str],
    shown: Sequence[str],
    what: str,
    name: str,
    format: str,
    log: bool,
) -> list[_charts.Spec]:
    values = [row["value"] for row in rows]
    if all(_number(value) for value in values):
        x = _charts.measure("value", what.capitalize(), "number", log=log)
        x["axis"] |= {"values": sorted(set(values)), "labelOverlap": True}
        x["scale"] |= {"nice": False, "padding": 20}
    else:
        x = {"field": "value", "type": "nominal", "sort": None, "axis": {"title": what.capitalize(), "labelAngle": 0}}
    y = _charts.measure("score", f"Test {name}", format)
    hue, shapes = _charts.colour(domain, shown), _charts.shape(domain, shown)
    tip = [
        _charts.tooltip("model", "model"),
        _charts.tooltip("value", what),
        _charts.tooltip("score", name, _charts.tooltip_format(format)),
        _charts.tooltip("n", "seeds"),
    ]
    return _charts.lines_with_bands(x, y, hue, shapes, tip, point_size=60)


def _number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _geometric(values: Sequence[float]) -> bool:
    """Whether the steps between values are ratios rather than differences."""
    if len(values) < 3 or values[0] <= 0:
        return False
    ratios = [b / a for a, b in pairwise(values)]
    steps = [b - a for a, b in pairwise(values)]
    return max(ratios) / min(ratios) < max(steps) / min(steps)


def _plain(text: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in text.lower())
