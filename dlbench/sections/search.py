"""The search: what each strategy found, what it cost, and whether the search's estimate of its winner held."""

from collections import Counter
from collections.abc import Mapping, Sequence

from dlbench.analyze.contenders import canonical
from dlbench.analyze.finals import Final, estimate, finals
from dlbench.analyze.quantities import listed, quantity, titled, with_margin
from dlbench.analyze.results import Results
from dlbench.analyze.studies import StudyGroup, spent, value_of
from dlbench.analyze.summary import Summary, summarise
from dlbench.schema.blocks import Block, Cell, Column, Section, Table, Text
from dlbench.schema.study import State, Study
from dlbench.sections import _search
from dlbench.sections._best_candidates import best_candidates

POSITION = 11
Finals = Mapping[str, tuple[Final, ...]]
"""Study → its winners."""
STATES: dict[State, str] = {
    "ok": "finished",
    "pruned": "pruned",
    "infeasible": "infeasible",
    "failed": "failed",
    "running": "running",
}


def build(results: Results) -> Section | None:
    """Sentences, tables of studies and best candidates, estimates beside the truth; None without a study."""
    blocks: list[Block] = []
    for group in results.searches:
        found = {study.head.id: finals(results, group, study) for study in group.studies}
        mine = _texts(results, group, found)
        if len(group.studies) > 1:
            mine.append(_studies(results, group, found))
        if group.ranked:
            mine.append(best_candidates(results, group))
        if len(group.studies) == 1:
            mine += _estimates(results, group, found[group.studies[0].head.id])
        blocks += _search.heading(results, group, mine)
    return Section(title="Search", anchor="search", blocks=tuple(blocks)) if blocks else None


def _texts(results: Results, group: StudyGroup, found: Finals) -> list[Block]:
    """One paragraph for each strategy; where there are several, one before them that sums up."""
    if len(group.labels) == 1:
        return [Text(text=f"On {group.title}, {_said(results, group, group.labels[0], found)}", level="lead")]
    tried = f"{len(group.candidates):,} different"
    if group.size is not None:
        tried = f"all {group.size:,}" if group.enumerated else f"{len(group.candidates):,} of {group.size:,}"
    text = f"On {group.title}, {len(group.labels)} strategies tried {tried} candidates"
    text += f" in {len(group.studies)} studies"
    if group.ranked:
        best, format = group.ranked[0], _search.format_of_metric(results, group.goal.metric)
        who = [label for label in group.labels if any(_has(study, best.key) for study in group.of(label))]
        text += f". The best of them all has {_search.shown(best.value, format)} {_search.words(group.goal.metric)}"
        text += f"; {listed(who)} found it"
    paragraphs = [_said(results, group, label, found) for label in group.labels]
    return [Text(text=f"{text}.", level="lead"), *(Text(text=paragraph) for paragraph in paragraphs)]


def _has(study: Study, key: str) -> bool:
    return any(canonical(trial.point) == key and value_of(trial) is not None for trial in study.distinct)


def _said(results: Results, group: StudyGroup, label: str, found: Finals) -> str:
    """What a manager wants to know of a strategy."""
    studies = group.of(label)
    counts = Counter(trial.state for study in studies for trial in study.distinct)
    total = sum(counts.values())
    parts = [f"{counts[state]:,} {word}" for state, word in STATES.items() if counts[state]]
    tried = f"{label} tried {total:,} candidate{'s' if total != 1 else ''}"
    tried += f" in {len(studies)} studies" if len(studies) > 1 else ""
    tried += f" ({listed(parts)})" if parts and counts["ok"] != total else ""
    return " ".join([f"{tried}.", *_found(results, group, studies, found), *_cost(studies)])


def _found(results: Results, group: StudyGroup, studies: Sequence[Study], found: Finals) -> list[str]:
    metric = group.goal.metric
    format = _search.format_of_metric(results, metric)
    winners = [best[0] for study in studies if (best := study.best(1))]
    values = [trial.told.values[0] for trial in winners if trial.told is not None and trial.told.values]
    if not values:
        return ["No candidate has a result yet that keeps every constraint."]
    if len(group.studies[0].head.objectives) > 1 and len(studies) == 1:
        front = len(studies[0].best(len(studies[0].trials)))
        return [
            f"{front} of them {'is' if front == 1 else 'are'} on the Pareto front of "
            f"{listed([_search.words(goal.metric) for goal in studies[0].head.objectives])}.",
            *_retrained(results, found[studies[0].head.id][:1]),
        ]
    summary = summarise(values)
    assert summary is not None
    if len(studies) > 1:
        text = f"{_search.shown(summary.median, format)} in the median of the studies"
        text += f" ({_search.shown(summary.low, format)} to {_search.shown(summary.high, format)})"
        said = f"The best candidate of each reaches {text} in {_search.words(metric)} during the search."
    else:
        text = _search.shown(summary.mean, format)
        said = f"The best, number {winners[0].number}, has {text} {_search.words(metric)} in the search."
    first = next((finals for study in studies if (finals := found[study.head.id])), ())
    return [said, *_retrained(results, first[:1], many=len(studies) > 1)]


