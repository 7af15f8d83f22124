"""How a search went on: best so far against candidates and against epochs, and each candidate of a single study."""

from typing import Any

from dlbench.analyze.quantities import titled
from dlbench.analyze.regret import By, best_so_far
from dlbench.analyze.results import Results
from dlbench.analyze.studies import Step, StudyGroup, history
from dlbench.schema.blocks import Block, Figure, Section
from dlbench.sections import _charts, _search

POSITION = 12
_POINTS = {"ok": "finished", "pruned": "pruned", "infeasible": "infeasible"}


def build(results: Results) -> Section | None:
    """Two figures for each task on which anything has finished."""
    blocks: list[Block] = []
    for group in results.searches:
        figures = [figure for by in _search.BUDGETS if (figure := _figure(results, group, by)) is not None]
        blocks += _search.heading(results, group, figures)
    return Section(title="How the search went", anchor="search-history", blocks=tuple(blocks)) if blocks else None


def _figure(results: Results, group: StudyGroup, by: By) -> Figure | None:
    if by == "epochs" and not any(history(study)[-1].epochs for study in group.studies if history(study)):
        return None
    return _single(results, group, by) if len(group.studies) == 1 else _several(results, group, by)


def _single(results: Results, group: StudyGroup, by: By) -> Figure | None:
    """Every candidate of one study as a point, and the best so far as a line."""
    steps = [step for step in history(group.studies[0]) if step.trial.origin != "helper" and step.trial.same_as is None]
    rows, note = _search.thinned([row for step in steps if (row := _point(step, by)) is not None])
    line = [_stair(step, by) for step in _improvements(steps)]
    if not line:
        return None
    metric = group.goal.metric
    format = _search.format_of_metric(results, metric)
    name = _search.words(metric)
    shown = [word for word in _POINTS.values() if any(row["model"] == word for row in rows)]
    values = [row["value"] for row in (*rows, *line)]
    x = _charts.measure("budget", titled(_search.BUDGETS[by]), "number")
    y, low = _search.upwards(values, group, titled(name), format)
    hue, shapes = _charts.colour(tuple(_POINTS.values()), shown), _charts.shape(tuple(_POINTS.values()), shown)
    tip = [
        _charts.tooltip("number", "candidate"),
        _charts.tooltip("model", "state"),
        _charts.tooltip("value", name, _charts.tooltip_format(format)),
        _charts.tooltip("point", "values"),
    ]
    layers: list[_charts.Spec] = [
        {
            "transform": [{"filter": "datum.model != 'best so far'"}],
            "mark": {"type": "point", "filled": True, "size": 40, "opacity": 0.6},
            "encoding": {"x": x, "y": y, "color": hue, "shape": shapes, "tooltip": tip},
        },
        {
            "transform": [{"filter": "datum.model == 'best so far'"}],
            "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2, "opacity": 0.8},
            "encoding": {"x": x, "y": y, "order": {"field": "budget", "type": "quantitative"}},
        },
    ]
    best = line[-1]
    marks = "" if "pruned" not in shown else " A pruned candidate stands where it was stopped."
    return Figure(
        name=f"search_{by}_{group.anchor}",
        title=f"{titled(name)} against {_search.BUDGETS[by]}",
        alt=f"Candidates of {_search.series_of(group, group.studies[0])} on {group.title} in the order of their ends; "
        f"the best so far ends at {_search.shown(best['value'], format)}.",
        caption=f"Each point is a candidate, the line the best so far.{marks}{low}{note}{_search.first_alone(group)}",
        spec=_charts.chart([*rows, *line], layers),
    )


def _point(step: Step, by: By) -> dict[str, Any] | None:
    told = step.trial.told
    if told is None or told.state not in _POINTS:
        return None
    value = told.values[0] if told.values else told.curve[-1][1] if told.curve else None
    if value is None or not _search.number(value):
        return None
    state = told.state if told.state != "ok" or told.feasible else "infeasible"
    return {
        "model": _POINTS[state],
        "budget": step.candidates if by == "candidates" else step.epochs,
        "value": value,
        "number": step.trial.number,
        "point": ", ".join(f"{axis} {_search.of_axis(v)}" for axis, v in step.trial.point.items()),
    }


def _improvements(steps: list[Step]) -> list[Step]:
    """Where the best changed, and the end."""
    found = [step for step in steps if step.best is not None]
    return [
        step
        for number, step in enumerate(found)
        if number in (0, len(found) - 1) or step.best != found[number - 1].best
    ]


def _stair(step: Step, by: By) -> dict[str, Any]:
    return {
        "model": "best so far",
        "budget": step.candidates if by == "candidates" else step.epochs,
        "value": step.best,
    }


def _several(results: Results, group: StudyGroup, by: By) -> Figure | None:
    """The best so far of each strategy: median over its studies, with a band."""
    rows: list[dict[str, Any]] = []
    for label in group.searching:
        for level in best_so_far(group, label, by):
            row = {"model": label, "budget": level.budget, "value": level.median, "low": level.low, "high": level.high}
            rows.append({**row, "n": level.n})
    if not rows:
        return None
    metric = group.goal.metric
    format = _search.format_of_metric(results, metric)
    name = _search.words(metric)
    shown = list(dict.fromkeys(row["model"] for row in rows))
    budgets = [row["budget"] for row in rows if row["budget"] > 0]
    x = _charts.measure("budget", titled(_search.BUDGETS[by]), "number")
    if _charts.spans_decades(budgets, 30.0):
        x = _charts.measure("budget", titled(_search.BUDGETS[by]), "number", log=True)
        x["scale"]["padding"] = 6
        rows = [row for row in rows if row["budget"] > 0]
    y = _search.axis_of([row["value"] for row in rows], f"Best {name}", format)
    tip = [
        _charts.tooltip("model", "strategy"),
        _charts.tooltip("budget", _search.BUDGETS[by], ",.4~r"),
        _charts.tooltip("value", name, _charts.tooltip_format(format)),
        _charts.tooltip("n", "studies"),
    ]
    ends = {label: [row["value"] for row in rows if row["model"] == label][-1] for label in shown}
    order = sorted(ends, key=lambda label: ends[label], reverse=group.goal.better == "higher")
    many = max(row["n"] for row in rows)
    return Figure(
        name=f"search_{by}_{group.anchor}",
        title=f"Best so far against {_search.BUDGETS[by]}",
        alt=f"Lines of the best {name} so far against {_search.BUDGETS[by]} on {group.title}; at its end "
        f"{order[0]} stands best with {_search.shown(ends[order[0]], format)}.",
        caption=(
            f"Median of {many} studies; the band is a distribution-free 95 % interval of it (below six studies: their "
            "range). "
            if many > 1
            else ""
        )
        + "Drawn from where every study of a strategy has a result to where one ends."
        + _search.first_alone(group),
        spec=_charts.chart(rows, _search.stairs(results, shown, x, y, tip)),
    )
