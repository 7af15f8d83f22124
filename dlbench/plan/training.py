"""Do the training settings of all levels, and what varies of them, fit together?"""

import itertools
import json
from collections.abc import Iterator, Mapping

from dlbench.plan.entries import ReadModel, ReadTask
from dlbench.plan.grammar import ReadSuite
from dlbench.plan.merge import over
from dlbench.plan.nodes import Problems
from dlbench.plan.words import tell, validate
from dlbench.schema.base import Json
from dlbench.schema.said import Error
from dlbench.schema.train import TrainSettings


def check_training(read: ReadSuite, problems: Problems) -> None:
    """Note settings that are right one by one and wrong together, unless that combination is excluded."""
    if problems:
        return  # merged, wrong settings would be told again
    known: dict[str, list[Error]] = {}
    for task in read.tasks:
        for model in read.models_of(task):
            for varied, merged in _combinations(read, task, model):
                text = json.dumps(merged, sort_keys=True)
                if text not in known:
                    known[text] = validate(TrainSettings, merged)[1]
                if known[text] and not _excluded(read, task, model, merged):
                    given = "".join(f", {key}={json.dumps(value)}" for key, value in varied.items())
                    tell(problems, model.spot, known[text], prefix=f"training on {task.entry.name}{given}: ")


def _combinations(
    read: ReadSuite, task: ReadTask, model: ReadModel
) -> Iterator[tuple[dict[str, Json], dict[str, Json]]]:
    """What varies of a pair's training, with the settings that it makes."""
    base = over(over(read.fields.get("train", {}), task.entry.train), model.entry.train)
    searched = read.fields.get("search") is not None  # then a candidate that does not fit is told so, one by one
    axes = {k: values for k, values in read.varied(model.entry).items() if k.startswith("train.") and not searched}
    for values in itertools.product(*axes.values()):
        varied = dict(zip(axes, values, strict=True))
        yield varied, over(base, {key.removeprefix("train."): value for key, value in varied.items()})


def _excluded(read: ReadSuite, task: ReadTask, model: ReadModel, merged: Mapping[str, Json]) -> bool:
    """Whether an exclusion takes all jobs with these settings; one that names other things may leave some."""
    facts: dict[str, tuple[Json, ...]] = {
        "task": (task.entry.name,),
        "model": (model.entry.name, model.entry.label),
        **{f"train.{key}": (merged.get(key, field.default),) for key, field in TrainSettings.model_fields.items()},
    }
    patterns = read.fields.get("exclude", ())
    return any(all(value in facts.get(key, ()) for key, value in pattern.items()) for pattern in patterns)
