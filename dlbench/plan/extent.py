"""How much a suite asks for, counted without making any of it; and do its exclusions and baseline mean something?"""

import math
from collections.abc import Collection, Iterable

from dlbench.catalog import SINGULAR, did_you_mean
from dlbench.plan.entries import ReadModel, ReadTask
from dlbench.plan.grammar import ReadSuite
from dlbench.plan.merge import over
from dlbench.plan.nodes import Problems, Spot
from dlbench.plan.shelves import Entry, Shelves, shelf_of
from dlbench.plan.words import show, unknown_key
from dlbench.schema.base import Json
from dlbench.schema.search import SearchSettings
from dlbench.schema.suite import CostSettings, ReportSettings
from dlbench.schema.train import TrainSettings, cost_fields

MAX_JOBS = 100_000
"""Train jobs, and cost jobs, that a suite can ask for; beyond is a slip of the keyboard."""


def check_extent(read: ReadSuite, shelves: Shelves, problems: Problems) -> bool:
    """Whether the suite is small enough to be looked at pair by pair; if not, that is noted."""
    pairs = sum(len(read.models_of(task)) for task in read.tasks)
    seeds = len(read.fields.get("seeds", (0,)))
    at = read.root.at("vary") if read.root.child("vary") else read.root.at("seeds")
    if pairs * seeds > MAX_JOBS:
        problems.add(
            at,
            f"{_count(pairs, 'pair')} of task and model × {_count(seeds, 'seed')} {_too_many(pairs * seeds, 'train')}",
        )
        return False
    cost = read.fields.get("cost", CostSettings())
    points = len(cost.batch_sizes) * cost.rounds if cost is not None else 0
    train_settings = largest = cost_settings = 0
    for task in read.tasks:
        for model in read.models_of(task):
            varied = {} if read.fields.get("search") else _varied(read, shelves, task, model)  # searched, not all made
            settings = math.prod(map(len, varied.values()))
            train_settings += settings
            largest = max(largest, settings)
            cost_settings += math.prod(len(values) for key, values in varied.items() if _touches_cost(key))
    each = f" (up to {largest:,} of each of {_count(pairs, 'pair')} of task and model)"
    if train_settings * seeds > MAX_JOBS:
        lead = f"{_count(train_settings, 'setting')}{each} × {_count(seeds, 'seed')}"
        problems.add(at, f"{lead} {_too_many(train_settings * seeds, 'train')}")
    if cost_settings * points > MAX_JOBS and cost is not None:
        sizes = f"{_count(len(cost.batch_sizes), 'batch size')} × {_count(cost.rounds, 'round')}"
        lead = f"{_count(cost_settings, 'setting')} × {sizes}"
        problems.add(read.root.at("cost"), f"{lead} {_too_many(cost_settings * points, 'cost')}")
    return max(train_settings * seeds, cost_settings * points) <= MAX_JOBS


def _varied(read: ReadSuite, shelves: Shelves, task: ReadTask, model: ReadModel) -> dict[str, tuple[Json, ...]]:
    """What varies for a pair: parameters that neither has do not."""
    having = {
        "model": shelves.parameters(model.entry),
        "task": shelves.parameters(task.entry),
        "dataset": tuple(name for dataset in shelves.datasets(task) for name in shelves.parameters(dataset)),
    }
    return {
        key: values
        for key, values in read.varied(model.entry).items()
        if key.partition(".")[0] not in having or key.partition(".")[2] in having[key.partition(".")[0]]
    }


def _touches_cost(key: str) -> bool:
    return not key.startswith("train.") or key.removeprefix("train.") in cost_fields()


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _too_many(jobs: int, kind: str) -> str:
    return f"= {jobs:,} {kind} jobs, more than {MAX_JOBS:,}, the most that a suite can have."


