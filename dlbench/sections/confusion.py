"""Confusion matrix of the best contender on each dataset, and how many of each class every contender recognises."""

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from dlbench.analyze.contenders import Arena, Contender, finished
from dlbench.analyze.results import Results
from dlbench.schema.blocks import Block, Figure, Section
from dlbench.sections import _charts, _drawn

POSITION = 70
MOST_CLASSES = 40
"""Beyond this many classes the cells are too small to read."""
MOST_WRITTEN = 12
"""Up to this many classes the share is written into its cell."""


def build(results: Results) -> Section | None:
    """For each arena whose score kept them: one matrix, and the recall of each class for each contender."""
    blocks: list[Block] = []
    for arena in results.arenas:
        pooled = {c: found for c in arena.contenders if (found := _pooled(arena, c)) is not None}
        best = arena.best or next(iter(pooled), None)
        if best in pooled:
            blocks.append(_figure(arena, best, *pooled[best]))
        if len(pooled) > 1:
            blocks.append(_recalls(results, arena, pooled))
    return Section(title="Confusion", anchor="confusion", blocks=tuple(blocks)) if blocks else None


def _figure(arena: Arena, best: Contender, counts: list[list[float]], classes: list[str]) -> Figure:
    rows: list[dict[str, Any]] = []
    for i, row in enumerate(counts):
        total = sum(row)
        rows += [
            {"true": classes[i], "predicted": classes[j], "share": value / total if total else 0.0, "count": value}
            for j, value in enumerate(row)
        ]
    mistakes = [row for row in rows if row["true"] != row["predicted"] and row["share"] > 0]
    worst = max(mistakes, key=lambda row: row["share"], default=None)
    finding = (
        f" Most often {worst['true']} is taken for {worst['predicted']} ({100 * worst['share']:.1f} %)."
        if worst
        else ""
    )
    who = f"{best.name}, the best on {arena.title}," if arena.best else f"{best.name} on {arena.title}"
    return Figure(
        name=f"confusion_{arena.anchor}",
        title=f"Confusion of {best.name} on {arena.title}",
        alt=f"Confusion matrix of {who} over {len(classes)} classes.{finding}",
        caption=f"Rows are true classes; shares of a row, over {_seeds(len(best.seeds))}.{finding}",
        spec=_spec(rows, classes),
        height_px=min(max(160, 40 * len(classes)), 520),
    )


def _recalls(results: Results, arena: Arena, pooled: Mapping[Contender, tuple[list[list[float]], list[str]]]) -> Figure:
    """Share of each class that is recognised, by all contenders, over all their seeds."""
    rows: list[dict[str, Any]] = []
    contenders, note = _drawn.drawn(arena, list(pooled))
    for contender in contenders:
        counts, classes = pooled[contender]
        for i, (name, row) in enumerate(zip(classes, counts, strict=True)):
            total = sum(row)
            if total:
                rows.append({"model": contender.name, "class": name, "recall": row[i] / total, "count": total})
    names = list(dict.fromkeys(row["class"] for row in rows))
    shown = [contender.name for contender in contenders]
    means = {name: fmean(row["recall"] for row in rows if row["class"] == name) for name in names}
    hardest = min(means, key=lambda name: means[name])
    x = _charts.measure("recall", "Recall", "fraction")
    y = {"field": "class", "type": "nominal", "scale": {"domain": names}, "axis": {"title": None, "labelLimit": 160}}
    tip = [
        _charts.tooltip("model", "model"),
        _charts.tooltip("class", "class"),
        _charts.tooltip("recall", "recall", ".2%"),
        _charts.tooltip("count", "examples over all seeds", ","),
    ]
    hue, shapes = _charts.colour(results.series, shown), _charts.shape(results.series, shown)
    points = {
        "mark": {"type": "point", "filled": True, "size": 75, "opacity": 0.85},
        "encoding": {"x": x, "y": y, "color": hue, "shape": shapes, "tooltip": tip},
    }
    return Figure(
        name=f"recall_{arena.anchor}",
        title=f"Recall of each class on {arena.title}",
        alt=f"Dot plot of the recall of {len(names)} classes by {len(shown)} contenders on {arena.title}; the hardest "
        f"class is {hardest} ({100 * means[hardest]:.1f} % on average).",
        caption="The share of a class's test examples that is recognised, over all seeds of a contender. Hardest: "
        f"{hardest}.{note}",
        spec=_charts.chart(rows, [points]),
        height_px=max(110, 30 * len(names)),
    )


def _seeds(count: int) -> str:
    return "one seed" if count == 1 else f"all {count} seeds"


def _pooled(arena: Arena, contender: Contender) -> tuple[list[list[float]], list[str]] | None:
    """Counts summed over seeds, and the names of the classes."""
    total: list[list[float]] | None = None
    names: list[str] = []
    for _, record in finished(contender.train):
        metric = record.metric(arena.score.name) if arena.score else None
        detail = metric.detail if metric is not None else None
        if not isinstance(detail, dict):
            continue
        matrix = detail.get("confusion")
        if not matrix or len(matrix) > MOST_CLASSES or any(len(row) != len(matrix) for row in matrix):
            continue
        if total is None:
            total = [[0.0] * len(matrix) for _ in matrix]
            given = detail.get("classes") or ()
            names = [str(name) for name in given] if len(given) == len(matrix) else [str(i) for i in range(len(matrix))]
        if len(matrix) == len(total):
            total = [[a + b for a, b in zip(x, y, strict=True)] for x, y in zip(total, matrix, strict=True)]
    return (total, names) if total is not None else None


def _spec(rows: list[dict[str, Any]], classes: list[str]) -> _charts.Spec:
    axis = {"labelLimit": 120, "grid": False, "ticks": False, "domain": False}
    x = {
        "field": "predicted",
        "type": "nominal",
        "scale": {"domain": classes},
        "axis": {**axis, "title": "Predicted", "orient": "top", "labelAngle": 0 if len(classes) <= 6 else -45},
    }
    y = {"field": "true", "type": "nominal", "scale": {"domain": classes}, "axis": {**axis, "title": "True"}}
    tip = [
        _charts.tooltip("true", "true"),
        _charts.tooltip("predicted", "predicted"),
        _charts.tooltip("share", "share of the row", ".2%"),
        _charts.tooltip("count", "examples", ","),
    ]
    layers: list[_charts.Spec] = [
        {
            "mark": {"type": "rect", "color": "#3c87c3", "cornerRadius": 2},
            "encoding": {
                "x": x,
                "y": y,
                "tooltip": tip,
                "opacity": {
                    "field": "share",
                    "type": "quantitative",
                    "legend": None,
                    "scale": {"domain": [0, 1], "range": [0.04, 0.75], "type": "sqrt"},
                },
            },
        }
    ]
    if len(classes) <= MOST_WRITTEN:
        layers.append(
            {
                "mark": {"type": "text", "fontSize": 12},
                "encoding": {"x": x, "y": y, "text": {"field": "share", "type": "quantitative", "format": ".1%"}},
            }
        )
    return _charts.chart(rows, layers)
