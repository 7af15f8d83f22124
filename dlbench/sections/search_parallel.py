"""Every finished candidate as a line over all axes, its colour the objective."""

import math
from collections.abc import Sequence
from typing import Any

from dlbench.analyze.contenders import canonical
from dlbench.analyze.quantities import titled
from dlbench.analyze.results import Results
from dlbench.analyze.studies import Candidate, StudyGroup
from dlbench.schema.base import Json
from dlbench.schema.blocks import Block, Figure, Section
from dlbench.schema.space import Axis
from dlbench.sections import _charts, _search

POSITION = 14
MOST_AXES = 12
MOST_TICKS = 9
"""Values of an axis that are written beside it; of more, every second, third, …"""
WORSE, BETTER = "#f07800", "#2f74d0"
"""Ends of the colour scale: apart on light and dark pages and under colour blindness."""


def build(results: Results) -> Section | None:
    """A figure for each task with at least two axes and two candidates."""
    blocks: list[Block] = []
    for group in results.searches:
        figure = _figure(results, group)
        blocks += _search.heading(results, group, [figure] if figure is not None else [])
    return Section(title="All candidates", anchor="search-candidates", blocks=tuple(blocks)) if blocks else None


class Scale:
    """Where values of an axis lie between 0 and 1, and what is written beside it."""

    def __init__(self, axis: Axis, values: Sequence[Json]) -> None:
        numbers = [float(value) for value in values if _search.number(value)]
        self.log = axis.log or (axis.choices is not None and _charts.spans_decades(sorted(set(numbers))))
        self.numeric = len(numbers) == len(values) and (not self.log or min(numbers) > 0)
        if self.numeric:
            self.low, self.high = self._placed(min(numbers)), self._placed(max(numbers))
            shown = sorted(set(numbers))
            self.ticks: list[Json] = list(shown) if len(shown) <= 6 else self._even(numbers)
        else:
            self.names = list(dict.fromkeys(canonical(value) for value in axis.choices or values))
            by_name = {canonical(value): value for value in axis.choices or values}
            every = math.ceil(len(self.names) / MOST_TICKS)
            self.ticks = [by_name[name] for name in self.names[::every]]

    def _placed(self, value: float) -> float:
        return math.log(value) if self.log else value

    def _even(self, numbers: Sequence[float]) -> list[Json]:
        places = [self.low + share * (self.high - self.low) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
        return [math.exp(place) if self.log else place for place in places]

    def place(self, value: Json) -> float:
        """Between 0 and 1."""
        if self.numeric:
            return 0.5 if self.high == self.low else (self._placed(float(value)) - self.low) / (self.high - self.low)
        return 0.5 if len(self.names) < 2 else self.names.index(canonical(value)) / (len(self.names) - 1)


def _figure(results: Results, group: StudyGroup) -> Figure | None:
    ranked = group.ranked
    axes = _search.varied(group, ranked)[:MOST_AXES]
    if len(axes) < 2 or len(ranked) < 2:
        return None
    chosen, note = _search.thinned(ranked, _search.MOST_LINES)
    metric = group.goal.metric
    format = _search.format_of_metric(results, metric)
    scales = {axis.name: Scale(axis, _values(ranked, axis)) for axis in axes}
    name = _search.words(metric)
    values = [candidate.value or 0.0 for candidate in chosen]
    goal: dict[str, Any] = {"axis": titled(name), "low": min(values), "high": max(values)}
    names = [_search.short(axis.name, [a.name for a in axes]) for axis in axes]
    rows = _lines(chosen, axes, scales, names, goal, format)
    best = chosen[0]
    said = ", ".join(
        f"{short} {_search.of_axis(best.point[axis.name])}"
        for axis, short in zip(axes, names, strict=True)
        if axis.name in best.point
    )
    gaps = " A dotted line passes by axes that do not apply to a candidate." if _conditional(chosen, axes) else ""
    more = len(_search.varied(group, ranked)) - len(axes)
    left = f" {more} more axes are left out." if more else ""
    return Figure(
        name=f"search_parallel_{group.anchor}",
        title=f"Values and {name} of every candidate on {group.title}",
        alt=f"Parallel coordinates of {len(chosen)} candidates on {group.title} over {len(axes)} axes. The best has "
        f"{said}.",
        caption=f"A line is a finished candidate; where the blue lines gather, values are good.{gaps}{left}{note}",
        spec=_charts.chart(rows, _layers([*names, goal["axis"]], name, format, group.goal.better == "higher", values)),
        height_px=360,
    )


def _values(candidates: Sequence[Candidate], axis: Axis) -> list[Json]:
    return [candidate.point[axis.name] for candidate in candidates if axis.name in candidate.point]


def _conditional(candidates: Sequence[Candidate], axes: Sequence[Axis]) -> bool:
    return any(axis.name not in candidate.point for candidate in candidates for axis in axes)


def _lines(
    chosen: Sequence[Candidate],
    axes: Sequence[Axis],
    scales: dict[str, Scale],
    names: Sequence[str],
    goal: dict[str, Any],
    format: str,
) -> list[dict[str, Any]]:
    """Rows of points, the best candidate's last and so on top, and rows of ticks."""
    rows: list[dict[str, Any]] = []
    span = goal["high"] - goal["low"]
    for number, candidate in enumerate(reversed(chosen)):
        value = candidate.value or 0.0
        piece = 0
        for axis, name in zip(axes, names, strict=True):
            if axis.name not in candidate.point:
                piece += 1
                continue
            here = candidate.point[axis.name]
            place = round(scales[axis.name].place(here), 4)
            row = {"line": f"{number}", "piece": f"{number}.{piece}", "axis": name, "place": place}
            rows.append({**row, "text": _search.of_axis(here), "value": value})
        last = (value - goal["low"]) / span if span else 0.5
        row = {"line": f"{number}", "piece": f"{number}.{piece}", "axis": goal["axis"], "place": round(last, 4)}
        rows.append({**row, "text": _search.shown(value, format), "value": value})
    for axis, name in zip(axes, names, strict=True):
        scale = scales[axis.name]
        rows += [{"axis": name, "place": scale.place(t), "tick": _tick(axis, t)} for t in scale.ticks]
    ends = [goal["low"], goal["high"]] if span else [goal["low"]]
    rows += [
        {"axis": goal["axis"], "place": place if span else 0.5, "tick": _search.shown(end, format)}
        for place, end in enumerate(ends)
    ]
    return rows


def _tick(axis: Axis, value: Json) -> str:
    text = f"{value:.3g}" if isinstance(value, float) else _search.of_axis(value)
    return text if len(text) <= 14 else f"{text[:13]}…"


def _layers(order: list[str], name: str, format: str, higher: bool, values: list[float]) -> list[_charts.Spec]:
    look = {
        "orient": "top",
        "labelAngle": -20 if len(order) > 5 else 0,
        "labelLimit": 130,
        "labelPadding": 8,
        "labelOverlap": False,
    }
    x = {
        "field": "axis",
        "type": "nominal",
        "sort": order,
        "scale": {"type": "point", "padding": 0.35},
        "axis": {"title": None, "domain": False, "ticks": False, **look},
    }
    y = {"field": "place", "type": "quantitative", "axis": None, "scale": {"domain": [0, 1], "zero": False}}
    colours = [WORSE, BETTER] if higher else [BETTER, WORSE]
    hue = {
        "field": "value",
        "type": "quantitative",
        "scale": {"range": colours, "interpolate": "lab", "domain": _domain(values, higher), "clamp": True},
        "legend": {
            "title": None,
            "orient": "bottom",
            "format": "~%" if format == "fraction" else "~s",
            "direction": "horizontal",
        },
    }
    tip = [
        _charts.tooltip("axis", "axis"),
        _charts.tooltip("text", "value"),
        _charts.tooltip("value", name, _charts.tooltip_format(format)),
    ]
    words = {"type": "text", "fontSize": 10, "align": "left", "dx": 5, "baseline": "middle"}
    tick = {"x": x, "y": y, "text": {"field": "tick"}}
    return [
        {
            "transform": [{"filter": "isValid(datum.tick)"}],
            "mark": {"type": "tick", "orient": "horizontal", "style": ["line"], "opacity": 0.35, "size": 8},
            "encoding": {"x": x, "y": y},
        },
        {
            "transform": [{"filter": "isValid(datum.piece)"}],
            "mark": {"type": "line", "strokeWidth": 1, "strokeOpacity": 0.3, "strokeDash": [2, 4]},
            "encoding": {"x": x, "y": y, "color": hue, "detail": {"field": "line"}},
        },
        {
            "transform": [{"filter": "isValid(datum.piece)"}],
            "mark": {"type": "line", "strokeWidth": 1.4, "strokeOpacity": 0.55},
            "encoding": {"x": x, "y": y, "color": hue, "detail": {"field": "piece"}},
        },
        {
            "transform": [{"filter": "isValid(datum.piece)"}],
            "mark": {"type": "circle", "size": 26, "opacity": 0.7},
            "encoding": {"x": x, "y": y, "color": hue, "tooltip": tip},
        },
        {
            "transform": [{"filter": "isValid(datum.tick)"}],
            "mark": {**words, "style": ["text", "halo"]},
            "encoding": tick,
        },
        {"transform": [{"filter": "isValid(datum.tick)"}], "mark": words, "encoding": tick},
    ]


def _domain(values: list[float], higher: bool) -> list[float]:
    """From the worst but a tenth to the best: a few very bad ones shall not take all of the scale."""
    ordered = sorted(values)
    tenth = len(ordered) // 10
    return [ordered[tenth], ordered[-1]] if higher else [ordered[0], ordered[-1 - tenth]]
