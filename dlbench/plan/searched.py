"""A suite's `search:` against the shelves: do its parameters exist, do its values fit, can its strategies search it?"""

from collections.abc import Iterable, Mapping
from typing import Any

from dlbench.catalog import Catalog
from dlbench.errors import UsageError
from dlbench.plan.ask import Ask
from dlbench.plan.entries import ReadModel, ReadTask
from dlbench.plan.fields import check_varied
from dlbench.plan.grammar import ReadSuite
from dlbench.plan.nodes import Node, Problems, Spot
from dlbench.plan.shelves import Entry, Probe, Shelves, ask_once, probe_request, tell_varied
from dlbench.plan.space import Searchable, space_of
from dlbench.plan.words import tell, unknown_key, validate
from dlbench.schema.base import Json
from dlbench.schema.search import PrunerEntry, SearchSettings, StrategyEntry
from dlbench.schema.space import Axis, Space
from dlbench.schema.train import TrainSettings
from dlbench.worker.table import names


def check_search(read: ReadSuite, shelves: Shelves, catalog: Catalog, describe: Ask, problems: Problems) -> None:
    """Note what is wrong with the search; put complete settings in its place."""
    settings: SearchSettings | None = read.fields.get("search")
    if settings is None:
        return
    at = read.root.at("search")
    _check_seeds(settings, read, problems)
    if settings.space is not None:
        axes = [_typed(axis, _schemas(axis.name, read, shelves)) for axis in settings.space]
        _check_axes(axes, read, shelves, describe, problems)
        settings = settings.model_copy(update={"space": tuple(axes)})
    settings = settings.model_copy(update={"strategies": _complete(settings, catalog, at.at("strategy"), problems)})
    _check_pruners(settings, at, problems)
    _check_scores(settings, read, shelves, at, problems)
    if settings.table is not None and settings.table not in names():
        unknown_key(problems, at.at("table"), settings.table, names(), "there is no table")
    if not problems:
        _check_spaces(settings, read, shelves, catalog, describe, problems)
    read.fields["search"] = settings


def _check_seeds(settings: SearchSettings, read: ReadSuite, problems: Problems) -> None:
    """Note seeds that would choose a winner and judge it."""
    judges = settings.studies if settings.wide else read.fields.get("seeds", (0,))
    if not judges:
        problems.add(read.root.at("seeds"), "a search trains its winners again: give at least one seed.")
    both = sorted(set(settings.seeds) & set(judges))
    if both and settings.winners:
        where = read.root.at("search", "seeds")
        whose = "study_seeds" if settings.wide else "the suite's seeds"
        text = f"seed {both[0]} would choose the winner and judge it, as one of {whose}: give a number of seeds."
        problems.add(where, text)


# --- axes -----------------------------------------------------------------------------------------------------


def _owners(read: ReadSuite, shelves: Shelves) -> dict[str, list[Entry]]:
    return {
        "model": [model.entry for model in read.all_models],
        "task": [task.entry for task in read.tasks],
        "dataset": [dataset for task in read.tasks for dataset in shelves.datasets(task)],
    }


def _having(name: str, read: ReadSuite, shelves: Shelves) -> list[Entry]:
    """Entries that have the parameter that an axis names."""
    head, _, parameter = name.partition(".")
    return [entry for entry in _owners(read, shelves).get(head, ()) if parameter in shelves.parameters(entry)]


def _schemas(name: str, read: ReadSuite, shelves: Shelves) -> Iterable[Mapping[str, Json]]:
    """JSON schemas of the setting or parameter that an axis names."""
    head, _, parameter = name.partition(".")
    if head == "train":
        return [TrainSettings.model_json_schema()["properties"].get(parameter, {})]
    return [shelves.schema(entry).get("properties", {}).get(parameter, {}) for entry in _having(name, read, shelves)]


