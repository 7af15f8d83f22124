"""Shared parts of charts: a contender has the same colour and shape in every one of them.

`usermeta.legend_entry_px` is the room that an entry of a legend asks for, from which renderers choose its columns.
Specs are Vega-Lite without size, theme and background, which belong to the renderers: these give the n-th name of a
scale's domain the n-th colour and shape.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
Spec = dict[str, Any]

NAMES: Spec = {
    "title": None,
    "labelLimit": 160,
    "labelExpr": "length(datum.label) > 22 ? split(replace(datum.label, ' ', '|'), '|') : datum.label",
}
"""Axis of contenders: what varies of one stands in a second line, where both do not fit into one."""


def chart(rows: Sequence[Mapping[str, Any]], layers: Sequence[Spec], *, legend: str = "model") -> Spec:
    """Layers over the same inline rows, in which models can be highlighted.

    The page sets the parameter `pick` to the models that the reader has chosen, in every chart at once; what belongs to
    another model fades.

    Args:
        legend: the field whose values the legend names.
    """
    return {
        "$schema": SCHEMA,
        "usermeta": {"legend_entry_px": 40 + 6 * min(max(len(str(row.get(legend, ""))) for row in rows), 44)},
        "data": {"values": [dict(row) for row in rows]},
        "params": [{"name": "pick", "value": []}],
        "layer": [_fading(layer) for layer in layers],
    }


_ANOTHER = "length(pick) && indexof(pick, datum.model) < 0"
_PAINTS = {"area": "fillOpacity", "line": "strokeOpacity", "rule": "strokeOpacity"}
"""Marks of one paint, which look the same whether it or the whole of them is opaque; but a PNG gives every whole a
canvas of its own, and a hundred of them take 3 s."""
_LEFT = 0.12
"""Share of its opacity that is left to what belongs to another model."""


def _fading(layer: Spec) -> Spec:
    """The layer; if its marks belong to models, with an opacity that depends on which are picked."""
    encoding: Spec = layer["encoding"]
    of_models = any(isinstance(channel, Mapping) and channel.get("field") == "model" for channel in encoding.values())
    own = encoding.get("opacity", {"value": layer["mark"].get("opacity", 1.0)})
    if not of_models or "value" not in own:
        return layer
    channel = _PAINTS.get(layer["mark"]["type"], "opacity")
    faded = {"test": _ANOTHER, "value": round(_LEFT * own["value"], 3)}
    conditions = [faded, *([own["condition"]] if "condition" in own else [])]
    mark = {key: value for key, value in layer["mark"].items() if key != "opacity"}
    rest = {key: value for key, value in encoding.items() if key != "opacity"}
    return {**layer, "mark": mark, "encoding": {**rest, channel: {**own, "condition": conditions}}}


def colour(series: Sequence[str], shown: Sequence[str], *, legend: bool = True, field: str = "model") -> Spec:
    """Colour by a field, out of the whole suite's series, with a legend of those shown."""
    return {
        "field": field,
        "type": "nominal",
        "scale": {"domain": list(series)},
        "legend": _legend(shown) if legend else None,
    }


def shape(series: Sequence[str], shown: Sequence[str], *, legend: bool = True, field: str = "model") -> Spec:
    """Shape by the same field, so that no chart depends on telling colours apart."""
    return {
        "field": field,
        "type": "nominal",
        "scale": {"domain": list(series)},
        "legend": _legend(shown) if legend else None,
    }


def _legend(shown: Sequence[str]) -> Spec:
    return {"title": None, "orient": "top", "values": list(shown), "symbolOpacity": 1}


def ends(mean: float, margin: float | None, unit: str) -> dict[str, float]:
    """`low` and `high` of an interval; of a share only what a share can be, lest few seeds squeeze all else."""
    low, high = mean - (margin or 0.0), mean + (margin or 0.0)
    return {"low": max(low, 0.0), "high": min(high, 1.0)} if unit == "fraction" else {"low": low, "high": high}


def measure(field: str, title: str, format: str, *, log: bool = False, zero: bool = False) -> Spec:
    """A quantitative axis with the labels of a `dlbench.schema.blocks.Format`."""
    axis: Spec = {"title": title, "tickCount": 6, **_axis_labels(format)}
    scale: Spec = {"type": "log", "nice": False, "padding": 24} if log else {"zero": zero}
    return {"field": field, "type": "quantitative", "scale": scale, "axis": axis}


def _axis_labels(format: str) -> Spec:
    match format:
        case "fraction":
            return {"format": "~%"}
        case "bytes":
            return {"labelExpr": "format(datum.value, '~s') + 'B'"}
        case "rate":
            return {"format": "~s"}
        case "times":
            return {"labelExpr": "format(datum.value, '~r') + '×'"}
        case "points":
            return {"labelExpr": "datum.value == 0 ? '0' : format(100 * datum.value, '+~r')"}
        case _:
            return {"labelExpr": "format(datum.value, ',~r')"}  # as a format of the axis it would round 128 to 130


def tooltip(field: str, title: str, format: str | None = None) -> Spec:
    """A line of a tooltip."""
    line: Spec = {"field": field, "title": title}
    return line if format is None else {**line, "type": "quantitative", "format": format}


