"""Score against cost: throughput, memory, parameters and energy, each with the Pareto front and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dlbench.analyze.bootstrap import resampled_means
from dlbench.analyze.compare import LEAST_SEEDS
from dlbench.analyze.contenders import Arena, Contender
from dlbench.analyze.left_out import reasoned, uncosted, unranked
from dlbench.analyze.pareto import front_probability, pareto_front, resampled_medians
from dlbench.analyze.quantities import format_of, listed, share, titled
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
    Axis("decode_throughput", "Decoding throughput (samples/s)", "rate", False),
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
        size: batch size of the costs; `size_note` says why a larger one is not shown, if there is one.
        rows: one for each that has both.
        front: indices of rows on the observed front; none where fewer than two of them are ranked.
        probability: contender → how probably it is on the front; empty below five seeds.
        unranked: contenders that have both, but not the same seeds → why.
        left_out: contenders without a score or this cost → why.
    """

    arena: Arena
    axis: Axis
    size: int
    size_note: str
    rows: list[dict[str, Any]]
    front: list[int]
    probability: dict[str, float]
    unranked: dict[str, str]
    left_out: dict[str, str]


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
    size, size_note = _size(arena, axis)
    if arena.score is None or size is None or arena.score.better == "neither":
        return None
    found = {contender: row for contender in arena.contenders if (row := _row(arena, contender, axis, size))}
    if len(found) < 2:
        return None
    drawn, rows = list(found), list(found.values())
    fair = [index for index, contender in enumerate(drawn) if contender in arena.ranked]
    sign = 1 if arena.score.better == "higher" else -1
    points = [(rows[index]["cost"], sign * rows[index]["score"]) for index in fair]
    front = [fair[place] for place in pareto_front(points, cheaper_is_lower=axis.less)] if len(fair) > 1 else []
    probability = _probabilities(arena, [drawn[index] for index in fair], axis, size, sign)
    for index, row in enumerate(rows):
        row["front"] = index in front
        row["probability"] = share(probability[row["model"]]) if row["model"] in probability else "unknown"
    out = [contender for contender in arena.contenders if contender not in found]
    return Plane(
        arena, axis, size, size_note, rows, front, probability,
        unranked={one.name: why for one in drawn if (why := unranked(arena, one))},
        left_out={one.name: _why_left_out(arena, one, axis, size) for one in out},
    )  # fmt: skip


def _size(arena: Arena, axis: Axis) -> tuple[int | None, str]:
    """The largest batch size at which all that are ranked have this cost, or else that at which most have; and a note.

    Where nothing is ranked, those that have a score stand for it. None if nobody has this cost.
    """
    name = arena.score.name if arena.score else ""
    scored = arena.ranked or [one for one in arena.contenders if one.values(name) and not one.emulated]
    counts = {size: sum(bool(one.rounds(axis.metric, size)) for one in scored) for size in arena.batch_sizes}
    counts = {size: count for size, count in counts.items() if count}
    size = max(counts, key=lambda size: (counts[size], size), default=None)
    if size is None or size == max(counts):
        return size, ""
    return size, f", the largest that {'all were' if counts[size] == len(scored) else 'most were'} measured at"


def _why_left_out(arena: Arena, contender: Contender, axis: Axis, size: int) -> str:
    """`emulated precision`, `out of memory at batch 512`, `not run yet`."""
    scored = arena.score is not None and bool(contender.values(arena.score.name))
    reason = "" if scored and not contender.emulated else unranked(arena, contender)
    return reason or uncosted(contender, axis.metric, size) or f"no such cost at batch {size:,}"


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
    return {
        "model": contender.name,
        "cost": cost.median,
        "rounds": cost.n,
        "cost_low": cost.median if cost.low is None else cost.low,
        "cost_high": cost.median if cost.high is None else cost.high,
        "score": score.mean,
        **_charts.ends(score.mean, score.margin, arena.score.unit if arena.score else ""),
        "n": score.n,
    }


def _fronts(arena: Arena, planes: Sequence[Plane]) -> list[Block]:
    """A line for each contender, a column for each cost: how probably it is on that front."""
    told = [plane for plane in planes if plane.probability]
    if not told:
        return []
    names = [c.name for c in arena.ranked if any(c.name in plane.probability for plane in told)]
    rows = [(Cell(value=name, series=name), *(_chance(plane, name) for plane in told)) for name in names]
    out = {name: why for plane in reversed(told) for name, why in (plane.left_out | plane.unranked).items()}
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
            "and better in one." + (f" Left out: {reasoned(out)}." if out else ""),
        )
    ]


def _chance(plane: Plane, name: str) -> Cell:
    chance = plane.probability.get(name)
    sure = chance is not None and chance >= SURE
    return Cell(value=chance, tone="good" if sure else "normal", note=plane.left_out.get(name))


def _figure(results: Results, plane: Plane) -> Figure:
    arena, axis, rows = plane.arena, plane.axis, plane.rows
    assert arena.score is not None
    name, score_format = score_name(arena), format_of(arena.score.unit)
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
        title=f"{titled(name)} against {axis.words}",
        alt=f"Scatter plot of {len(rows)} contenders on {arena.title}."
        + (f" On the Pareto front: {listed(best)}." if best else ""),
        caption=" ".join([f"Batch {plane.size}{plane.size_note}.", bars, _front_text(plane, best), *_absent(plane)]),
        spec=_charts.chart(rows, _layers(results, plane, name, score_format, log)),
    )


def _front_text(plane: Plane, best: list[str]) -> str:
    if not best:
        return "No Pareto front is drawn: the contenders do not have the same seeds."
    lacking = any(contender.name in plane.left_out for contender in plane.arena.ranked)
    of = " ".join(["drawn"] * lacking + ["with the same seeds"] * bool(plane.unranked))
    nothing = f"of those {of} nothing" if of else "nothing"
    if len(best) == 1:
        return f"{nothing[0].upper()}{nothing[1:]} beats {best[0]} in either respect."
    return f"The dashed line is the Pareto front: {nothing} is better in both respects than what lies on it."


def _absent(plane: Plane) -> list[str]:
    """Who is on no front, and who is not even drawn."""
    parts = (("Drawn, but not ranked", plane.unranked), ("Left out", plane.left_out))
    return [f"{what}: {reasoned(reasons)}." for what, reasons in parts if reasons]


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
