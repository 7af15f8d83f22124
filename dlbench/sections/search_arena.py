"""Strategies against one another: regret under a budget, budget to a good candidate, and what shared weights know."""

import math
from collections.abc import Sequence
from typing import Any

from dlbench.analyze.agreement import Agreement, Correlation, agreements
from dlbench.analyze.quantities import NO_VALUE, format_of, listed, times, titled
from dlbench.analyze.regret import By, Reach, baseline, best_so_far, reaches, target
from dlbench.analyze.results import Results
from dlbench.analyze.studies import StudyGroup
from dlbench.analyze.summary import MedianSummary
from dlbench.schema.blocks import Block, Cell, Column, Figure, Heading, Section, Table, Text, Tone
from dlbench.sections import _charts, _search

POSITION = 17
QUARTER = 0.25


def build(results: Results) -> Section | None:
    """For each task with several strategies; None without one."""
    blocks: list[Block] = []
    for group in results.searches:
        mine: list[Block] = []
        if len(group.labels) > 1 and group.ranked:
            mine += _texts(group)
            mine += _reach_table(results, group)
            mine += [figure for by in _search.BUDGETS if (figure := _regret(results, group, by)) is not None]
        mine += _shared(results, group)
        blocks += _search.heading(results, group, mine)
    return Section(title="Strategies compared", anchor="search-arena", blocks=tuple(blocks)) if blocks else None


def _texts(group: StudyGroup) -> list[Block]:
    """A sentence for each strategy: does it need at most half of random search's budget?"""
    random = baseline(group)
    if random is None:
        return []
    texts: list[Block] = []
    lines = [line for line in reaches(group) if line.label != random]
    for line in lines:
        tone: Tone = "good" if line.half and line.high is not None and line.high <= 0.5 else "normal"
        texts.append(Text(text=f"{_sentence(group, line, random)}{_quarter(group, line, random)}", tone=tone))
    return texts


def _sentence(group: StudyGroup, line: Reach, random: str) -> str:
    start = f"To reach the best 2 % on {group.title}, {line.label}"
    studies = f"{line.reached} of {line.epochs.n} {'study' if line.epochs.n == 1 else 'studies'} reached them"
    if line.ratio is None:
        return f"{start} cannot be compared with {random}: neither gets there in the median ({studies})."
    if line.ratio == float("inf"):
        return f"{start} does not need less than {random}: in the median it never gets there ({studies})."
    share = f"{line.ratio:.2f} times" if line.ratio < 1 else times(line.ratio)
    if line.bound:
        never = f"{random} in the median never gets there with its budget, so the ratio is at most {line.ratio:.2f}"
        word = (
            f"needs at most half of {random}'s epochs" if line.half else f"may need more than half of {random}'s epochs"
        )
        return f"{start} {word}: {never} ({studies})."
    word = "needs at most half of" if line.half else "does not manage with half of"
    known = f", 95 % bootstrap interval {_end(line.low)} to {_end(line.high)}" if line.low is not None else ""
    unsure = " The interval does not settle it." if line.low is not None and _unsettled(line) else ""
    return f"{start} {word} {random}'s epochs: {share} its median{known} ({studies}).{unsure}"


def _quarter(group: StudyGroup, line: Reach, random: str) -> str:
    """Of successive halving and hyperband more is expected: published gains are four times and beyond."""
    pruner = group.of(line.label)[0].head.pruner
    if pruner is None or pruner.name not in ("successive_halving", "hyperband") or line.ratio is None:
        return ""
    word = "It also manages with" if line.ratio <= QUARTER else "It does not manage with"
    return f" {word} a quarter of {random}'s epochs, as {pruner.name} is expected to (Li et al. 2018, §4)."


def _unsettled(line: Reach) -> bool:
    assert line.low is not None
    assert line.high is not None
    return line.low <= 0.5 < line.high


def _end(value: float | None) -> str:
    if value is None or value == float("inf"):
        return NO_VALUE if value is None else "∞"
    return f"{value:.2f}" if value else "0"


