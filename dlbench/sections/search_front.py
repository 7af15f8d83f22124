"""Two objectives against each other, or one against a bounded metric, with the Pareto front of what was tried."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dlbench.analyze.pareto import hypervolume
from dlbench.analyze.quantities import significant, titled
from dlbench.analyze.results import Results
from dlbench.analyze.studies import StudyGroup
from dlbench.schema.blocks import Block, Column, Figure, Section, Table
from dlbench.schema.metric import Direction, usual_direction
from dlbench.schema.study import Study, Trial, dominates
from dlbench.sections import _charts, _search

POSITION = 16


@dataclass(frozen=True)
class Cost:
    """What is drawn sideways: the second objective (by its place), or a metric of a constraint."""

    metric: str
    better: Direction
    objective: int | None
    bound: float | None = None


def build(results: Results) -> Section | None:
    """A figure for each task whose candidates have two numbers to weigh."""
    blocks: list[Block] = []
    for group in results.searches:
        mine: list[Block] = []
        for cost in _costs(group):
            figure = _figure(results, group, cost)
            mine += [figure] if figure is not None else []
        if len(group.studies) > 1 and len(group.studies[0].head.objectives) == 2 and mine:
            mine.insert(0, _volumes(group))
        blocks += _search.heading(results, group, mine)
    return Section(title="Trade-offs", anchor="search-front", blocks=tuple(blocks)) if blocks else None


def _costs(group: StudyGroup) -> list[Cost]:
    head = group.studies[0].head
    if len(head.objectives) > 1:
        return [Cost(goal.metric, goal.better, place) for place, goal in enumerate(head.objectives) if place]
    return [
        Cost(
            limit.metric,
            "lower" if limit.at_most is not None else "higher",
            None,
            limit.at_most if limit.at_most is not None else limit.at_least,
        )
        for limit in head.constraints
    ] or [
        Cost(metric, usual_direction(metric), None)
        for metric in ("infer_latency_p50_ms", "parameters")
        if any(c.trial.told is not None and metric in c.trial.told.metrics for c in group.ranked)
    ][:1]


def _number(trial: Trial, cost: Cost) -> float | None:
    told = trial.told
    if told is None:
        return None
    if cost.objective is None:
        return told.metrics.get(cost.metric)
    return told.values[cost.objective] if told.values and cost.objective < len(told.values) else None


def _figure(results: Results, group: StudyGroup, cost: Cost) -> Figure | None:
    rows: list[dict[str, Any]] = []
    for study in group.studies:
        for trial in study.distinct:
            told, value = trial.told, _number(trial, cost)
            if told is None or told.state != "ok" or not told.values or value is None or not _search.number(value):
                continue
            row = {"model": study.head.strategy.label, "number": trial.number, "value": told.values[0], "cost": value}
            rows.append({**row, "kept": told.feasible, "front": False})
    rows, note = _search.thinned(_marked(group, cost, rows))
    front = [row for row in rows if row["front"]]
    if len(rows) < 2 or len({row["cost"] for row in rows}) < 2 or not front:
        return None
    format = _search.format_of_metric(results, group.goal.metric)
    sideways = _search.format_of_metric(results, cost.metric)
    name, what = _search.words(group.goal.metric), _search.words(cost.metric)
    shown = list(dict.fromkeys(row["model"] for row in rows))
    log = _charts.spans_decades([row["cost"] for row in rows], 10.0)
    broken = any(not row["kept"] for row in rows)
    ends = f"{_search.shown(front[0]['value'], format)} at {_search.shown(front[0]['cost'], sideways)} and "
    ends += f"{_search.shown(front[-1]['value'], format)} at {_search.shown(front[-1]['cost'], sideways)}"
    return Figure(
        name=f"search_front_{cost.metric.lower()}_{group.anchor}"
        if _search.plain(cost.metric)
        else f"search_front_{cost.objective or 0}_{group.anchor}",
        title=f"{titled(name)} against {what}",
        alt=f"Scatter plot of {len(rows)} candidates on {group.title}. {len(front)} of them are on the Pareto front"
        + (f", between {ends}." if len(front) > 1 else "."),
        caption="The dashed line is the Pareto front: nothing that was tried is better in both respects than what "
        "lies on it."
        + (" Faint candidates break a constraint." if broken else "")
        + (f" The bound is {_search.shown(cost.bound, sideways)}." if cost.bound is not None else "")
        + _search.upwards([row["value"] for row in rows], group, "", format)[1]
        + note,
        spec=_charts.chart(rows, _layers(results, group, shown, rows, (name, format), (what, sideways, log), cost)),
    )


def _marked(group: StudyGroup, cost: Cost, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows in order of the cost, those on the front of what keeps the constraints marked."""
    signs = (1.0 if group.goal.better == "lower" else -1.0, 1.0 if cost.better == "lower" else -1.0)
    ordered = sorted(rows, key=lambda row: (signs[1] * row["cost"], signs[0] * row["value"]))
    best: float | None = None
    for row in ordered:  # from the cheapest on, each that is better than all cheaper ones
        loss = signs[0] * row["value"]
        if row["kept"] and (best is None or loss < best):
            row["front"], best = True, loss
    return sorted(ordered, key=lambda row: float(row["cost"]))


