"""A `search:` block → the mapping that a person would have written; the opposite of `dlbench.plan.searching`."""

from collections.abc import Sequence
from typing import Any

from dlbench.plan.searching import FIRST_SEED, GOALS, OWN
from dlbench.schema.base import Json
from dlbench.schema.metric import usual_direction
from dlbench.schema.search import Constraint, Objective, PrunerEntry, SearchSettings, StrategyEntry
from dlbench.schema.space import Axis

_GOALS = {better: goal for goal, better in GOALS.items()}


def seed_list(seeds: Sequence[int], first: int = 0) -> Json:
    """A number of seeds where they count up from the first, else the list of them."""
    return len(seeds) if tuple(seeds) == tuple(range(first, first + len(seeds))) else list(seeds)


def whole(value: float) -> float | int:
    """Without a decimal point where none is needed."""
    return int(value) if value == int(value) and abs(value) < 2**53 else value


def search_block(settings: SearchSettings) -> dict[str, Json]:
    """Everything that is not a default."""
    plain = SearchSettings()
    found: dict[str, Json] = {}
    if settings.space is not None:
        found["space"] = {axis.name: _axis(axis) for axis in settings.space} | ({OWN: "own"} if settings.own else {})
    strategies = [_strategy(entry) for entry in settings.strategies]
    found["strategy"] = strategies[0] if len(strategies) == 1 else strategies
    if settings.pruner is not None:
        found["pruner"] = _pruner(settings.pruner)
    if settings.objectives:
        found["objectives"] = [_objective(objective) for objective in settings.objectives]
    if settings.constraints:
        found["constraints"] = {limit.metric: _bound(limit) for limit in settings.constraints}
    limits = settings.budget.model_dump(mode="json", exclude_none=True)
    found["budget"] = {name: whole(limit) for name, limit in limits.items()}
    if settings.seeds != plain.seeds:
        found["seeds"] = seed_list(settings.seeds, FIRST_SEED)
    if settings.studies != plain.studies:
        found["study_seeds"] = seed_list(settings.studies)
    if settings.first:
        found["first"] = [dict(point) for point in settings.first]
    if settings.warm_start:
        found["warm_start"] = list(settings.warm_start)
    if settings.winners != plain.winners:
        found["winners"] = settings.winners
    return found if settings.table is None else found | {"table": settings.table}


def _axis(axis: Axis) -> Json:
    when = {parent: _few(allowed) for parent, allowed in axis.when.items()}
    if axis.choices is not None:
        return {"choices": list(axis.choices), "when": when} if when else list(axis.choices)
    found: dict[str, Any] = {"low": axis.low, "high": axis.high}
    found |= {"log": True} if axis.log else {}
    found |= {"step": axis.step} if axis.step is not None else {}
    return found | ({"when": when} if when else {})


def _few(allowed: Sequence[Json]) -> Json:
    return allowed[0] if len(allowed) == 1 else list(allowed)


def _pruner(entry: PrunerEntry) -> Json:
    params = dict(entry.params) | ({"on": entry.on} if entry.on is not None else {})
    return {entry.name: params} if params else entry.name


def _strategy(entry: StrategyEntry) -> Json:
    usual = entry.name if entry.times == 1 else f"{entry.name}-{entry.times:g}x"
    if entry.times == 1 and entry.label == usual and entry.pruner is None:
        return {entry.name: dict(entry.params)} if entry.params else entry.name
    found: dict[str, Json] = {"strategy": entry.name}
    found |= {"label": entry.label} if entry.label != usual else {}
    found |= {"times": whole(entry.times)} if entry.times != 1 else {}
    found |= {"params": dict(entry.params)} if entry.params else {}
    return found | ({"pruner": _pruner(entry.pruner)} if entry.pruner is not None else {})


def _objective(objective: Objective) -> Json:
    found: dict[str, Json] = {"metric": objective.metric}
    if objective.better != usual_direction(objective.metric):
        found["goal"] = _GOALS[objective.better]
    if objective.batch_size is not None:
        found["batch_size"] = objective.batch_size
    return objective.metric if len(found) == 1 else found


def _bound(limit: Constraint) -> Json:
    lower = usual_direction(limit.metric) == "lower"
    if limit.batch_size is None and (limit.at_most is not None) == lower:
        return limit.at_most if lower else limit.at_least
    return limit.model_dump(mode="json", exclude={"metric"}, exclude_none=True)