def _regret(results: Results, group: StudyGroup, by: By) -> Figure | None:
    rows: list[dict[str, Any]] = []
    for label in group.searching:
        for level in best_so_far(group, label, by, regret=True):
            row = {"model": label, "budget": level.budget, "value": level.median, "low": level.low, "high": level.high}
            rows.append({**row, "n": level.n})
    if not rows or (by == "epochs" and max(row["budget"] for row in rows) <= 0):
        return None
    format = _search.format_of_metric(results, group.goal.metric)
    shown = list(dict.fromkeys(row["model"] for row in rows))
    name = _search.words(group.goal.metric)
    log = _charts.spans_decades([row["budget"] for row in rows if row["budget"] > 0], 10.0)
    if log:
        rows = [row for row in rows if row["budget"] > 0]
    x = _charts.measure("budget", titled(_search.BUDGETS[by]), "number", log=log)
    if log:
        x["scale"]["padding"] = 6
    edge = _edge([row["high"] for row in rows])
    y = _search.axis_of([min(row["value"], edge) for row in rows], "Regret", format)
    y["scale"] = {"zero": True} if edge == math.inf else {"domain": [0, edge], "clamp": True, "nice": False}
    tip = [
        _charts.tooltip("model", "strategy"),
        _charts.tooltip("budget", _search.BUDGETS[by], ",.4~r"),
        _charts.tooltip("value", "regret", _charts.tooltip_format(format)),
        _charts.tooltip("n", "studies"),
    ]
    ends = {label: [row["value"] for row in rows if row["model"] == label][-1] for label in shown}
    best = min(ends, key=lambda label: ends[label])
    best_known = "the best candidate there is" if group.enumerated else "the best candidate that any study knows"
    return Figure(
        name=f"search_regret_{by}_{group.anchor}",
        title=f"Regret against {_search.BUDGETS[by]}",
        alt=f"Lines of regret in {name} against {_search.BUDGETS[by]} on {group.title} for {', '.join(shown)}; at its "
        f"end {best} is closest to {best_known}.",
        caption=f"How far the best so far is behind {best_known}; 0 is none. Median over study seeds; the band is a "
        "distribution-free 95 % interval of it (below six studies: their range)."
        + (" Logarithmic budget." if log else "")
        + ("" if edge == math.inf else " What is farther behind stands at the edge.")
        + _search.first_alone(group),
        spec=_charts.chart(rows, _search.stairs(results, shown, x, y, tip)),
    )


