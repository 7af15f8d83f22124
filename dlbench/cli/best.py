"""`dlbench show best`: what a suite's search found, as words, as data, or as a suite to run."""

from pathlib import Path
from typing import TYPE_CHECKING

from dlbench.cli.console import as_json, data, out
from dlbench.errors import UsageError
from dlbench.schema.base import Json

if TYPE_CHECKING:
    from dlbench.analyze.results import Results
    from dlbench.analyze.studies import StudyGroup
    from dlbench.schema.study import Study, Trial


def show_best(name: str, store: Path, *, json: bool, yaml: bool) -> None:
    """Print the best candidate of a suite on each of its tasks.

    Raises:
        UsageError: the suite has no search, or no candidate has a result yet.
    """
    from dlbench.cli.report import load
    from dlbench.cli.wiring import suite_name
    from dlbench.store.folder import Store

    folder = Store.open(store, create=False)
    results = load(folder, suite_name(folder, name))
    if not results.studies:
        raise UsageError(f"{results.suite.name} has no search; `dlbench results {results.suite.name}` shows its table")
    found = [(group, best) for group in results.searches if (best := winner(group)) is not None]
    if not found:
        raise UsageError(f"no candidate of {results.suite.name} has a result yet that keeps every constraint")
    if yaml:
        from dlbench.plan.best import best_suite
        from dlbench.plan.write import write_suite

        suite = best_suite(results.suite, [(study.head, trial.point) for _, (study, trial) in found])
        for group, best in found:
            data(f"# {_line(results, group, *best)}.")
        data(write_suite(suite).rstrip("\n"))
    elif json:
        as_json([facts(results, group, *best) for group, best in found])
    else:
        for group, best in found:
            _print(results, group, *best)


def winner(group: "StudyGroup") -> "tuple[Study, Trial] | None":
    """The best candidate of all studies of a task; None while there is none."""
    if not group.ranked:
        return None
    best = group.ranked[0]
    return best.study, best.trial


def line(study: "Study") -> str:
    """One study in a line: how many candidates, and its best."""
    from collections import Counter

    from dlbench.analyze.quantities import NO_VALUE, listed, quantity
    from dlbench.analyze.studies import objective, value_of
    from dlbench.cli.quantities import count

    counts = Counter(trial.state for trial in study.distinct)
    states = listed([f"{n} {state}" for state, n in counts.items()])
    best = study.best(1)
    value = value_of(best[0]) if best else None
    words = NO_VALUE if value is None else f"{objective(study).metric} {value:.4g} (number {best[0].number})"
    epochs = sum(trial.told.epochs for trial in study.trials if trial.told is not None)
    tried = count(sum(counts.values()), "candidate")
    return (
        f"search on {study.head.dataset}, {study.head.strategy.label}, seed {study.head.seed}: "
        f"{tried} ({states or 'none yet'}), best {words}, {quantity(epochs, 'number')} epochs"
    )


def facts(results: "Results", group: "StudyGroup", study: "Study", trial: "Trial") -> dict[str, Json]:
    """The best candidate as data."""
    from dlbench.analyze.finals import estimate, finals

    told = trial.told
    assert told is not None
    found: dict[str, Json] = {
        "task": study.head.task,
        "dataset": study.head.dataset,
        "study": study.head.id,
        "strategy": study.head.strategy.label,
        "study_seed": study.head.seed,
        "number": trial.number,
        "values": dict(trial.point),
        "search": dict(zip((goal.metric for goal in study.head.objectives), told.values or (), strict=False)),
        "constraints": {limit.metric: told.metrics.get(limit.metric) for limit in study.head.constraints},
        "retrained": None,
    }
    for final in finals(results, group, study):
        truth = estimate(final) if final.trial.number == trial.number else None
        if truth is not None:
            splits = {"validation": truth.validation, "test": truth.test}
            found["retrained"] = {
                split: None if one is None else {"mean": one.mean, "margin": one.margin, "n": one.n}
                for split, one in splits.items()
            }
            found["label"] = final.contender.label
            break
    return found


def _print(results: "Results", group: "StudyGroup", study: "Study", trial: "Trial") -> None:
    from rich.table import Table

    from dlbench.analyze.quantities import with_margin
    from dlbench.schema.space import shown
    from dlbench.sections._search import format_of_metric

    console = out()
    console.print(f"{_line(results, group, study, trial)}:")
    table = Table("axis", "value", box=None, pad_edge=False)
    for axis, value in trial.point.items():
        table.add_row(axis, shown(value))
    console.print(table)
    retrained = facts(results, group, study, trial)["retrained"]
    if not retrained:
        console.print("not yet trained with the suite's seeds")
        return
    format = format_of_metric(results, group.goal.metric)
    for split, one in retrained.items():
        if one is not None:
            console.print(f"trained anew, {split}: {with_margin(one['mean'], one['margin'], format)}, n = {one['n']}")


def _line(results: "Results", group: "StudyGroup", study: "Study", trial: "Trial") -> str:
    told = trial.told
    values = (told.values if told is not None else None) or ()
    metrics = [goal.metric for goal in study.head.objectives]
    reached = ", ".join(f"{metric} {value:.4g}" for metric, value in zip(metrics, values, strict=False))
    label = study.head.strategy.label + (
        f", seed {study.head.seed}" if len(group.of(study.head.strategy.label)) > 1 else ""
    )
    front = len(study.best(len(study.distinct))) if len(metrics) > 1 else 1
    which = f"One end of the front ({front} candidates) of" if front > 1 else "The best of"
    return f"{which} {results.suite.name} on {group.title}: number {trial.number} of {label}, {reached} in the search"