def tooltip_format(format: str) -> str:
    """The d3 format of a value in a tooltip."""
    return ".2%" if format == "fraction" else ".4~s"


def spans_decades(values: Sequence[float], ratio: float = 8.0) -> bool:
    """Whether positive values spread so widely that a logarithmic axis reads better."""
    return len(values) > 1 and min(values) > 0 and max(values) / min(values) >= ratio


NARROW_PX = 340.0
"""Width of the plot in half a page: names are placed for it, and then have room in every wider one."""
LABEL_PLACES = (
    {"dx": 8, "dy": -11, "align": "left"},
    {"dx": -8, "dy": -11, "align": "right"},
    {"dx": 8, "dy": 12, "align": "left"},
    {"dx": -8, "dy": 12, "align": "right"},
)


def place_labels(points: Sequence[tuple[float, float]], names: Sequence[str]) -> list[Spec]:
    """Offset and alignment of each point's name, so that names rarely cover one another or a point.

    Args:
        points: positions in a plot of `NARROW_PX`, x to the right, y down.
    """
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in points]
    places: list[Spec] = []
    for (x, y), name in zip(points, names, strict=True):
        options = [(place, _box(x, y, 6.5 * len(name), place)) for place in LABEL_PLACES]
        others = [other for other in taken if other != (x - 6, y - 6, x + 6, y + 6)]
        # Of a hundred boxes few are near: looking only at them makes this quick.
        left, right = x - 8 - 6.5 * len(name), x + 8 + 6.5 * len(name)
        near = [o for o in others if o[2] > left and o[0] < right and o[3] > y - 19 and o[1] < y + 19]
        place, box = min(options, key=lambda option: _covered(option[1], near) + len(others) * _outside(option[1]))
        taken.append(box)
        places.append(dict(place))
    return places


_Box = tuple[float, float, float, float]


def _box(x: float, y: float, width: float, place: Mapping[str, Any]) -> _Box:
    left = x + place["dx"] - {"left": 0.0, "right": width, "center": width / 2}[place["align"]]
    return left, y + place["dy"] - 7, left + width, y + place["dy"] + 7


def _covered(box: _Box, others: Sequence[_Box]) -> float:
    """Area that it has in common with others."""
    left, top, right, bottom = box
    return sum(
        max(0.0, min(right, other[2]) - max(left, other[0])) * max(0.0, min(bottom, other[3]) - max(top, other[1]))
        for other in others
    )


def _outside(box: _Box) -> float:
    """How far it reaches out of the plot, which counts as covered."""
    return max(0.0, box[2] - NARROW_PX) + max(0.0, -box[0])


def pixels(values: Sequence[float], size: float, *, log: bool = False) -> list[float]:
    """Where values fall on an axis of so many pixels, roughly as Vega lays it out."""
    placed = [math.log(value) if log else value for value in values]
    low, high = min(placed), max(placed)
    return [size / 2 if high == low else size * (0.05 + 0.9 * (value - low) / (high - low)) for value in placed]


def lines_with_bands(x: Spec, y: Spec, hue: Spec, shapes: Spec, tip: Any, *, point_size: int) -> list[Spec]:
    """Layers of a mean line per contender with its band (`low` to `high`) behind it and its points before it."""
    return [
        {
            "mark": {"type": "area", "opacity": 0.15},
            "encoding": {
                "x": x,
                "y": {"field": "low", "type": "quantitative", "scale": {"zero": False}},
                "y2": {"field": "high"},
                "color": hue,
            },
        },
        {
            "mark": {"type": "line", "strokeWidth": 2},
            "encoding": {"x": x, "y": y, "color": hue},
        },
        {
            "mark": {"type": "point", "filled": True, "size": point_size},
            "encoding": {"x": x, "y": y, "color": hue, "shape": shapes, "tooltip": tip},
        },
    ]


def named_points(x: Spec, y: Spec, ends: tuple[str, str], hue: Spec, shapes: Spec, tip: Any) -> list[Spec]:
    """Layers of points with intervals both ways, each with its name where `place_labels` put it.

    Args:
        ends: fields of the interval along x; those along y are `low` and `high`.
    """
    # A name is drawn twice: below, as a halo in the colour of the paper, so that bars do not cross it.
    name: Spec = {"type": "text", "fontSize": 12, "baseline": "middle"}
    name |= {key: {"expr": f"datum.{key}"} for key in ("dx", "dy", "align")}
    place = {"x": x, "y": y, "text": {"field": "model"}}
    ranges = {"mark": {"type": "rule", "strokeWidth": 2, "opacity": 0.5}}
    return [
        {**ranges, "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": hue}},
        {**ranges, "encoding": {"x": {**x, "field": ends[0]}, "x2": {"field": ends[1]}, "y": y, "color": hue}},
        {
            "mark": {"type": "point", "filled": True, "size": 110, "opacity": 1},
            "encoding": {"x": x, "y": y, "color": hue, "shape": shapes, "tooltip": tip},
        },
        {"mark": {**name, "style": ["text", "halo"]}, "encoding": place},
        {"mark": name, "encoding": place},
    ]
