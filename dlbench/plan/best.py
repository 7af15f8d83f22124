"""A suite and the best candidates of its studies → the same suite with their values written in, nothing searched."""

from collections.abc import Mapping, Sequence
from typing import Any

from dlbench.errors import UsageError
from dlbench.plan.merge import contenders, over
from dlbench.plan.space import MODEL
from dlbench.schema.base import Json
from dlbench.schema.space import Point
from dlbench.schema.study import StudyHead
from dlbench.schema.suite import DatasetEntry, ModelEntry, ReportSettings, Suite, TaskEntry

ENDING = "_best"
MOST_NAME = 80
_SETTINGS = ("precision", "device")


def best_suite(suite: Suite, winners: Sequence[tuple[StudyHead, Point]]) -> Suite:
    """The suite that trains the winners, as a person would write it: called `<suite>_best`.

    Args:
        suite: with its search.
        winners: for each task that was searched, one of its studies and the candidate that won. Tasks without one
            are left out.

    Raises:
        UsageError: no task of the suite has a winner, or a candidate names a model that the suite does not have.
    """
    won = [
        (task, found)
        for task in suite.tasks
        if (found := next(((h, p) for h, p in winners if _is_of(h, task)), None)) is not None
    ]
    if not won:
        raise UsageError(f"{suite.name}: no task has a best candidate yet.")
    pairs = [(_task(task, head, point), _model(suite, task, point)) for task, (head, point) in won]
    settings = [{key: point[key] for key in _SETTINGS if key in point} for _, (_, point) in won]
    common = settings[0] if all(one == settings[0] for one in settings) else {}
    models: tuple[ModelEntry, ...] = ()
    tasks: tuple[TaskEntry, ...]
    if len(pairs) == 1:
        models, tasks = (pairs[0][1],), (pairs[0][0].model_copy(update={"models": None}),)
    else:  # each task has a winner of its own; settings that differ are told by what varies for one model
        apart = [{key: (value,) for key, value in one.items() if key not in common} for one in settings]
        tasks = tuple(
            task.model_copy(update={"models": (model.model_copy(update={"vary": {**model.vary, **own}}),)})
            for (task, model), own in zip(pairs, apart, strict=True)
        )
    searched = {axis.name.rpartition("/")[2] for _, (head, _) in won for axis in head.space.axes}
    kept = {model.label for task in tasks for model in task.models or models}
    return suite.model_copy(
        update={
            "name": f"{suite.name[: MOST_NAME - len(ENDING)]}{ENDING}",
            "tasks": tasks,
            "models": models,
            "vary": {axis: values for axis, values in suite.vary.items() if axis not in searched},
            "exclude": tuple(pattern for pattern in suite.exclude if not _moot(pattern, searched, tasks, models)),
            "search": None,
            "report": suite.report if suite.report.baseline in kept else ReportSettings(),
            **common,
        }
    )


def _is_of(head: StudyHead, task: TaskEntry) -> bool:
    return head.task == task.name and (not task.dataset or head.dataset in {dataset.name for dataset in task.dataset})


def _below(point: Point, prefix: str) -> dict[str, Json]:
    plain = {axis.rpartition("/")[2]: value for axis, value in point.items()}
    return {axis.removeprefix(prefix): value for axis, value in plain.items() if axis.startswith(prefix)}


def _task(task: TaskEntry, head: StudyHead, point: Point) -> TaskEntry:
    """The task with its own values and those of the dataset that the study had."""
    given = _below(point, "dataset.")
    datasets = task.dataset or ((DatasetEntry(name=head.dataset),) if given else ())
    changed = tuple(
        one.model_copy(update={"params": {**one.params, **given}}) if one.name == head.dataset else one
        for one in datasets
    )
    return task.model_copy(update={"params": {**task.params, **_below(point, "task.")}, "dataset": changed})


def _model(suite: Suite, task: TaskEntry, point: Point) -> ModelEntry:
    """The model that the candidate is of, with its values; its own `vary:` keeps what was not searched."""
    models = contenders(suite, task)
    label = point.get(MODEL, models[0].label)
    found = next((model for model in models if model.label == label), None)
    if found is None:
        raise UsageError(f"{suite.name} has no model {label!r} any more, of which the best candidate is.")
    plain = {axis.rpartition("/")[2] for axis in point}
    changes: dict[str, Any] = {
        "params": {**found.params, **_below(point, "model.")},
        "train": over(found.train, _below(point, "train.")),
        "vary": {axis: values for axis, values in found.vary.items() if axis not in plain},
    }
    return found.model_copy(update=changes)


def _moot(
    pattern: Mapping[str, Json], searched: set[str], tasks: Sequence[TaskEntry], models: Sequence[ModelEntry]
) -> bool:
    """Whether an exclusion speaks of what was searched, or of a model or task that is not there any more."""
    kept = [model for task in tasks for model in task.models or models]
    names = {name for model in kept for name in (model.name, model.label)}
    gone = "model" in pattern and pattern["model"] not in names
    gone = gone or ("task" in pattern and pattern["task"] not in {task.name for task in tasks})
    return gone or any(key in searched for key in pattern)
