"""JSON Schema (draft 2020-12) of a suite as users write it, so that editors complete and check while they type.

Made from the same values that reading checks against, and from what describe says of the shelves. It can be laxer
than reading (an editor cannot pair models and tasks), never stricter.
"""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from dlbench.catalog import SHELVES, SINGULAR, Catalog, Shelf
from dlbench.plan.ask import Ask
from dlbench.plan.searchschema import search_schema
from dlbench.schema.base import Json
from dlbench.schema.suite import AskedPrecision, CostSettings, Device, Name, Precision, ReportSettings
from dlbench.schema.train import TrainSettings

Schema = dict[str, Json]
_SHELVES: tuple[Shelf, ...] = ("tasks", "datasets", "models")
_DURATION: Schema = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "string", "pattern": r"^\s*(\d+(\.\d+)?\s*[dhms]\s*)+$"},
    ]
}
_PRECISION = (
    "Number format of the computation. tf32: tensor cores; bf16, fp16: autocast over fp32 weights; bf16_pure: weights, "
    "gradients and the optimiser's state too; fp8: linear layers, by torchao, the rest as bf16; fp8_emulated: the same "
    "rounding without the hardware; int8: trained in fp32, quantised for inference; auto: bf16 where the device has "
    "it, else fp32."
)


def suite_schema(catalog: Catalog, describe: Ask) -> Schema:
    """The schema of a suite over all that is on the shelves; modules that cannot be used are left out."""
    wanted = [(shelf, name) for shelf in _SHELVES for name in catalog.names(shelf)]
    requests = [{"what": "module", "shelf": s, "name": n, "plugins": catalog.plugins} for s, n in wanted]
    answers = dict(zip(wanted, describe(requests) if requests else (), strict=True))
    known = {key: answer for key, answer in answers.items() if "error" not in answer}
    return _Maker(catalog, known).suite()


