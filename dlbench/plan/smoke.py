"""A suite cut down to a few seconds: does everything in it work at all?"""

from dlbench.plan.merge import BUDGETS
from dlbench.schema.base import Json
from dlbench.schema.search import SearchBudget, SearchSettings, StrategyEntry
from dlbench.schema.suite import ModelEntry, Suite, TaskEntry

STEPS = 3
BATCH = 8
QUICK = {"rounds": 1, "threads": 1, "limit_s": 0.02, "largest_batch": False}
"""Of cost jobs only whether they can be done matters."""
COST_BATCH = 2
CANDIDATES = 2
"""Of each study."""
LEFT_OUT = (*BUDGETS, "batch_size", "target", "stop_at_target", "evaluate_every", "patience")


def smoke(suite: Suite) -> Suite:
    """The same suite with one seed, three small steps, one cost round, two candidates a study; of what varies, the
    planner takes the first.
    """
    small = suite.cost and min(COST_BATCH, *suite.cost.batch_sizes)
    cost = suite.cost and suite.cost.model_copy(update={**QUICK, "batch_sizes": (small,)})
    return suite.model_copy(
        update={
            "tasks": tuple(_task(task) for task in suite.tasks),
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


def _task(task: TaskEntry) -> TaskEntry:
    models = task.models and tuple(_model(model) for model in task.models)
    return task.model_copy(update={"models": models, "train": _train(task.train)})


def _model(model: ModelEntry) -> ModelEntry:
    return model.model_copy(update={"vary": _unbudgeted(model.vary), "train": _train(model.train)})


def _train(settings: dict[str, Json]) -> dict[str, Json]:
    return {key: value for key, value in settings.items() if key not in LEFT_OUT}


def _unbudgeted(vary: dict[str, tuple[Json, ...]]) -> dict[str, tuple[Json, ...]]:
    budgets = {f"train.{key}" for key in LEFT_OUT}
    return {axis: values for axis, values in vary.items() if axis not in budgets}