def _retrained(results: Results, winners: Sequence[Final], *, many: bool = False) -> list[str]:
    """The winner on the test split against the default, over all seeds of the contender."""
    for final in winners:
        score = final.arena.score
        summary = summarise(list(final.contender.values(score.name).values())) if score is not None else None
        if summary is None or score is None:
            return ["The winner is yet to be trained with the suite's seeds."]
        format = _search.format_of_metric(results, score.name)
        scored = with_margin(summary.mean, summary.margin, format)
        seeds = f"{summary.n} training{'s' if summary.n > 1 else ''}"
        who = "the winners score" if many else "it scores"
        text = f"Trained anew ({final.contender.name}), {who} {scored} {_search.words(score.name)} ({seeds})"
        comparison = results.comparison(final.contender)
        if comparison is None:
            return [f"{text}."]
        other = with_margin(comparison.paired.other_mean, None, format)
        name = comparison.baseline.name
        match comparison.paired.word:
            case "better" | "worse":
                return [f"{text}: {comparison.paired.word} than {name} ({other})."]
            case "indistinguishable":
                return [f"{text}: indistinguishable from {name} ({other})."]
        return [f"{text}; {name} has {other}, too few seeds for a verdict."]
    return []


def _cost(studies: Sequence[Study]) -> list[str]:
    costs = [spent(study) for study in studies]
    epochs, seconds = sum(cost.epochs for cost in costs), sum(cost.seconds for cost in costs)
    if epochs <= 0:
        return []
    full = sum(cost.full_epochs or cost.epochs for cost in costs)
    text = f"It cost {_epochs(epochs)} of training ({quantity(seconds, 'seconds')})"
    if full > epochs * 1.005:
        text += f"; all its candidates trained to the end would have cost about {_epochs(full)}"
    return [f"{text}."]


def _epochs(count: float) -> str:
    return f"{count:,.0f} epochs" if count >= 10 else f"{count:.3g} epoch{'s' if count != 1 else ''}"


def _studies(results: Results, group: StudyGroup, found: Finals) -> Table:
    """A line for each study; counts that are 0 everywhere have no column."""
    format = _search.format_of_metric(results, group.goal.metric)
    digits = 2 if format == "fraction" else None
    counts = {study.head.id: Counter(trial.state for trial in study.distinct) for study in group.studies}
    odd = [state for state in STATES if state != "ok" and any(count[state] for count in counts.values())]
    rows = []
    for study in group.studies:
        best, cost, label = study.best(1), spent(study), study.head.strategy.label
        final = next(iter(found[study.head.id]), None)
        truth = estimate(final) if final is not None else None
        rows.append(
            (
                Cell(value=label, series=label),
                study.head.seed,
                sum(counts[study.head.id].values()),
                *(counts[study.head.id][state] for state in odd),
                value_of(best[0]) if best else None,
                _mean(truth.validation if truth is not None else None),
                _mean(truth.test if truth is not None else None),
                cost.epochs,
                cost.seconds,
            )
        )
    return Table(
        columns=(
            Column(name="Strategy"),
            Column(name="Seed", format="count", tooltip="Of the study, and of its winner's training"),
            Column(name="Candidates", format="count", tooltip="Different ones that were tried"),
            *(Column(name=titled(STATES[state]), format="count") for state in odd),
            Column(name="Best in search", format=format, digits=digits, tooltip=_search.words(group.goal.metric)),
            Column(name="Trained anew", format=format, digits=digits, tooltip="The same metric of the winner"),
            Column(name="Test", format=format, digits=digits, tooltip="Test score of the winner, trained anew"),
            Column(name="Epochs", format="number", digits=0, tooltip="Charged, pruned candidates and helpers included"),
            Column(name="Time", format="seconds", tooltip="Running time of all jobs"),
        ),
        rows=tuple(rows),
        caption="A line for each study. The best value was chosen among many measurements and so flatters"
        f"{_flattery(group, found, format)}; the test score does not.",
    )


def _flattery(group: StudyGroup, found: Finals, format: str) -> str:
    """By how much the search's estimates were too good, in the median of all winners."""
    told = [truth for finals in found.values() for final in finals if (truth := estimate(final)) is not None]
    sign = 1 if group.goal.better == "higher" else -1
    gaps = summarise([sign * (one.searched - one.validation.mean) for one in told if one.validation is not None])
    if gaps is None:
        return ""
    return f" (here by {_gap(gaps.median, format)} in the median of {gaps.n} winner{'s' if gaps.n > 1 else ''})"


def _gap(gap: float, format: str) -> str:
    return (f"{100 * gap:+.2f} points" if format == "fraction" else f"{gap:+.3g}").replace("-", "−")


def _estimates(results: Results, group: StudyGroup, winners: Sequence[Final]) -> list[Block]:
    """The search's estimate of each winner beside what its trainings with the suite's seeds gave."""
    rows = []
    format = _search.format_of_metric(results, group.goal.metric)
    for final in winners:
        told = estimate(final)
        if told is None or told.validation is None:
            continue
        gap = told.searched - told.validation.mean
        flattered = gap if group.goal.better == "higher" else -gap
        rows.append(
            (
                Cell(value=final.contender.name, series=final.contender.name),
                final.trial.number,
                told.searched,
                _mean(told.validation),
                Cell(value=flattered, text=_gap(flattered, format)),
                _mean(told.test),
                told.validation.n,
            )
        )
    if not rows:
        return []
    digits = 2 if format == "fraction" else None
    table = Table(
        columns=(
            Column(name="Winner"),
            Column(name="Candidate", format="count"),
            Column(name="In the search", format=format, digits=digits, tooltip="Mean over the search's seeds"),
            Column(name="Trained anew", format=format, digits=digits, tooltip="The same metric over the suite's seeds"),
            Column(name="Flattered by", format="number", tooltip="How much better it looked than it is"),
            Column(name="Test", format=format, digits=digits, tooltip="The same score on the test split"),
            Column(name="Seeds", format="count"),
        ),
        rows=tuple(rows),
        caption="What the search thought of its winners, and what they are. The best of many measurements is partly "
        "luck, so an estimate flatters. Means ± half a 95 % t interval.",
    )
    return [table]


def _mean(summary: Summary | None) -> Cell:
    return Cell(value=None) if summary is None else Cell(value=summary.mean, margin=summary.margin)
