"""Expected best of n candidates: what a search of any size would have found, for each strategy and each model."""

from collections.abc import Sequence
from typing import Any

from dlbench.analyze.best_of import BLIND, Curve, by_model, by_strategy
from dlbench.analyze.quantities import listed, titled
from dlbench.analyze.results import Results
from dlbench.analyze.studies import StudyGroup
from dlbench.schema.blocks import Block, Figure, Section
from dlbench.sections import _charts, _search

POSITION = 18
LEAST = 5
"""Candidates below which a curve says nothing."""


def build(results: Results) -> Section | None:
    """A figure for each task, and one more where the models are searched too; None without enough candidates."""
    blocks: list[Block] = []
    for group in results.searches:
        figures = [
            figure
            for kind, curves in (("strategy", by_strategy(group)), ("model", by_model(group)))
            if (figure := _figure(results, group, kind, [c for c in curves if c.candidates >= LEAST])) is not None
        ]
        blocks += _search.heading(results, group, figures)
    title = "Expected best of n candidates"
    return Section(title=title, anchor="search-expected", blocks=tuple(blocks)) if blocks else None


def _figure(results: Results, group: StudyGroup, kind: str, curves: Sequence[Curve]) -> Figure | None:
    if not curves or (kind == "model" and len(curves) < 2):
        return None
    metric = group.goal.metric
    format, name = _search.format_of_metric(results, metric), _search.words(metric)
    rows: list[dict[str, Any]] = [
        {"model": c.label, "n": int(n), "value": float(v), "low": float(low), "high": float(high), "of": c.candidates}
        for c in curves
        for n, v, low, high in zip(c.sizes, c.expected, c.low, c.high, strict=True)
    ]
    shown = [curve.label for curve in curves]
    log = _charts.spans_decades([row["n"] for row in rows], 30.0)
    x = _charts.measure("n", "Candidates", "number", log=log)
    if log:
        x["scale"]["padding"] = 6
    y, edge = _search.upwards([row["value"] for row in rows], group, f"Expected best {name}", format)
    hue, shapes = (scale(_search.domain(results, shown), shown) for scale in (_charts.colour, _charts.shape))
    tip = [
        _charts.tooltip("model", kind),
        _charts.tooltip("n", "candidates", ",.4~r"),
        _charts.tooltip("value", f"expected best {name}", _charts.tooltip_format(format)),
        _charts.tooltip("of", "estimated from"),
    ]
    layers = _charts.lines_with_bands(x, y, hue, shapes, tip, point_size=16)
    layers[0]["encoding"]["y"] = {**y, "field": "low"}
    ends = listed([f"{c.label} {_search.shown(float(c.expected[-1]), format)} of {c.sizes[-1]:,}" for c in curves])
    return Figure(
        name=f"search_expected_{kind}_{group.anchor}",
        title=f"Expected best {name} of n candidates" + (", by model" if kind == "model" else ""),
        alt=f"Lines of the expected best {name} on {group.title} against the number of candidates; they end at {ends}.",
        caption="Expected best of so many candidates in random order (Dodge et al. 2019; unbiased, Tang et al. 2020); "
        "the band is a 95 % bootstrap interval over candidates. Compare at equal numbers; towards its end a curve "
        f"leans on the single best candidate.{_learning(group, kind)}{_without(curves)}"
        f"{' What is far worse than the rest stands at the edge.' if edge else ''}{_search.first_alone(group)}"
        + (" Logarithmic number of candidates." if log else ""),
        spec=_charts.chart(rows, layers),
    )


def _learning(group: StudyGroup, kind: str) -> str:
    learning = [label for label in group.searching if group.of(label)[0].head.strategy.name not in BLIND]
    if not learning:
        return ""
    if kind == "model":
        return " Candidates of random search alone count." if len(learning) < len(group.labels) else _LEARNT
    learn = "learns as it goes" if len(learning) == 1 else "learn as they go"
    return f" {titled(listed(learning))} {learn}: {_ORDER}."


_ORDER = "there the curve shows what its candidates are worth, not when it found them"
_LEARNT = " The candidates are those of a strategy that learns, which tries good models more often."


def _without(curves: Sequence[Curve]) -> str:
    count = sum(curve.without for curve in curves)
    if not count:
        return ""
    return f" {count:,} candidates ended without a value; they count as the worst that is known."