def _edge(highs: Sequence[float]) -> float:
    """Where the axis ends when a few first candidates are so bad that all that follows would be one line."""
    quarter, worst = sorted(highs)[(3 * len(highs)) // 4], max(highs)
    return 2.5 * quarter if worst > 4 * quarter > 0 else math.inf


def _reach_table(results: Results, group: StudyGroup) -> list[Block]:
    goal, lines = target(group), reaches(group)
    if goal is None or not lines:
        return []
    format = _search.format_of_metric(results, group.goal.metric)
    random = baseline(group)
    rows = [
        (
            Cell(value=line.label, series=line.label),
            Cell(value=line.reached, text=f"{line.reached} of {line.epochs.n}"),
            _median(line.candidates),
            _median(line.epochs),
            *((_ratio(line, line.ratio_candidates), _ratio(line, line.ratio, line.low, line.high)) if random else ()),
        )
        for line in lines
    ]
    against = (
        (
            Column(name="Candidates, ratio", format="number", tooltip=f"Median over that of {random}"),
            Column(name="Epochs, ratio", format="number", tooltip=f"Median over that of {random}, bootstrap interval"),
        )
        if random
        else ()
    )
    which = (
        f"all {goal.known:,} candidates of the space that have a result"
        if goal.enumerated
        else f"the {goal.known:,} candidates that are known; the space was not tried out, so better ones may exist"
    )
    return [
        Table(
            columns=(
                Column(name="Strategy"),
                Column(name="Reached", format="count", tooltip="Studies that found one"),
                Column(name="Candidates", format="number", tooltip="Median until then, with its interval"),
                Column(name="Epochs", format="number", tooltip="Median charged until then, with its interval"),
                *against,
            ),
            rows=tuple(rows),
            caption=f"Budget until a candidate of the best 2 % ({_search.shown(goal.value, format)} or better) was "
            f"told, of {which}. A study that found none counts as ∞.{_search.first_alone(group)}",
        )
    ]


def _median(summary: MedianSummary) -> Cell:
    text = _amount(summary.median)
    if summary.low is not None and summary.high is not None and summary.low != summary.high:
        text += f" ({_amount(summary.low)} to {_amount(summary.high)})"
    return Cell(value=summary.median if _search.number(summary.median) else None, text=text)


def _amount(value: float) -> str:
    return "∞" if value == float("inf") else f"{value:,.0f}" if value >= 10 else f"{value:.3g}"


def _ratio(line: Reach, value: float | None, low: float | None = None, high: float | None = None) -> Cell:
    if value is None:
        return Cell(value=None)
    text = "∞" if value == float("inf") else f"{'at most ' if line.bound else ''}{value:.2f}"
    text += f" ({_end(low)} to {_end(high)})" if low is not None else ""
    return Cell(value=value if _search.number(value) else None, text=text)


def _shared(results: Results, group: StudyGroup) -> list[Block]:
    """Scores under shared weights against own ones, and their rank correlations."""
    score = next((a.score for a in results.arenas if a.dataset == group.studies[0].head.dataset and a.score), None)
    found = agreements(group, higher=score is None or score.better != "lower")
    if not found:
        return []
    blocks: list[Block] = [Heading(text="What shared weights know")]
    rows = [(_search.series_of(group, one.study), one.n, _correlation(one.tau), _correlation(one.rho)) for one in found]
    blocks.append(
        Table(
            columns=(
                Column(name="Study"),
                Column(name="Architectures", format="count", tooltip="With both scores"),
                Column(name="Kendall tau-b", format="number"),
                Column(name="Spearman rho", format="number"),
            ),
            rows=tuple(rows),
            caption="Whether shared weights order architectures as their own weights do: 1 is the same order, 0 none. "
            "In brackets 95 % bootstrap intervals over architectures.",
        )
    )
    figure = _scatter(results, group, found, format_of(score.unit) if score is not None else "number")
    return blocks if figure is None else [*blocks, figure]


def _correlation(found: Correlation | None) -> Cell:
    if found is None:
        return Cell(value=None, note="Too few architectures, or all scores are equal")
    text = f"{found.value:.2f}"
    if found.low is not None and found.high is not None:
        text += f" ({found.low:.2f} to {found.high:.2f})"
    return Cell(value=found.value, text=text.replace("-", "−"))


def _scatter(results: Results, group: StudyGroup, found: tuple[Agreement, ...], shared: str) -> Figure | None:
    rows = [
        {"model": _search.series_of(group, one.study), "shared": score, "value": own, "name": name}
        for one in found
        for name, score, own in zip(one.names, one.shared, one.own, strict=True)
    ]
    if len(rows) < 2:
        return None
    rows, note = _search.thinned(rows)
    shown = list(dict.fromkeys(str(row["model"]) for row in rows))
    format, name = _search.format_of_metric(results, group.goal.metric), _search.words(group.goal.metric)
    x = _charts.measure("shared", "Score under shared weights", shared)
    own = [float(str(row["value"])) for row in rows]
    y, edge = _search.upwards(own, group, titled(name), format)
    edge = edge.replace("Candidates", "Architectures")
    tip = [
        _charts.tooltip("name", "architecture"),
        _charts.tooltip("shared", "shared", _charts.tooltip_format(shared)),
        _charts.tooltip("value", name, _charts.tooltip_format(format)),
    ]
    domain = tuple(shown) if len(shown) > 1 else _search.domain(results, shown)
    hue = _charts.colour(domain, shown, legend=len(shown) > 1)
    shapes = _charts.shape(domain, shown, legend=len(shown) > 1)
    taus = [f"{one.tau.value:.2f}" for one in found if one.tau is not None]
    return Figure(
        name=f"search_shared_{group.anchor}",
        title=f"Own against shared weights on {group.title}",
        alt=f"Scatter plot of {len(rows)} architectures: {name} with their own weights against their score under "
        f"shared weights." + (f" Kendall's tau-b is {listed(taus)}." if taus else ""),
        caption=f"A point is an architecture that has both scores. Shared weights order as own ones do where points "
        f"lie on a line from the worst to the best corner.{edge.replace('Candidates', 'Architectures')}{note}",
        spec=_charts.chart(
            rows,
            [
                {
                    "mark": {"type": "point", "filled": True, "size": 45, "opacity": 0.6},
                    "encoding": {"x": x, "y": y, "color": hue, "shape": shapes, "tooltip": tip},
                }
            ],
        ),
    )
