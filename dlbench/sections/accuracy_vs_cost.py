"""Score against cost: inference throughput, peak memory and energy, with the Pareto front."""

from typing import Any

from dlbench.analyze.contenders import Arena
from dlbench.analyze.pareto import pareto_front
from dlbench.analyze.quantities import format_of, listed
from dlbench.analyze.results import Results
from dlbench.analyze.summary import summarise, summarise_rounds
from dlbench.analyze.verdict import score_name
from dlbench.schema.blocks import Block, Figure, Format, Heading, Section
from dlbench.sections import _charts

POSITION = 50

AXES: tuple[tuple[str, str, Format, bool], ...] = (
    ("infer_throughput", "Inference throughput (samples/s)", "rate", False),
    ("infer_peak_memory_bytes", "Peak memory of inference", "bytes", True),
    ("train_peak_memory_bytes", "Peak memory of training", "bytes", True),
    ("infer_energy_per_sample_j", "Energy of inference (J/sample)", "number", True),
)
"""Metric, axis title, format, and whether less of it is better."""


def build(results: Results) -> Section | None:
    """A figure for each arena and cost with at least two contenders that have both score and cost."""
    blocks: list[Block] = []
    for arena in results.arenas:
        figures = [figure for axis in AXES if (figure := _figure(results, arena, *axis)) is not None]
        blocks += [Heading(text=arena.title)] if figures and len(results.arenas) > 1 else []
        blocks += figures
    return Section(title="Accuracy against cost", anchor="cost", blocks=tuple(blocks)) if blocks else None


def _rows(arena: Arena, metric: str, size: int) -> list[dict[str, Any]]:
    """One row for each contender with a score and this cost."""
    rows: list[dict[str, Any]] = []
    for contender in arena.contenders:
        score = summarise(list(contender.values(arena.score.name).values())) if arena.score else None
        cost = summarise_rounds(list(contender.rounds(metric, size).values()))
        if score is None or cost is None or cost.median <= 0 or contender.emulated:
            continue
        margin = score.margin or 0.0
        rows.append(
            {
                "model": contender.name,
                "cost": cost.median,
                "rounds": cost.n,
                "cost_low": cost.median if cost.low is None else cost.low,
                "cost_high": cost.median if cost.high is None else cost.high,
                "score": score.mean,
                "low": score.mean - margin,
                "high": score.mean + margin,
                "n": score.n,
            }
        )
    return rows


def _figure(results: Results, arena: Arena, metric: str, title: str, format: Format, less: bool) -> Figure | None:
    sizes = [size for size in arena.batch_sizes if any(c.rounds(metric, size) for c in arena.contenders)]
    if arena.score is None or not sizes or arena.score.better == "neither":
        return None
    size = max(sizes)
    rows = _rows(arena, metric, size)
    if len(rows) < 2:
        return None
    name, score_format = score_name(arena), format_of(arena.score.unit)
    sign = 1 if arena.score.better == "higher" else -1
    front = pareto_front([(row["cost"], sign * row["score"]) for row in rows], cheaper_is_lower=less)
    fair = arena.ranked != ()
    costs, scores = [row["cost"] for row in rows], [row["score"] for row in rows]
    log = _charts.spans_decades(costs, 4.0)
    spots = list(
        zip(
            _charts.pixels(costs, _charts.NARROW_PX, log=log),
            [300 - y for y in _charts.pixels(scores, 300)],
            strict=True,
        )
    )
    for index, place in enumerate(_charts.place_labels(spots, [row["model"] for row in rows])):
        rows[index] |= {**place, "front": fair and index in front}
    best = [rows[index]["model"] for index in front]
    return Figure(
        name=f"{metric.removesuffix('_bytes')}_{arena.anchor}",
        title=f"{name.capitalize()} against {title.partition(' (')[0].lower()}",
        alt=f"Scatter plot of {len(rows)} contenders on {arena.title}."
        + (f" On the Pareto front: {listed(best)}." if fair else ""),
        caption=f"Batch {size}. Bars are 95 % intervals of the score and the interval over rounds of the cost. "
        + _front_text(best, fair),
        spec=_charts.chart(rows, _layers(results, rows, name, title, format, score_format, log, less)),
    )


def _front_text(best: list[str], fair: bool) -> str:
    if not fair:
        return "No Pareto front is drawn: the contenders do not have the same seeds."
    if len(best) == 1:
        return f"Nothing beats {best[0]} in either respect."
    return "The dashed line is the Pareto front: nothing is better in both respects than what lies on it."


def _layers(
    results: Results,
    rows: list[dict[str, Any]],
    name: str,
    title: str,
    format: Format,
    score_format: str,
    log: bool,
    less: bool,
) -> list[_charts.Spec]:
    shown = [row["model"] for row in rows]
    x = _charts.measure("cost", title, format, log=log)
    y = _charts.measure("score", f"Test {name}", score_format)
    for axis in (x, y):
        axis["scale"]["padding"] = 20
    hue = _charts.colour(results.series, shown, legend=False)
    shapes = _charts.shape(results.series, shown, legend=False)
    tip = [
        _charts.tooltip("model", "model"),
        _charts.tooltip("score", name, _charts.tooltip_format(score_format)),
        _charts.tooltip("n", "seeds"),
        _charts.tooltip("cost", title.partition(" (")[0].lower(), ".4~s"),
        _charts.tooltip("rounds", "rounds"),
    ]
    return [
        {
            "transform": [{"filter": "datum.front"}],
            "mark": {
                "type": "line",
                "interpolate": "step-after" if less else "step-before",
                "strokeDash": [4, 4],
                "opacity": 0.55,
                "strokeWidth": 1.5,
            },
            "encoding": {"x": x, "y": y, "order": {"field": "cost", "type": "quantitative"}},
        },
        *_charts.named_points(x, y, ("cost_low", "cost_high"), hue, shapes, tip),
    ]
