"""The objective against each searched axis, one small figure an axis."""

from collections.abc import Sequence
from typing import Any

from dlbench.analyze.quantities import titled
from dlbench.analyze.results import Results
from dlbench.analyze.studies import Candidate, StudyGroup
from dlbench.schema.blocks import Block, Figure, Section, Text
from dlbench.schema.space import Axis
from dlbench.sections import _charts, _search

POSITION = 15
MOST_AXES = 12
MOST_POINTS = 600
"""Of each figure: a page has many of them."""


def build(results: Results) -> Section | None:
    """A figure for each axis on which finished candidates differ."""
    blocks: list[Block] = []
    for group in results.searches:
        mine: list[Block] = []
        axes = _search.varied(group, group.ranked)
        for number, axis in enumerate(axes[:MOST_AXES]):
            figure = _figure(results, group, axis, [other.name for other in axes], number)
            mine += [figure] if figure is not None else []
        if len(axes) > MOST_AXES:
            mine.append(Text(text=f"{len(axes) - MOST_AXES} more axes are not drawn.", level="note"))
        blocks += _search.heading(results, group, mine)
    return Section(title="Slices of the search", anchor="search-slices", blocks=tuple(blocks)) if blocks else None


def _figure(results: Results, group: StudyGroup, axis: Axis, names: Sequence[str], place: int) -> Figure | None:
    candidates = [candidate for candidate in group.ranked if axis.name in candidate.point]
    if len(candidates) < 2:
        return None
    chosen, note = _search.thinned(candidates, MOST_POINTS)
    metric = group.goal.metric
    format, name = _search.format_of_metric(results, metric), _search.words(metric)
    short = _search.short(axis.name, names)
    numeric = all(_search.number(candidate.point[axis.name]) for candidate in candidates)
    rows = [{**_row(candidate, axis, numeric), "aside": round(n * 0.618 % 1, 3)} for n, candidate in enumerate(chosen)]
    best = candidates[0].point[axis.name]
    values = [row["value"] for row in rows]
    tip = [
        _charts.tooltip("number", "candidate"),
        _charts.tooltip("text", short),
        _charts.tooltip("value", name, _charts.tooltip_format(format)),
    ]
    y, edge = _search.upwards(values, group, titled(name), format)
    log = numeric and _logarithmic(axis, [row["x"] for row in rows])
    gaps = len(group.ranked) - len(candidates)
    without = f" It does not apply to {gaps} others." if gaps else ""
    return Figure(
        name=f"search_slice_{place}_{group.anchor}",
        title=f"{titled(name)} against {short}",
        alt=f"Points of {name} against {short} on {group.title} for {len(chosen)} candidates; the best has "
        f"{_search.of_axis(best)}.",
        caption=f"A point is a candidate, the large one the best ({_search.of_axis(best)}). The other axes differ as "
        f"well.{' Logarithmic axis.' if log else ''}{without}{edge}{note}",
        spec=_charts.chart(rows, _layers(_x(axis, short, rows, numeric, log), y, tip)),
        height_px=200,
    )


def _row(candidate: Candidate, axis: Axis, numeric: bool) -> dict[str, Any]:
    value = candidate.point[axis.name]
    text = _search.of_axis(value)
    x = value if numeric else text
    return {"x": x, "text": text, "value": candidate.value, "number": candidate.trial.number}


def _logarithmic(axis: Axis, values: Sequence[float]) -> bool:
    if min(values) <= 0:
        return False
    return axis.log or (axis.choices is not None and _charts.spans_decades(sorted(set(values)), 16.0))


def _x(axis: Axis, short: str, rows: Sequence[dict[str, Any]], numeric: bool, log: bool) -> _charts.Spec:
    if not numeric:
        order = [_search.of_axis(value) for value in axis.choices or ()]
        look = {"title": short, "labelAngle": -30 if sum(map(len, order)) > 40 else 0, "labelLimit": 90}
        return {"field": "x", "type": "nominal", "sort": order or None, "axis": look}
    x = _charts.measure("x", short, "number", log=log)
    x["scale"] |= {"nice": False, "padding": 14}
    found = sorted({row["x"] for row in rows})
    if axis.values is not None and len(found) <= 8:
        x["axis"] |= {"values": found, "format": ",.6~g"}
    elif log:
        x["axis"] |= {"format": "~g", "tickCount": 5}
    return x


def _layers(x: _charts.Spec, y: _charts.Spec, tip: list[_charts.Spec]) -> list[_charts.Spec]:
    # Points on one category stand side by side, so that none hides another.
    nominal = x["type"] == "nominal"
    aside = {"xOffset": {"field": "aside", "type": "quantitative", "scale": {"domain": [-1, 2]}}} if nominal else {}
    return [
        {
            "mark": {"type": "circle", "color": "#3c87c3", "opacity": 0.5, "size": 36},
            "encoding": {"x": x, "y": y, "tooltip": tip, **aside},
        },
        {
            "transform": [
                {"window": [{"op": "row_number", "as": "rank"}]},
                {"filter": "datum.rank == 1"},
            ],
            "mark": {
                "type": "point",
                "color": "#c30f78",
                "filled": True,
                "shape": "diamond",
                "size": 130,
                "opacity": 1,
            },
            "encoding": {"x": x, "y": y, "tooltip": tip, **aside},
        },
    ]