def _layers(
    results: Results,
    group: StudyGroup,
    shown: Sequence[str],
    rows: Sequence[dict[str, Any]],
    upwards: tuple[str, str],
    sideways: tuple[str, str, bool],
    cost: Cost,
) -> list[_charts.Spec]:
    name, format = upwards
    what, cost_format, log = sideways
    x = _charts.measure("cost", titled(what) + _search.UNITS.get(cost_format, ""), cost_format, log=log)
    y, _ = _search.upwards([row["value"] for row in rows], group, titled(name), format)
    for axis in (x, y):
        axis["scale"]["padding"] = 14
    domain = _search.domain(results, shown)
    hue = _charts.colour(domain, shown, legend=len(shown) > 1)
    shapes = _charts.shape(domain, shown, legend=len(shown) > 1)
    tip = [
        _charts.tooltip("model", "strategy"),
        _charts.tooltip("number", "candidate"),
        _charts.tooltip("value", name, _charts.tooltip_format(format)),
        _charts.tooltip("cost", what, ".4~s"),
    ]
    look = {"condition": {"test": "datum.kept", "value": 0.7}, "value": 0.25}
    return [
        {
            "transform": [{"filter": "datum.front"}],
            "mark": {
                "type": "line",
                "interpolate": "step-after" if cost.better == "lower" else "step-before",
                "strokeDash": [4, 4],
                "opacity": 0.55,
                "strokeWidth": 1.5,
            },
            "encoding": {"x": x, "y": y, "order": {"field": "cost", "type": "quantitative"}},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 55},
            "encoding": {"x": x, "y": y, "color": hue, "shape": shapes, "opacity": look, "tooltip": tip},
        },
    ]


def _volumes(group: StudyGroup) -> Table:
    """Hypervolume of each study's front up to the worst of what any study tried, as a share of the best study's."""
    signs = [1.0 if goal.better == "lower" else -1.0 for goal in group.studies[0].head.objectives]

    def losses(study: Study) -> list[tuple[float, float]]:
        told = [t.told for t in study.distinct if t.told is not None and t.told.feasible and t.told.values]
        return [(signs[0] * one.values[0], signs[1] * one.values[1]) for one in told if one.values]

    points = {study.head.id: losses(study) for study in group.studies}
    every = [point for members in points.values() for point in members]
    reference = (max(point[0] for point in every), max(point[1] for point in every))
    volumes = {key: hypervolume(members, reference) for key, members in points.items()}
    most = max(volumes.values())
    rows = []
    for study in group.studies:
        mine = points[study.head.id]
        front = sum(not any(dominates(other, point) for other in mine) for point in mine)
        volume = volumes[study.head.id]
        rows.append((study.head.strategy.label, study.head.seed, front, volume / most if most else None))
    worst = " and ".join(significant(abs(value)) for value in reference)
    return Table(
        columns=(
            Column(name="Strategy"),
            Column(name="Study seed", format="count"),
            Column(name="On its front", format="count"),
            Column(name="Hypervolume", format="fraction", tooltip="Of the study with the largest"),
        ),
        rows=tuple(rows),
        caption=f"How much each study's front dominates, up to the worst values that any study found ({worst}).",
    )
