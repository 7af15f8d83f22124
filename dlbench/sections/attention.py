"""Where the networks of a dataset's contenders look in the same sentences: heat maps side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

from dlbench.analyze.contenders import Contender, finished
from dlbench.analyze.quantities import listed, share
from dlbench.analyze.results import Results
from dlbench.schema.attention import Attended, Weights
from dlbench.schema.blocks import Block, Figure, Heading, Section, Text
from dlbench.sections import _charts

POSITION = 73
MOST_SENTENCES = 2
MOST_MAPS = 6
"""Of a figure."""
MOST_COLUMNS = 36
"""Cells side by side in a figure: more could not be labelled."""
NAME_ROWS = 2
"""Empty rows above each map, for the name of its contender."""
ROW_PX, MOST_PX = 18, 960

Kind = Literal["cross", "encoder"]
READ = (
    "The network of each contender's first seed, which reads the reference up to each position. Weights of several "
    "heads are their mean. A weight says where a network looks, not why it answers as it does."
)
WHAT: dict[Kind, tuple[str, str]] = {
    "cross": ("Where the answer looks", "Rows are pieces of the reference, columns those of the source"),
    "encoder": ("Where the source looks", "Rows and columns are pieces of the source"),
}


@dataclass(frozen=True)
class _Map:
    """The weights of one contender over one sentence."""

    contender: Contender
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    weights: Weights

    @property
    def strongest(self) -> float:
        """Weight on the strongest position, mean over rows."""
        return fmean(max(row) for row in self.weights)


def build(results: Results) -> Section | None:
    """For each arena and sentence a figure of weights over the source, and one of the source over itself."""
    blocks: list[Block] = []
    for arena in results.arenas:
        kept = {one: found for one in arena.ordered if (found := _kept(results, one))}
        figures: list[Block] = []
        for number, index in enumerate(_sentences(list(kept.values())), start=1):
            for kind in WHAT:
                maps, left_out = _maps(kept, index, kind)
                if maps:
                    figures.append(_figure(results, maps, kind, f"{number}_{arena.anchor}", arena.title, left_out))
        blocks += [Heading(text=arena.title)] if figures and len(results.arenas) > 1 else []
        blocks += figures
    return Section(title="Attention", anchor="attention", blocks=(Text(text=READ), *blocks)) if blocks else None


def _kept(results: Results, contender: Contender) -> dict[int, Attended]:
    """What the first seed that left any kept, by row of the test split."""
    for result, _ in finished(contender.train):
        found = results.attention(result)
        if found:
            return {one.index: one for one in found}
    return {}


def _sentences(kept: Sequence[dict[int, Attended]]) -> list[int]:
    """Rows of the test split that most contenders kept, the first ones."""
    times = {row: sum(row in one for one in kept) for one in kept for row in one}
    return sorted(sorted(times, key=lambda row: (-times[row], row))[:MOST_SENTENCES])


def _maps(kept: dict[Contender, dict[int, Attended]], index: int, kind: Kind) -> tuple[list[_Map], int]:
    """Of those that have weights over the same pieces, and how many there are beside them."""
    found: list[_Map] = []
    for contender, sentences in kept.items():
        one = sentences.get(index)
        weights = None if one is None else one.cross if kind == "cross" else one.encoder
        if one is not None and weights:
            found.append(_Map(contender, one.target if kind == "cross" else one.source, one.source, weights))
    alike = [one for one in found if (one.rows, one.columns) == (found[0].rows, found[0].columns)]
    return alike[:MOST_MAPS], len(found) - len(alike[:MOST_MAPS])


def _figure(results: Results, maps: Sequence[_Map], kind: Kind, place: str, title: str, left_out: int) -> Figure:
    what, axes = WHAT[kind]
    rows, columns = maps[0].rows, maps[0].columns
    abreast = max(1, min(len(maps), 3, MOST_COLUMNS // len(columns)))
    lines = -(-len(maps) // abreast) * (len(rows) + NAME_ROWS)
    ranked = sorted(maps, key=lambda one: -one.strongest)
    weights = listed([f"{share(one.strongest)} ({one.contender.name})" for one in ranked])
    finding = f"On average over rows the strongest column takes {weights} of the weight."
    sentence = " ".join(columns)
    left = f" {left_out} more are not drawn." if left_out else ""
    return Figure(
        name=f"attention_{kind}_{place}",
        title=f"{what}: {sentence}",
        alt=f"Heat maps of attention weights of {listed([one.contender.name for one in maps])} over “{sentence}” on "
        f"{title}. {finding}",
        caption=f"{axes}; full colour is a weight of {share(_largest(maps))}. {finding}{left}",
        spec=_charts.chart(_cells(maps, abreast), _layers(results, maps, abreast)),
        height_px=min(ROW_PX * lines, MOST_PX),
    )


def _largest(maps: Sequence[_Map]) -> float:
    """Of all weights of a figure; it has the strongest colour."""
    return max(max(max(row) for row in one.weights) for one in maps) or 1.0


def _key(block: int, place: int | str, piece: str = "") -> str:
    """A position on an axis, unlike every other; its label is what stands behind the bar."""
    return f"{block}.{place}|{piece}"


LABEL = "slice(datum.label, indexof(datum.label, '|') + 1)"


def _cells(maps: Sequence[_Map], abreast: int) -> list[dict[str, Any]]:
    """A row for each weight."""
    return [
        {
            "model": one.contender.name,
            "x": _key(number % abreast, j, column),
            "y": _key(number // abreast, i, row),
            "row": row,
            "column": column,
            "weight": weight,
        }
        for number, one in enumerate(maps)
        for i, (row, weights) in enumerate(zip(one.rows, one.weights, strict=True))
        for j, (column, weight) in enumerate(zip(one.columns, weights, strict=True))
    ]


def _layers(results: Results, maps: Sequence[_Map], abreast: int) -> list[_charts.Spec]:
    """Cells in the colour of their contender, and its name above them."""
    x_keys: list[str] = []
    for across in range(abreast):
        x_keys += [_key(across, "gap")] if across else []
        x_keys += [_key(across, j, piece) for j, piece in enumerate(maps[0].columns)]
    y_keys: list[str] = []
    for down in range(-(-len(maps) // abreast)):
        y_keys += [_key(down, f"name{number}") for number in range(NAME_ROWS)]
        y_keys += [_key(down, i, piece) for i, piece in enumerate(maps[0].rows)]
    x = {**_axis("x", x_keys), "axis": {**AXIS, "orient": "top", "labelAngle": -90, "labelLimit": 90}}
    y = {**_axis("y", y_keys), "axis": {**AXIS, "labelLimit": 110}}
    shade = {
        "field": "weight",
        "type": "quantitative",
        "legend": None,
        "scale": {"domain": [0, _largest(maps)], "range": [0.05, 1], "clamp": True},
    }
    tip = [
        _charts.tooltip("model", "model"),
        _charts.tooltip("row", "looks from"),
        _charts.tooltip("column", "at"),
        _charts.tooltip("weight", "weight", ".2%"),
    ]
    hue = _charts.colour(results.series, [one.contender.name for one in maps], legend=False)
    cell = {"x": x, "y": y, "color": hue, "fillOpacity": shade, "opacity": {"value": 1}, "tooltip": tip}
    above = {"x": x, "y": y, "text": {"field": "name"}, "detail": {"field": "model"}}
    return [
        {"mark": {"type": "rect", "cornerRadius": 1}, "encoding": cell},
        {"transform": FIRST_CELLS, "mark": {**NAME, "limit": {"expr": f"width / {abreast} - 6"}}, "encoding": above},
    ]


FIRST_CELLS = [
    {"filter": "test(regexp('^[0-9]+\\\\.0\\\\|'), datum.x) && test(regexp('^[0-9]+\\\\.0\\\\|'), datum.y)"},
    {"calculate": "split(replace(datum.model, ' ', '|'), '|')", "as": "name"},
]
"""The upper left one of each map, and the name of its contender in up to two lines."""
NAME: _charts.Spec = {
    "type": "text",
    "align": "left",
    "baseline": "bottom",
    "fontSize": 11,
    "lineHeight": 13,
    "dx": {"expr": "-bandwidth('x') / 2"},
    "dy": {"expr": "-bandwidth('y') / 2 - 3 - 13 * (length(datum.name) - 1)"},
}
AXIS: _charts.Spec = {"title": None, "grid": False, "ticks": False, "domain": False, "labelExpr": LABEL}


def _axis(field: str, keys: Sequence[str]) -> _charts.Spec:
    return {"field": field, "type": "nominal", "scale": {"domain": list(keys)}}