class _Maker:
    """Builds the schema; what is used in several places goes to `$defs`."""

    def __init__(self, catalog: Catalog, known: Mapping[tuple[Shelf, str], Mapping[str, Json]]) -> None:
        self._catalog = catalog
        self._known = known
        self._defs: Schema = {}

    def suite(self) -> Schema:
        for shelf, name in self._known:
            self._define_params(shelf, name)
        self._defs["train"] = {**_of(TrainSettings), "description": "Budget, optimiser, schedule and stopping."}
        self._defs["model"] = self._model()
        vary = self._vary()
        models = _list_of({"$ref": "#/$defs/model"}, "What is compared.")
        task = self._task(models)
        properties = {
            "schema": {"const": 1, "description": "Format of this file."},
            "name": {**_of(Name), "description": "Names the report's folder and the MLflow experiment."},
            "description": {"type": "string", "description": "The question, in a sentence for the report."},
            "tasks": _list_of(task, "What the models are trained to do, and on which data."),
            "models": models,
            "train": {"$ref": "#/$defs/train"},
            "precision": {**_of(AskedPrecision), "description": _PRECISION, "default": "fp32"},
            "device": {**_of(Device), "description": "auto, cpu, cuda or cuda:N.", "default": "auto"},
            "vary": vary,
            "exclude": {
                "type": "array",
                "items": {"type": "object", "minProperties": 1},
                "description": "Combinations to leave out, such as {model: linear, precision: bf16}.",
            },
            "seeds": {
                "anyOf": [
                    {"type": "integer", "minimum": 0},
                    _list_of({"type": "integer", "minimum": 0, "exclusiveMaximum": 2**31}, "The seeds.", unique=True),
                ],
                "description": "How many times each contender is trained (0: costs alone), or the seeds themselves.",
            },
            "cost": {
                "anyOf": [{"type": "boolean"}, _of(CostSettings)],
                "description": "What is measured of speed and memory; false: nothing.",
            },
            "budget": {**_DURATION, "description": "Longest time of the whole run, such as 10m; the rest is trimmed."},
            "timeout": {**_DURATION, "description": "Longest time of one job."},
            "search": search_schema(vary, self._catalog.names("strategies")),
            "plugins": {
                "type": "object",
                "properties": {shelf: _list_of({"type": "string"}, f"Files with {shelf}.") for shelf in SHELVES},
                "additionalProperties": False,
                "description": "Python files of your own, each under its file name; relative to this file.",
            },
            "report": {**_of(ReportSettings), "description": "What the report declares."},
        }
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "dlbench suite",
            "type": "object",
            "properties": properties,
            "required": ["name", "tasks"],
            "additionalProperties": False,
            "$defs": self._defs,
        }

    def _names(self, shelf: Shelf) -> list[str]:
        return [name for own, name in self._known if own == shelf]

    def _define_params(self, shelf: Shelf, name: str) -> None:
        """`model.lstm`: parameters, and `model.lstm.…` for what they refer to."""
        key = f"{SINGULAR[shelf]}.{name}"
        text = json.dumps(self._known[shelf, name]["schema"]).replace('"#/$defs/', f'"#/$defs/{key}.')
        schema = _cleaned(json.loads(text))
        for below, value in schema.pop("$defs", {}).items():
            self._defs[f"{key}.{below}"] = value
        self._defs[key] = {**schema, "description": self._catalog.summary(shelf, name)}

    def _preset(self, model: str) -> Schema:
        presets = self._known["models", model].get("presets", {})
        return {"enum": list(presets), "description": "Parameters as in a paper; others go over them."}

    def _model(self) -> Schema:
        names = self._names("models")
        long: dict[str, Schema] = {
            "model": {"enum": names, "description": "The architecture."},
            "label": {"type": "string", "description": "What tables and figures call it."},
            "preset": {"type": "string"},
            "params": {"type": "object"},
            "vary": {"type": "object", "additionalProperties": _list_of({}, "Values.", unique=True)},
            "train": {"$ref": "#/$defs/train"},
        }
        of_its_own = [
            {
                "if": {"properties": {"model": {"const": name}}},
                "then": {"properties": {"preset": self._preset(name), "params": {"$ref": f"#/$defs/model.{name}"}}},
            }
            for name in names
        ]
        long_form = {**_closed(long), "required": ["model"], "allOf": of_its_own}
        if not names:
            del long_form["allOf"]
        return {"anyOf": [{"enum": names}, _one_of({name: self._short(name) for name in names}), long_form]}

    def _short(self, model: str) -> Schema:
        params = self._defs[f"model.{model}"]
        properties = {"preset": self._preset(model), **params.get("properties", {})}
        return {**_closed(properties), "description": params["description"]}

    def _task(self, models: Schema) -> Schema:
        names = self._names("tasks")
        settings = {name: self._task_settings(name, models) for name in names}
        return {"anyOf": [{"enum": names}, _one_of(settings), *_long("task", settings)]}

    def _task_settings(self, task: str, models: Schema) -> Schema:
        fits = [name for name in self._names("datasets") if task in self._known["datasets", name]["tasks"]]
        params: dict[str, Schema] = {name: {"$ref": f"#/$defs/dataset.{name}"} for name in fits}
        long = _long("dataset", {name: _closed({"params": schema}) for name, schema in params.items()})
        dataset = {"anyOf": [{"enum": fits}, _one_of(params), *long]}
        several = _list_of(dataset, "In order of preference: the first that can be had is used.")
        properties: dict[str, Schema] = {
            "dataset": {"anyOf": [*dataset["anyOf"], several], "description": "One, or several to choose from."},
            "params": {"$ref": f"#/$defs/task.{task}"},
            "models": {**models, "description": "Models for this task, instead of the suite's."},
            "train": {"$ref": "#/$defs/train"},
        }
        return {**_closed(properties), "description": self._catalog.summary("tasks", task)}

    def _vary(self) -> Schema:
        train = {f"train.{name}": field for name, field in self._defs["train"]["properties"].items()}
        values = {**train, "precision": _of(Precision), "device": _of(Device)}
        properties = {key: _list_of(schema, "Values.", unique=True) for key, schema in values.items()}
        for shelf, name in self._known:
            for parameter in self._defs[f"{SINGULAR[shelf]}.{name}"].get("properties", {}):
                properties[f"{SINGULAR[shelf]}.{parameter}"] = _list_of({}, "Values.", unique=True)
        return {**_closed(properties), "description": "Every combination of these values is a contender."}


def _of(kind: Any) -> Schema:
    schema: Schema = _cleaned(TypeAdapter(kind).json_schema())
    return schema


def _cleaned(schema: Json) -> Json:
    """Without titles and marks, which only repeat names and fill pop-ups."""
    if isinstance(schema, list):
        return [_cleaned(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {
        key: value
        for key, value in schema.items()
        if not (key == "cost" or (key == "title" and isinstance(value, str)))
    }
    return {
        key: {name: _cleaned(below) for name, below in value.items()}
        if key in ("properties", "$defs")
        else _cleaned(value)
        for key, value in kept.items()
    }


def _closed(properties: Mapping[str, Schema]) -> Schema:
    return {"type": "object", "properties": dict(properties), "additionalProperties": False}


def _one_of(properties: Mapping[str, Schema]) -> Schema:
    """`name: settings`, with one of the names; without settings the colon may stay."""
    nullable = {name: {"anyOf": [schema, {"type": "null"}]} for name, schema in properties.items()}
    return {**_closed(nullable), "minProperties": 1, "maxProperties": 1}


def _long(kind: str, settings: Mapping[str, Schema]) -> list[Schema]:
    """`kind: name` beside its settings, for each name."""
    return [
        {**below, "properties": {kind: {"const": name}, **below["properties"]}, "required": [kind]}
        for name, below in settings.items()
    ]


def _list_of(items: Schema, description: str, *, unique: bool = False) -> Schema:
    schema: Schema = {"type": "array", "items": items, "minItems": 1, "description": description}
    return {**schema, "uniqueItems": True} if unique else schema