def check_exclude(read: ReadSuite, shelves: Shelves, overridden: Collection[str], problems: Problems) -> None:
    """Note exclusions that cannot match anything.

    Args:
        read: the suite.
        shelves: what is known of its modules.
        overridden: keys of the suite that were overridden; what the file excludes may be moot because of them.
        problems: takes them.
    """
    moot_in_file = not {"models", "tasks", "train", "vary", "precision", "device"}.isdisjoint(overridden)
    exclude = read.root.child("exclude")
    if exclude is None:
        return
    pairs = [_options(read, shelves, task, model) for task in read.tasks for model in read.models_of(task)]
    known = dict.fromkeys(key for options in pairs for key in options)
    for item in exclude.items():
        wanted = item.node.plain()
        if not isinstance(wanted, dict) or not known or (moot_in_file and item.place.in_file):
            continue
        strange = [key for key in wanted if key not in known]
        for key in strange:
            unknown_key(problems, item, key, known, "nothing is excluded by")
        if not strange and not any(_matches(wanted, options) for options in pairs):
            _tell_unmatched(item, wanted, pairs, problems)


def _options(read: ReadSuite, shelves: Shelves, task: ReadTask, model: ReadModel) -> dict[str, list[Json]]:
    """Key of an exclusion → the values that jobs of a pair have, varied or not."""
    datasets = shelves.datasets(task)
    train = over(over(read.fields.get("train", {}), task.entry.train), model.entry.train)
    device, precision = str(read.fields.get("device", "auto")), read.fields.get("precision", "fp32")
    options: dict[str, list[Json]] = {
        "model": [model.entry.label, model.entry.name],
        "task": [task.entry.name],
        "dataset": [dataset.name for dataset in datasets],
        "precision": ["bf16", "fp32"] if precision == "auto" else [precision],
        "device": ["cpu", "cuda"] if device == "auto" else [device, device.partition(":")[0]],
        **{f"train.{key}": [train.get(key, field.default)] for key, field in TrainSettings.model_fields.items()},
    }
    entries: list[Entry] = [model.entry, task.entry, *datasets]
    for entry in entries:
        for key, value in shelves.defaults(entry).items():
            options.setdefault(f"{SINGULAR[shelf_of(entry)]}.{key}", []).append(value)
    return options | {key: list(values) for key, values in _varied(read, shelves, task, model).items()}


def _matches(wanted: dict[str, Json], options: dict[str, list[Json]]) -> bool:
    return all(value in options.get(key, ()) for key, value in wanted.items())


def _tell_unmatched(
    item: Spot, wanted: dict[str, Json], pairs: Iterable[dict[str, list[Json]]], problems: Problems
) -> None:
    for key, value in wanted.items():
        values = [option for options in pairs for option in options.get(key, ())]
        if value not in values:
            words = dict.fromkeys(str(option) for option in values)
            near = did_you_mean(str(value), words) or f" Its jobs have: {', '.join(words)}."
            problems.add(item.at(key), f"no job of this suite has the {key} {show(value)}.{near}")
            return
    problems.add(item, "no job of this suite is all of this at once, so nothing is excluded.")


def check_baseline(read: ReadSuite, overridden: Collection[str], problems: Problems) -> None:
    """Note a baseline that is no contender; one that an override has made moot is dropped.

    Where settings vary, contenders are called by label and setting (`lstm lr=0.001`), so the label may be followed
    by more.
    """
    report: ReportSettings | None = read.fields.get("report")
    labels = {model.entry.label or "": None for task in read.tasks for model in read.models_of(task)}
    search: SearchSettings | None = read.fields.get("search")
    if search is not None:
        labels |= dict.fromkeys(strategy.label for strategy in search.strategies) if search.wide else {"best": None}
    if report is None or report.baseline is None or not labels:
        return
    if any(report.baseline == label or report.baseline.startswith(f"{label} ") for label in labels):
        return
    spot = read.root.at("report", "baseline")
    if spot.place.in_file and not {"models", "tasks"}.isdisjoint(overridden):
        read.fields["report"] = ReportSettings()
        return
    near = did_you_mean(report.baseline, labels) or f" They are called: {', '.join(labels)}."
    problems.add(spot, f"no model of this suite is called {report.baseline!r}.{near}")
