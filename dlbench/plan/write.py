"""A suite → the YAML that a person would have written: short forms, defaults left out, one line where it fits.

The opposite of `dlbench.plan.load`: reading what is written here gives the same suite.
"""

import io
import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from dlbench.plan.merge import default_label
from dlbench.plan.writing import search_block, seed_list, whole
from dlbench.schema.base import Json
from dlbench.schema.suite import CostSettings, DatasetEntry, ModelEntry, ReportSettings, Suite, TaskEntry

WIDTH = 110
"""A mapping or list stands on one line up to this length."""
_BLOCKS = frozenset({"tasks", "search"})
"""Keys below which lines are broken, whatever their length."""
_PLAIN = re.compile(r"[A-Za-z_/*][^\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]*")
_ITEM = "- "
"""Stands for the key of what is in a list."""
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
"""Text that some reader of YAML takes for something else."""
_TAGS = {"float": "tag:yaml.org,2002:float", "null": "tag:yaml.org,2002:null"}


def write_suite(suite: Suite) -> str:
    """A suite file."""
    tree = _suite(suite)
    yaml = YAML()
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.add_representer(
        float, lambda representer, value: representer.represent_scalar(_TAGS["float"], number_text(value))
    )
    yaml.representer.add_representer(
        type(None), lambda representer, value: representer.represent_scalar(_TAGS["null"], "null")
    )
    text = io.StringIO()
    yaml.dump(_styled(tree, 0), text)
    return text.getvalue()


def number_text(value: float) -> str:
    """A number as people write it: `3e-4`, `0.1`, `1.0`."""
    plain = repr(value)
    if 1e-2 <= abs(value) < 1e15 or value == 0:
        return plain
    mantissa, _, exponent = f"{value:.17e}".partition("e")
    digits = next(n for n in range(18) if float(f"{value:.{n}e}") == value)
    mantissa = f"{value:.{digits}e}".partition("e")[0]
    return f"{mantissa}e{int(exponent)}"


def _suite(suite: Suite) -> dict[str, Json]:
    found: dict[str, Json] = {"schema": 1, "name": suite.name}
    if suite.description:
        found["description"] = suite.description
    found["tasks"] = [_task(task) for task in suite.tasks]
    if suite.models:
        found["models"] = [_model(model) for model in suite.models]
    if suite.train:
        found["train"] = dict(suite.train)
    found |= {
        key: value for key, value in (("precision", suite.precision), ("device", suite.device)) if _set(key, value)
    }
    if suite.vary:
        found["vary"] = {axis: list(values) for axis, values in suite.vary.items()}
    if suite.exclude:
        found["exclude"] = [dict(pattern) for pattern in suite.exclude]
    if suite.search is not None:
        found["search"] = search_block(suite.search)
    if suite.seeds != (0,):
        found["seeds"] = seed_list(suite.seeds)
    found |= _cost(suite.cost)
    if suite.budget_s is not None:
        found["budget"] = whole(suite.budget_s)
    if suite.timeout_s is not None:
        found["timeout"] = whole(suite.timeout_s)
    if suite.plugins:
        found["plugins"] = {shelf: list(files) for shelf, files in suite.plugins.items()}
    if suite.report != ReportSettings():
        found["report"] = suite.report.model_dump(mode="json", exclude_defaults=True)
    return found


def _set(key: str, value: Json) -> bool:
    return bool(value != Suite.model_fields[key].default)


def _cost(cost: CostSettings | None) -> dict[str, Json]:
    if cost is None:
        return {"cost": False}
    changed = cost.model_dump(mode="json", exclude_defaults=True)
    return {"cost": changed} if changed else {}


def _task(task: TaskEntry) -> Json:
    below: dict[str, Json] = {}
    datasets = [_dataset(dataset) for dataset in task.dataset]
    if datasets:
        below["dataset"] = datasets[0] if len(datasets) == 1 else datasets
    if task.params:
        below["params"] = dict(task.params)
    if task.models is not None:
        below["models"] = [_model(model) for model in task.models]
    if task.train:
        below["train"] = dict(task.train)
    if task.name == "task":
        return {"task": task.name, **below}
    return {task.name: below} if below else task.name


def _dataset(dataset: DatasetEntry) -> Json:
    if dataset.name == "dataset":
        return {"dataset": dataset.name, "params": dict(dataset.params)}
    return {dataset.name: dict(dataset.params)} if dataset.params else dataset.name


def _model(model: ModelEntry) -> Json:
    own_label = model.label is not None and model.label != default_label(model.name, model.preset)
    params = dict(model.params)
    if own_label or model.vary or model.train or "preset" in params or model.name == "model":
        found: dict[str, Json] = {"model": model.name}
        found |= {"label": model.label} if own_label else {}
        found |= {"preset": model.preset} if model.preset is not None else {}
        found |= {"params": params} if params else {}
        found |= {"vary": {axis: list(values) for axis, values in model.vary.items()}} if model.vary else {}
        return {**found, "train": dict(model.train)} if model.train else found
    if model.preset is not None:
        params = {"preset": model.preset, **params}
    return {model.name: params} if params else model.name


def _styled(value: Json, indent: int, key: str = "") -> Any:
    """The value as ruamel.yaml writes it: on one line where that is short, else one item a line."""
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS and value == value.strip()
        return value if plain else DoubleQuotedScalarString(value)
    written: CommentedMap | CommentedSeq
    if isinstance(value, Mapping):
        written = CommentedMap((_key(k), _styled(v, indent + 2, k)) for k, v in value.items())
    elif isinstance(value, list | tuple):
        written = CommentedSeq(_styled(item, indent + 4, _ITEM) for item in value)
    else:
        return value
    models = key == "models" and any(isinstance(item, Mapping) for item in value)
    named = key == _ITEM and len(value) == 1 and isinstance(value, Mapping)  # `- lstm: {layers: 2}`
    if key not in _BLOCKS and (indent or key) and not models and not named and _fits(value, indent, key):
        written.fa.set_flow_style()
    else:
        written.fa.set_block_style()
    return written


def _key(key: str) -> str:
    return key if _PLAIN.fullmatch(key) and key.lower() not in _WORDS else DoubleQuotedScalarString(key)


def _fits(value: Json, indent: int, key: str) -> bool:
    return indent + len(key) + len(_flat(value)) <= WIDTH


def _flat(value: Json) -> str:
    """Roughly what stands on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flat(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_flat, value))}]"
    return number_text(value) if isinstance(value, float) else str(value)
