"""A suite against the shelves: do its names, parameters and presets exist, and does what it pairs fit together?

Asks in three batches (modules, parameters, pairs), and imports nothing of what it asks about.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from dlbench.catalog import SINGULAR, Catalog, Shelf, did_you_mean
from dlbench.plan.ask import Ask
from dlbench.plan.entries import ReadDataset, ReadModel, ReadTask
from dlbench.plan.grammar import ReadSuite
from dlbench.plan.nodes import Problems, Spot
from dlbench.plan.words import tell, unknown_key
from dlbench.schema.base import Json
from dlbench.schema.said import Error
from dlbench.schema.suite import DatasetEntry, ModelEntry, TaskEntry

Use = ReadTask | ReadDataset | ReadModel
Entry = TaskEntry | DatasetEntry | ModelEntry


@dataclass
class Shelves:
    """What is known of the modules that a suite names.

    Attributes:
        answers: (shelf, name) → answer of describe, for modules that can be used.
    """

    answers: dict[tuple[str, str], dict[str, Json]] = field(default_factory=dict)

    def knows(self, entry: Entry) -> bool:
        """Whether the module behind an entry can be used."""
        return (shelf_of(entry), entry.name) in self.answers

    def schema(self, entry: Entry) -> dict[str, Json]:
        """JSON schema of an entry's parameters; empty if it is not known."""
        schema: dict[str, Json] = self.answers.get((shelf_of(entry), entry.name), {}).get("schema", {})
        return schema

    def parameters(self, entry: Entry) -> tuple[str, ...]:
        """Names of the parameters that an entry can have; none if it is not known."""
        return tuple(self.schema(entry).get("properties", ()))

    def defaults(self, entry: Entry) -> dict[str, Json]:
        """Parameters of an entry as far as they can be told without validating them: defaults, preset, its own."""
        answer = self.answers.get((shelf_of(entry), entry.name), {})
        preset = answer.get("presets", {}).get(entry.preset, {}) if isinstance(entry, ModelEntry) else {}
        return {**answer.get("defaults", {}), **preset, **entry.params}

    def datasets(self, task: ReadTask) -> tuple[DatasetEntry, ...]:
        """The datasets of a task in order of preference: the suite's, or else the task's own."""
        if task.entry.dataset:
            return task.entry.dataset
        names = self.answers.get(("tasks", task.entry.name), {}).get("datasets", ())
        return tuple(DatasetEntry(name=name) for name in names)


def shelf_of(entry: Entry) -> Shelf:
    """The shelf of an entry's module."""
    if isinstance(entry, TaskEntry):
        return "tasks"
    return "datasets" if isinstance(entry, DatasetEntry) else "models"


def ask_modules(read: ReadSuite, catalog: Catalog, describe: Ask, problems: Problems) -> Shelves:
    """Ask about every module that the suite names; unknown and broken ones are noted."""
    uses: dict[tuple[Shelf, str], Spot] = {}
    for use in _uses(read):
        shelf, name = shelf_of(use.entry), use.entry.name
        if name in catalog.names(shelf):
            uses.setdefault((shelf, name), use.spot)
        else:
            problems.add(use.spot, catalog.unknown(shelf, name), f"`dlbench list {shelf}` shows all of them.")
    wanted: list[tuple[Shelf, str]] = list(uses)
    if any(key.startswith("dataset.") for key in read.fields.get("vary", {})):  # a task's own list is not known yet
        wanted += [("datasets", name) for name in catalog.names("datasets") if ("datasets", name) not in uses]
    requests = [{"what": "module", "shelf": shelf, "name": name, "plugins": read.plugins} for shelf, name in wanted]
    shelves = Shelves()
    for key, answer in zip(wanted, describe(requests) if requests else (), strict=True):
        if "error" not in answer:
            shelves.answers[key] = answer
        elif key in uses:
            problems.add(uses[key], f"the {SINGULAR[key[0]]} {key[1]!r} cannot be used: {_one_line(answer['error'])}")
    return shelves


def _uses(read: ReadSuite) -> Iterable[Use]:
    for task in read.tasks:
        yield task
        yield from task.datasets
    yield from read.all_models


