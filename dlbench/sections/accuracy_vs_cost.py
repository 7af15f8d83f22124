"""Score against cost: throughput, memory, parameters and energy, each with the Pareto front and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dlbench.analyze.bootstrap import resampled_means
from dlbench.analyze.compare import LEAST_SEEDS
from dlbench.analyze.contenders import Arena, Contender
from dlbench.analyze.pareto import front_probability, pareto_front, resampled_medians
from dlbench.analyze.quantities import format_of, listed, share
from dlbench.analyze.results import Results
from dlbench.analyze.summary import summarise, summarise_rounds
from dlbench.analyze.verdict import score_name
from dlbench.schema.blocks import Block, Cell, Column, Figure, Format, Heading, Section, Table
from dlbench.sections import _charts

POSITION = 50
SURE = 0.95
"""Probability from which on a place on the front stands out."""


@dataclass(frozen=True)
class Axis:
    """A cost that scores stand against.

    Attributes:
        title: of the axis, with the unit where its labels are bare numbers.
        less: whether less of it is better.
    """

    metric: str
    title: str
    format: Format
    less: bool

    @property
    def words(self) -> str:
        """`inference throughput`."""
        name = self.title.partition(" (")[0]
        return name[:1].lower() + name[1:]


# How long a training took is no axis: trainings may run side by side, and then share the machine.
AXES = (
    Axis("infer_throughput", "Inference throughput (samples/s)", "rate", False),
    Axis("train_throughput", "Training throughput (samples/s)", "rate", False),
    Axis("infer_peak_memory_bytes", "Peak memory of inference", "bytes", True),
    Axis("train_peak_memory_bytes", "Peak memory of training", "bytes", True),
    Axis("parameters", "Parameters", "count", True),
    Axis("infer_energy_per_sample_j", "Energy of inference (J/sample)", "number", True),
    Axis("energy_per_sample_j", "Energy of training (J/sample)", "number", True),
)


@dataclass(frozen=True)
class Plane:
    """The contenders of an arena between score and one cost.

    Attributes:
        rows: one for each that has both.
        front: indices of rows on the observed front; none where nothing is ranked.
        probability: contender → how probably it is on the front; empty below five seeds.
    """

    arena: Arena
    axis: Axis
    size: int
    rows: list[dict[str, Any]]
    front: list[int]
    probability: dict[str, float]


def build(results: Results) -> Section | None:
    """A figure for each arena and cost with at least two contenders that have both, and a table of fronts."""
    blocks: list[Block] = []
    for arena in results.arenas:
        planes = [plane for axis in AXES if (plane := _plane(arena, axis)) is not None]
        blocks += [Heading(text=arena.title)] if planes and len(results.arenas) > 1 else []
        blocks += _fronts(arena, planes)
        blocks += [_figure(results, plane) for plane in planes]
    return Section(title="Accuracy against cost", anchor="cost", blocks=tuple(blocks)) if blocks else None


def _plane(arena: Arena, axis: Axis) -> Plane | None:
    sizes = [size for size in arena.batch_sizes if any(c.rounds(axis.metric, size) for c in arena.contenders)]
    if arena.score is None or not sizes or arena.score.better == "neither":
        return None
    size = max(sizes)
    found = [(contender, row) for contender in arena.contenders if (row := _row(arena, contender, axis, size))]
    if len(found) < 2:
        return None
    fair = [index for index, (contender, _) in enumerate(found) if contender in arena.ranked]
    sign = 1 if arena.score.better == "higher" else -1
    points = [(found[index][1]["cost"], sign * found[index][1]["score"]) for index in fair]
    front = [fair[place] for place in pareto_front(points, cheaper_is_lower=axis.less)]
    probability = _probabilities(arena, [found[index][0] for index in fair], axis, size, sign)
    rows = [row for _, row in found]
    for index, row in enumerate(rows):
        row["front"] = index in front
        row["probability"] = share(probability[row["model"]]) if row["model"] in probability else "unknown"
    return Plane(arena, axis, size, rows, front, probability)


def _probabilities(arena: Arena, contenders: Sequence[Contender], axis: Axis, size: int, sign: int) -> dict[str, float]:
    """Over resampled seeds (the same for all) and rounds."""
    if arena.score is None or len(contenders) < 2 or len(contenders[0].values(arena.score.name)) < LEAST_SEEDS:
        return {}
    values = [contender.values(arena.score.name) for contender in contenders]
    scores = sign * resampled_means([[one[seed] for seed in sorted(one)] for one in values])
    costs = resampled_medians([contender.rounds(axis.metric, size) for contender in contenders])
    found = front_probability(scores, costs, cheaper_is_lower=axis.less)
    return {contender.name: float(value) for contender, value in zip(contenders, found, strict=True)}


def _row(arena: Arena, contender: Contender, axis: Axis, size: int) -> dict[str, Any] | None:
    """None for a contender without a score or this cost."""
    score = summarise(list(contender.values(arena.score.name).values())) if arena.score else None
    cost = summarise_rounds(list(contender.rounds(axis.metric, size).values()))
    if score is None or cost is None or cost.median <= 0 or contender.emulated:
        return None
    margin = score.margin or 0.0
    return {
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


def _fronts(arena: Arena, planes: Sequence[Plane]) -> list[Block]:
    """A line for each contender, a column for each cost: how probably it is on that front."""
    told = [plane for plane in planes if plane.probability]
    if not told:
        return []
    names = [c.name for c in arena.ranked if any(c.name in plane.probability for plane in told)]
    rows = []
    for name in names:
        chances = [plane.probability.get(name) for plane in told]
        cells = [Cell(value=p, tone="good" if p is not None and p >= SURE else "normal") for p in chances]
        rows.append((Cell(value=name, series=name), *cells))
    columns = [
        Column(name=plane.axis.title.partition(" (")[0], format="fraction", digits=0, tooltip=f"Batch {plane.size}")
        for plane in told
    ]
    return [
        Table(
            columns=(Column(name="Contender"), *columns),
            rows=tuple(rows),
            caption=f"How probably a contender is on the Pareto front of {score_name(arena)} and each cost: share of "
            "resamples of seeds (the same for all) and rounds in which no other is at least as good in both respects "
            "and better in one.",
        )
    ]


def _figure(results: Results, plane: Plane) -> Figure:
    arena, axis, rows = plane.arena, plane.axis, plane.rows
    assert arena.score is not None
    name, score_format = score_name(arena), format_of(arena.score.unit)
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
    for row, place in zip(rows, _charts.place_labels(spots, [row["model"] for row in rows]), strict=True):
        row |= place
    best = [rows[index]["model"] for index in plane.front]
    bars = "Bars are 95 % intervals of the score and the interval over rounds of the cost."
    if all(row["cost_low"] == row["cost_high"] for row in rows):
        bars = "Bars are 95 % intervals of the score; the cost does not vary."
    return Figure(
        name=f"{axis.metric.removesuffix('_bytes')}_{arena.anchor}",
        title=f"{name.capitalize()} against {axis.words}",
        alt=f"Scatter plot of {len(rows)} contenders on {arena.title}."
        + (f" On the Pareto front: {listed(best)}." if fair else ""),
        caption=f"Batch {plane.size}. {bars} {_front_text(best, fair)}",
        spec=_charts.chart(rows, _layers(results, plane, name, score_format, log)),
    )


def _front_text(best: list[str], fair: bool) -> str:
    if not fair:
        return "No Pareto front is drawn: the contenders do not have the same seeds."
    if len(best) == 1:
        return f"Nothing beats {best[0]} in either respect."
    return "The dashed line is the Pareto front: nothing is better in both respects than what lies on it."


def _layers(results: Results, plane: Plane, name: str, score_format: str, log: bool) -> list[_charts.Spec]:
    shown = [row["model"] for row in plane.rows]
    x = _charts.measure("cost", plane.axis.title, plane.axis.format, log=log)
    y = _charts.measure("score", f"Test {name}", score_format)
    for axis in (x, y):
        axis["scale"]["padding"] = 20
    hue = _charts.colour(results.series, shown, legend=False)
    shapes = _charts.shape(results.series, shown, legend=False)
    tip = [
        _charts.tooltip("model", "model"),
        _charts.tooltip("score", name, _charts.tooltip_format(score_format)),
        _charts.tooltip("n", "seeds"),
        _charts.tooltip("cost", plane.axis.words, ".4~s"),
        _charts.tooltip("rounds", "rounds"),
        _charts.tooltip("probability", "on the front with probability"),
    ]
    return [
        {
            "transform": [{"filter": "datum.front"}],
            "mark": {
                "type": "line",
                "interpolate": "step-after" if plane.axis.less else "step-before",
                "strokeDash": [4, 4],
                "opacity": 0.55,
                "strokeWidth": 1.5,
            },
            "encoding": {"x": x, "y": y, "order": {"field": "cost", "type": "quantitative"}},
        },
        *_charts.named_points(x, y, ("cost_low", "cost_high"), hue, shapes, tip),
    ]
