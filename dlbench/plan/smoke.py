"""A suite cut down to a few seconds: does everything in it work at all?"""

from collections.abc import Collection, Mapping

from dlbench.plan.ask import Ask
from dlbench.plan.merge import BUDGETS
from dlbench.schema.base import Json
from dlbench.schema.search import SearchBudget, SearchSettings, StrategyEntry
from dlbench.schema.suite import DatasetEntry, ModelEntry, Suite, TaskEntry

STEPS = 3
BATCH = 8
QUICK = {"rounds": 1, "threads": 1, "limit_s": 0.02, "largest_batch": False}
"""Of cost jobs only whether they can be done matters."""
COST_BATCH = 2
SIZES = {"train_size": 128, "val_size": 32, "test_size": 64}
"""Examples of data whose size can be chosen: untrained models that write go on until they may no longer."""
CANDIDATES = 2
"""Of each study."""
LEFT_OUT = (*BUDGETS, "batch_size", "target", "stop_at_target", "evaluate_every", "patience")


def smoke(suite: Suite, describe: Ask) -> Suite:
    """The same suite with one seed, three small steps, one cost round, two candidates a study, and little data where
    that can be chosen; of what varies, the planner takes the first.
    """
    sized = _sized(suite, describe)
    small = suite.cost and min(COST_BATCH, *suite.cost.batch_sizes)
    cost = suite.cost and suite.cost.model_copy(update={**QUICK, "batch_sizes": (small,)})
    return suite.model_copy(
        update={
            "tasks": tuple(_task(task, sized) for task in suite.tasks),
            "models": tuple(_model(model) for model in suite.models),
            "train": {**_train(suite.train), "steps": STEPS, "batch_size": BATCH},
            "vary": _unbudgeted(suite.vary),
            "seeds": suite.seeds[:1],
            "cost": cost,
            "budget_s": None,
            "search": suite.search and _search(suite.search),
        }
    )


def _search(search: SearchSettings) -> SearchSettings:
    few = {"seeds": search.seeds[:1], "studies": search.studies[:1], "warm_start": (), "table": None}
    strategies = tuple(_strategy(strategy) for strategy in search.strategies)
    pruner = None if search.pruner is not None and search.pruner.name == "wilcoxon" else search.pruner
    budget = SearchBudget(trials=CANDIDATES)
    return search.model_copy(update={**few, "strategies": strategies, "pruner": pruner, "budget": budget})


def _strategy(strategy: StrategyEntry) -> StrategyEntry:
    """Without budgets of trainings of its own."""
    params = {key: None if key in BUDGETS else value for key, value in strategy.params.items()}
    return strategy.model_copy(update={"times": 1.0, "params": params})


def _task(task: TaskEntry, sized: Mapping[str, Collection[str]]) -> TaskEntry:
    models = task.models and tuple(_model(model) for model in task.models)
    dataset = tuple(_dataset(entry, sized.get(entry.name, ())) for entry in task.dataset)
    return task.model_copy(update={"models": models, "dataset": dataset, "train": _train(task.train)})


def _sized(suite: Suite, describe: Ask) -> dict[str, list[str]]:
    """Dataset → the sizes that it lets one choose."""
    names = sorted({entry.name for task in suite.tasks for entry in task.dataset})
    requests = [{"what": "module", "shelf": "datasets", "name": name, "plugins": suite.plugins} for name in names]
    known = zip(names, describe(requests) if requests else (), strict=True)
    return {
        name: [size for size in SIZES if size in answer.get("schema", {}).get("properties", {})]
        for name, answer in known
    }


def _dataset(entry: DatasetEntry, sizes: Collection[str]) -> DatasetEntry:
    few = {size: min(SIZES[size], entry.params.get(size) or SIZES[size]) for size in sizes}
    return entry.model_copy(update={"params": {**entry.params, **few}})


def _model(model: ModelEntry) -> ModelEntry:
    return model.model_copy(update={"vary": _unbudgeted(model.vary), "train": _train(model.train)})


def _train(settings: dict[str, Json]) -> dict[str, Json]:
    return {key: value for key, value in settings.items() if key not in LEFT_OUT}


def _unbudgeted(vary: dict[str, tuple[Json, ...]]) -> dict[str, tuple[Json, ...]]:
    budgets = {f"train.{key}" for key in LEFT_OUT}
    return {axis: values for axis, values in vary.items() if axis not in budgets}
