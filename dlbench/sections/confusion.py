"""Confusion matrix of the best contender on each dataset: which classes are mistaken for which."""

from typing import Any

from dlbench.analyze.contenders import Arena, Contender, finished
from dlbench.analyze.results import Results
from dlbench.schema.blocks import Block, Figure, Section
from dlbench.sections import _charts

POSITION = 70
MOST_CLASSES = 40
"""Beyond this many classes the cells are too small to read."""
MOST_WRITTEN = 12
"""Up to this many classes the share is written into its cell."""


def build(results: Results) -> Section | None:
    """One matrix for each arena whose score kept one."""
    blocks: list[Block] = []
    for arena in results.arenas:
        figure = _figure(arena)
        if figure is not None:
            blocks.append(figure)
    return Section(title="Confusion", anchor="confusion", blocks=tuple(blocks)) if blocks else None


def _figure(arena: Arena) -> Figure | None:
    best = arena.best or next((contender for contender in arena.contenders if contender.seeds), None)
    pooled = _pooled(arena, best) if best is not None else None
    if best is None or pooled is None:
        return None
    counts, classes = pooled
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