def check_fit(read: ReadSuite, shelves: Shelves, problems: Problems) -> None:
    """Note presets that do not exist, and datasets that are not for their task."""
    for model in read.all_models:
        presets = shelves.answers.get(("models", model.entry.name), {}).get("presets", {})
        if shelves.knows(model.entry) and model.entry.preset is not None and model.entry.preset not in presets:
            near = did_you_mean(model.entry.preset, presets) or f" It has: {', '.join(presets) or 'none'}."
            text = f"the model {model.entry.name!r} has no preset {model.entry.preset!r}.{near}"
            problems.add(model.spot.at("preset"), text)
    for task in read.tasks:
        for dataset in task.datasets:
            answer = shelves.answers.get(("datasets", dataset.entry.name))
            if answer is not None and shelves.knows(task.entry) and task.entry.name not in answer["tasks"]:
                fits = ", ".join(shelves.answers["tasks", task.entry.name]["datasets"])
                text = f"the dataset {dataset.entry.name!r} is not for {task.entry.name}; by default that uses {fits}."
                problems.add(dataset.spot, text)


@dataclass(frozen=True)
class Probe:
    """Parameters to be validated, and where their errors belong.

    Attributes:
        spot: the entry, or one varied value.
        varied: name of the parameter that the value is of.
        alone: nothing else that varies can mend an error that concerns several parameters.
    """

    entry: Entry
    params: dict[str, Json]
    spot: Spot
    varied: str | None = None
    alone: bool = True


def check_params(read: ReadSuite, shelves: Shelves, describe: Ask, problems: Problems, *, values: bool) -> set[str]:
    """Validate the parameters of every entry and, if asked for, every value that varies.

    Returns:
        Paths of the entries whose parameters are wrong.
    """
    probes = [Probe(use.entry, use.entry.params, use.spot) for use in _uses(read) if shelves.knows(use.entry)]
    probes += _varied_probes(read, shelves, problems, values=values)
    requests = [probe_request(probe, shelves, read.plugins) for probe in probes]
    answers = ask_once(requests, describe)
    wrong = set()
    for probe, answer in zip(probes, answers, strict=True):
        if errors := _errors(answer):
            wrong.add(probe.spot.path)
        if probe.varied is None:
            _tell_own(probe, errors, read, shelves, problems)
        else:
            tell_varied(probe, answer, problems)
    return wrong


def _errors(answer: dict[str, Json]) -> list[Error]:
    """Errors of an answer; a validator of a plugin that breaks is one, too."""
    if "error" in answer:
        return [{"loc": (), "message": _one_line(answer["error"]), "type": "value_error"}]
    errors: list[Error] = answer["errors"]
    return errors


def probe_request(probe: Probe, shelves: Shelves, plugins: Json) -> dict[str, Json]:
    """The question whether an entry's module takes these parameters."""
    shelf = shelf_of(probe.entry)
    preset = probe.entry.preset if isinstance(probe.entry, ModelEntry) else None
    if preset not in shelves.answers[shelf, probe.entry.name].get("presets", {}):
        preset = None
    names = {"what": "params", "shelf": shelf, "name": probe.entry.name}
    return {**names, "preset": preset, "params": probe.params, "plugins": plugins}


def _tell_own(probe: Probe, errors: Sequence[Error], read: ReadSuite, shelves: Shelves, problems: Problems) -> None:
    """Note errors of an entry's own parameters; a missing one may be given by what varies."""
    prefix = f"{SINGULAR[shelf_of(probe.entry)]}."
    varied = {key for key in _varied_for(probe.entry, read) if key.startswith(prefix)}
    kept = [e for e in errors if not (e["type"] == "missing" and e["loc"] and f"{prefix}{e['loc'][0]}" in varied)]
    lead = f"{probe.entry.name} has no parameter"
    tell(problems, probe.spot.at("params"), kept, shelves.parameters(probe.entry), lead)