def _typed(axis: Axis, schemas: Iterable[Mapping[str, Json]]) -> Axis:
    """The axis with whole numbers where the parameter wants them, and with others where it takes them."""
    if axis.choices is not None:
        return axis
    kinds = {option.get("type") for schema in schemas for option in (schema, *schema.get("anyOf", ()))} - {None, "null"}
    if kinds == {"number"}:
        return axis.model_copy(update={"integer": False})
    return axis.model_copy(update={"integer": True}) if kinds == {"integer"} else axis


def _check_axes(axes: Iterable[Axis], read: ReadSuite, shelves: Shelves, describe: Ask, problems: Problems) -> None:
    spot = read.root.at("search", "space")
    owners = _owners(read, shelves)
    probes: list[Probe] = []
    for axis in axes:
        head, _, parameter = axis.name.partition(".")
        below = spot.at(axis.name)
        if head == "dataset":
            problems.add(below, "the data that judges candidates cannot be searched: scores on it would not compare.")
            continue
        if axis.name in read.fields.get("vary", {}):
            problems.add(below, f"{axis.name} stands in `vary:` as well; what is searched needs no list there.")
        if head not in owners:
            for value in _ends(axis, below):
                check_varied(axis.name, value, problems)
            continue
        having = _having(axis.name, read, shelves)
        if not having and all(shelves.knows(entry) for entry in owners[head]):
            known = {f"{head}.{name}": None for entry in owners[head] for name in shelves.parameters(entry)}
            unknown_key(problems, spot, axis.name, known, f"no {head} of this suite has the parameter")
        ends = _ends(axis, below)
        if axis.choices is None and axis.integer and any(isinstance(end.node.value, float) for end in ends):
            problems.add(below, f"{axis.name} is a whole number: give whole numbers as low, high and step.")
            continue
        probes += [
            Probe(entry, {**entry.params, parameter: end.node.plain()}, end, parameter, alone=False)
            for entry in having
            for end in ends
        ]
    answers = ask_once([probe_request(probe, shelves, read.plugins) for probe in probes], describe)
    for probe, answer in zip(probes, answers, strict=True):
        tell_varied(probe, answer, problems)


def _ends(axis: Axis, spot: Spot) -> list[Spot]:
    """Where the values of an axis stand that show whether all of it fits: every choice, or both ends."""
    if axis.choices is not None:
        listed = spot if isinstance(spot.node.value, tuple) else spot.at("choices")
        return list(listed.items())
    ends = [spot.at("low"), spot.at("high")]
    if axis.integer:
        return ends
    return [Spot(Node(e.node.place, float(e.node.value)), e.place, e.path) for e in ends]  # type: ignore[arg-type]


# --- strategies and pruners -----------------------------------------------------------------------------------


def _complete(settings: SearchSettings, catalog: Catalog, spot: Spot, problems: Problems) -> tuple[StrategyEntry, ...]:
    """Strategies with all their parameters."""
    items = list(spot.items()) or [spot]
    return tuple(
        _completed(entry, catalog, item, problems) for entry, item in zip(settings.strategies, items, strict=False)
    )


def _completed(entry: StrategyEntry, catalog: Catalog, spot: Spot, problems: Problems) -> StrategyEntry:
    if entry.name not in catalog.names("strategies"):
        problems.add(spot, catalog.unknown("strategies", entry.name), "`dlbench list strategies` shows all of them.")
        return entry
    module: Any = catalog.load("strategies", entry.name)
    params, errors = validate(module.Params, entry.params)
    below = spot.at("params") if spot.child("params") is not None else spot.at(entry.name)
    lead = f"the strategy {entry.name} has no parameter"
    tell(problems, below, errors, module.Params.model_fields, lead, prefix=f"for {entry.name}: ")
    return entry if params is None else entry.model_copy(update={"params": params.model_dump(mode="json")})


def _check_pruners(settings: SearchSettings, spot: Spot, problems: Problems) -> None:
    if settings.pruner is not None:
        _check_pruner(settings.pruner, settings, spot.at("pruner"), problems)
    for strategy in settings.strategies:
        if strategy.pruner is not None:
            _check_pruner(strategy.pruner, settings, spot.at("strategy"), problems)


