"""Readers of tasks, datasets and models in their long form, each kept beside the spot where it stands."""

from dataclasses import dataclass

from dlbench.catalog import did_you_mean
from dlbench.plan.fields import is_list, is_mapping, read_keys, read_train, read_vary
from dlbench.plan.merge import default_label
from dlbench.plan.nodes import Problems, Spot
from dlbench.plan.shorthand import ITEM_KEYS
from dlbench.plan.words import expected, show
from dlbench.schema.base import Json
from dlbench.schema.suite import DatasetEntry, ModelEntry, TaskEntry

_FORMS = {
    "task": "a name, or `name: {dataset: …, params: …, models: …, train: …}`",
    "dataset": "a name, or `name: {parameter: value}`",
    "model": "a name, `name: {parameter: value}`, or `model: name` with label, preset, params, vary and train",
}


@dataclass(frozen=True)
class ReadDataset:
    """A dataset and where it stands."""

    entry: DatasetEntry
    spot: Spot


@dataclass(frozen=True)
class ReadModel:
    """A model and where it stands."""

    entry: ModelEntry
    spot: Spot


@dataclass(frozen=True)
class ReadTask:
    """A task and where it stands; `models` is None where the suite's own stand."""

    entry: TaskEntry
    spot: Spot
    datasets: tuple[ReadDataset, ...]
    models: tuple[ReadModel, ...] | None


def read_tasks(spot: Spot, problems: Problems) -> tuple[ReadTask, ...]:
    """A `tasks:` list."""
    if not is_list(spot, problems):
        return ()
    return tuple(read for item in spot.items() if (read := _task(item, problems)) is not None)


def read_models(spot: Spot, problems: Problems) -> tuple[ReadModel, ...]:
    """A `models:` list, of the suite or of a task; each has a label, which no other has."""
    if not is_list(spot, problems):
        return ()
    models = tuple(read for item in spot.items() if (read := _model(item, problems)) is not None)
    first: dict[str | None, Spot] = {}
    for model in models:
        label = model.entry.label or ""
        if not label.isprintable():
            problems.add(model.spot, f"the label {label!r} has characters that cannot be shown; take one line of text")
        if label in first:
            text = f"two models are called {label!r}, this one and {first[label].path}; give one a `label:`."
            problems.add(model.spot, text)
        first.setdefault(label, model.spot)
    return models


def _parts(kind: str, spot: Spot, problems: Problems) -> tuple[str, dict[str, Spot]] | None:
    """The name of an item, and what stands under its other keys."""
    value = spot.node.value
    if not isinstance(value, dict) or kind not in value:
        _refuse_item(kind, spot, problems)
        return None
    parts = read_keys(spot, ITEM_KEYS[kind], problems)
    name = parts.pop(kind, spot).node.value
    if not isinstance(name, str) or not name:
        expected(problems, spot.at(kind), f"the name of a {kind}")
        return None
    return name, parts


def _refuse_item(kind: str, spot: Spot, problems: Problems) -> None:
    """An item of no known form: say what is likely wrong with it."""
    value = spot.node.value
    if isinstance(value, dict) and len(value) == 1:
        ((name, below),) = value.items()
        problems.add(spot, f"must be {_FORMS[kind]}, not {name!r} with {show(below.plain())} below it.")
    elif isinstance(value, dict) and value:
        near = next((key for key in value if did_you_mean(kind, [key])), None)
        wrong = f"Did you mean {kind!r} by {near!r}?" if near else f"Several keys need one called `{kind}`."
        problems.add(spot, f"a {kind} is {_FORMS[kind]}. {wrong}")
    else:
        expected(problems, spot, _FORMS[kind])


def _params(parts: dict[str, Spot], problems: Problems) -> dict[str, Json]:
    if "params" not in parts or not is_mapping(parts["params"], problems):
        return {}
    params: dict[str, Json] = parts["params"].node.plain()
    return params


def _text(key: str, parts: dict[str, Spot], problems: Problems) -> str | None:
    if key not in parts:
        return None
    value = parts[key].node.value
    if isinstance(value, str) and value.strip():
        return value
    expected(problems, parts[key], "text")
    return None


def _task(spot: Spot, problems: Problems) -> ReadTask | None:
    if (found := _parts("task", spot, problems)) is None:
        return None
    name, parts = found
    datasets = []
    if "dataset" in parts and is_list(parts["dataset"], problems):
        datasets = [read for item in parts["dataset"].items() if (read := _dataset(item, problems)) is not None]
    models = read_models(parts["models"], problems) if "models" in parts else None
    entry = TaskEntry(
        name=name,
        dataset=tuple(dataset.entry for dataset in datasets),
        params=_params(parts, problems),
        models=None if models is None else tuple(model.entry for model in models),
        train=read_train(parts["train"], problems) if "train" in parts else {},
    )
    return ReadTask(entry, spot, tuple(datasets), models)


def _dataset(spot: Spot, problems: Problems) -> ReadDataset | None:
    if (found := _parts("dataset", spot, problems)) is None:
        return None
    name, parts = found
    return ReadDataset(DatasetEntry(name=name, params=_params(parts, problems)), spot)


def _model(spot: Spot, problems: Problems) -> ReadModel | None:
    if (found := _parts("model", spot, problems)) is None:
        return None
    name, parts = found
    preset = _text("preset", parts, problems)
    entry = ModelEntry(
        name=name,
        label=_text("label", parts, problems) or default_label(name, preset),
        preset=preset,
        params=_params(parts, problems),
        vary=read_vary(parts["vary"], problems) if "vary" in parts else {},
        train=read_train(parts["train"], problems) if "train" in parts else {},
    )
    return ReadModel(entry, spot)