def tell_varied(probe: Probe, answer: dict[str, Json], problems: Problems) -> None:
    """Note errors of one varied value; those of other parameters belong to the entry."""
    errors = _errors(answer)
    own = [{**e, "loc": e["loc"][1:]} for e in errors if e["loc"] and e["loc"][0] == probe.varied]
    whole = [e for e in errors if not e["loc"]] if probe.alone else []
    tell(problems, probe.spot, [*own, *whole], prefix=f"for {probe.entry.name}: ")


def _varied_for(entry: Entry, read: ReadSuite) -> dict[str, tuple[Json, ...]]:
    return read.varied(entry) if isinstance(entry, ModelEntry) else read.fields.get("vary", {})


def _varied_probes(read: ReadSuite, shelves: Shelves, problems: Problems, *, values: bool) -> Iterable[Probe]:
    """A probe for each value that varies and each entry that has this parameter; unknown parameters are noted."""
    suite_vary = read.root.child("vary")
    owners: dict[str, list[Entry]] = {
        "model": [model.entry for model in read.all_models],
        "task": [task.entry for task in read.tasks],
        "dataset": [dataset for task in read.tasks for dataset in shelves.datasets(task)],
    }
    levels = [(suite_vary, read.fields.get("vary", {}), owners)] if suite_vary is not None else []
    for model in read.all_models:
        if (spot := model.spot.child("vary")) is not None:
            levels.append((spot, model.entry.vary, {**owners, "model": [model.entry]}))
    for spot, varied, candidates in levels:
        for key in varied:
            kind, dot, name = key.partition(".")
            if not dot or kind not in candidates:
                continue
            having = [entry for entry in candidates[kind] if name in shelves.parameters(entry)]
            if not having and all(shelves.knows(entry) for entry in candidates[kind]):
                known = {f"{kind}.{p}": None for entry in candidates[kind] for p in shelves.parameters(entry)}
                unknown_key(problems, spot, key, known, f"no {kind} of this suite has the parameter")
            for entry in having if values else ():
                alone = _alone(kind, entry, read)
                for item in spot.at(key).items():
                    yield Probe(entry, {**entry.params, name: item.node.plain()}, item, name, alone)


def _alone(kind: str, entry: Entry, read: ReadSuite) -> bool:
    """Whether one parameter varies, in all combinations: then a value that does not fit the others never will."""
    varied = [key for key in _varied_for(entry, read) if key.startswith(f"{kind}.")]
    return len(varied) == 1 and not read.fields.get("exclude")


def check_pairs(read: ReadSuite, shelves: Shelves, wrong: set[str], describe: Ask, problems: Problems) -> None:
    """Note models that cannot do a task that they stand under."""
    pairs: list[tuple[ReadTask, ReadModel]] = []
    requests: list[dict[str, Json]] = []
    for task in read.tasks:
        for model in read.models_of(task):
            usable = shelves.knows(task.entry) and shelves.knows(model.entry)
            if not usable or task.spot.path in wrong or model.spot.path in wrong:
                continue
            pairs.append((task, model))
            about_task = {"name": task.entry.name, "params": task.entry.params}
            about_model = {"name": model.entry.name, "preset": model.entry.preset, "params": model.entry.params}
            requests.append({"what": "pair", "task": about_task, "model": about_model, "plugins": read.plugins})
    for (task, model), answer in zip(pairs, ask_once(requests, describe), strict=True):
        if "error" in answer:
            text = f"whether it can do {task.entry.name} cannot be told: {_one_line(answer['error'])}"
            problems.add(model.spot, text)
        elif not answer["accepts"]:
            text = f"the model {model.entry.name!r} cannot do {task.entry.name} ({answer['offers']})."
            problems.add(model.spot, text, "`models:` below a task names the models of this task alone.")


def ask_once(requests: Sequence[dict[str, Json]], describe: Ask) -> list[dict[str, Json]]:
    """Answers to requests, equal ones asked once; no request, no call."""
    keys = [json.dumps(request, sort_keys=True) for request in requests]
    distinct = dict(zip(keys, requests, strict=True))
    if not distinct:
        return []
    answers = dict(zip(distinct, describe(list(distinct.values())), strict=True))
    return [answers[key] for key in keys]


def _one_line(text: str) -> str:
    return " ".join(str(text).split())