def _check_pruner(pruner: PrunerEntry, settings: SearchSettings, spot: Spot, problems: Problems) -> None:
    from dlbench.strategies._pruning import PARAMS  # optuna comes with it

    kind = PARAMS[pruner.name]
    _, errors = validate(kind, pruner.params)
    tell(problems, spot.at(pruner.name), errors, kind.model_fields, f"the pruner {pruner.name} has no parameter")
    metrics = [objective.metric for objective in settings.objectives]
    if pruner.on is not None and pruner.on not in (*metrics, "pareto"):
        unknown_key(problems, spot, pruner.on, [*metrics, "pareto"], "it judges an objective, and there is none called")
    if pruner.name == "wilcoxon" and len(settings.seeds) < 2:
        problems.add(spot, "wilcoxon compares seeds: give the search several (`seeds: 5`).")


def _check_scores(settings: SearchSettings, read: ReadSuite, shelves: Shelves, at: Spot, problems: Problems) -> None:
    """Note scores of the validation split that a task of the suite does not give."""
    tasks = [task.entry for task in read.tasks if shelves.knows(task.entry)]
    named = [(at.at("objectives", place), each.metric) for place, each in enumerate(settings.objectives)]
    named += [(at.at("constraints", each.metric), each.metric) for each in settings.constraints]
    for task in tasks:
        known = [f"val_{name}" for name in shelves.answers["tasks", task.name].get("scores", ())]
        for where, metric in named:
            if metric.startswith("val_") and known and metric not in known:
                unknown_key(problems, where, metric, known, f"{task.name} gives no score")


# --- whole spaces ---------------------------------------------------------------------------------------------


def _check_spaces(
    settings: SearchSettings, read: ReadSuite, shelves: Shelves, catalog: Catalog, describe: Ask, problems: Problems
) -> None:
    at = read.root.at("search")
    varied = [read.fields.get("vary", {}), *(model.entry.vary for model in read.all_models)]
    if any(key.startswith("dataset.") for keys in varied for key in keys):
        problems.add(read.root.at("vary"), "a search cannot vary the data that judges its candidates.")
        return
    for task in read.tasks:
        models = read.models_of(task)
        having = {
            "task": shelves.parameters(task.entry),
            "dataset": [name for dataset in shelves.datasets(task) for name in shelves.parameters(dataset)],
        }
        try:
            facts = searchables(models, shelves, read, describe)
            space = space_of(settings, facts, read.fields.get("vary", {}), having)
        except UsageError as error:
            problems.add(at.at("space"), str(error))
            continue
        if not space.axes:
            text = f"nothing is searched on {task.entry.name}: give a `space:`, a `vary:`, or several models."
            problems.add(at, text, "`dlbench show model NAME` shows what can be searched of a model.")
            continue
        _check_points(settings, space, task, at, problems)
        for entry in settings.strategies:
            module: Any = catalog.load("strategies", entry.name)
            why = module.complaint(module.Params.model_validate(entry.params), space)
            if why is None and len(settings.objectives) > 1 and not module.MANY:
                why = "it searches for one objective only"
            if why is not None:
                problems.add(at.at("strategy"), f"{entry.name} cannot search this: {why}.")


def searchables(models: Iterable[ReadModel], shelves: Shelves, read: ReadSuite, describe: Ask) -> list[Searchable]:
    """What a space needs to know of models."""
    entries = [model.entry for model in models]
    requests: list[dict[str, Json]] = [
        {"what": "space", "name": e.name, "preset": e.preset, "params": e.params, "plugins": read.plugins}
        for e in entries
    ]
    return [
        Searchable(entry.label or entry.name, shelves.parameters(entry), answer.get("space", {}), entry.vary)
        for entry, answer in zip(entries, ask_once(requests, describe), strict=True)
    ]


def _check_points(settings: SearchSettings, space: Space, task: ReadTask, at: Spot, problems: Problems) -> None:
    for index, point in enumerate(settings.first):
        why = space.complaint(point)
        if why is not None:
            problems.add(at.at("first", index), f"is no candidate on {task.entry.name}: {why}.")
