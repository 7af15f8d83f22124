"""Reader of a `search:` block: from a spot to settings, problems noted on the way. Needs no shelf.

    space:
      train.lr: {low: 1e-4, high: 1e-1, log: true}
      train.optimizer: [sgd, adamw]
      train.momentum: {low: 0.0, high: 0.99, when: {train.optimizer: sgd}}
      model.*: own
    strategy: tpe, {tpe: {startup: 5}}, {strategy: random, label: random-2x, times: 2}, or a list of these

Whole numbers at both ends make a range of whole numbers, until the parameter's own type says otherwise
(`dlbench.plan.searched`).
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_args

from dlbench.plan.duration import seconds
from dlbench.plan.fields import can_vary, is_list, is_mapping, read_keys, read_seeds, refuse_vary, unique
from dlbench.plan.nodes import Node, Problems, Spot, as_node
from dlbench.plan.words import check, expected, show, unknown_key
from dlbench.schema.base import Json
from dlbench.schema.metric import usual_direction
from dlbench.schema.search import (
    Constraint,
    Objective,
    PrunerEntry,
    PrunerName,
    SearchBudget,
    SearchSettings,
    StrategyEntry,
)
from dlbench.schema.space import Axis

T = TypeVar("T")

OWN = "model.*"
"""Key of a space that stands for all that the models themselves declare."""

RANGE = ("low", "high", "log", "step", "choices", "when")
STRATEGY = ("strategy", "label", "times", "params", "pruner")
OBJECTIVE = ("metric", "goal", "batch_size")
BOUNDS = ("at_most", "at_least", "batch_size")
GOALS = {"maximize": "higher", "minimize": "lower"}

FIRST_SEED = 1000
"""Candidates are trained with seeds from here on: no seed that chose a winner also judges it."""

MAX_STUDIES = 1000


def read_search(spot: Spot, problems: Problems) -> SearchSettings | None:
    """A `search:` block; None when there were problems."""
    if not is_mapping(spot, problems):
        return None
    fields: dict[str, Any] = {}
    before = len(problems)
    for key, below in read_keys(spot, READERS, problems).items():
        field, read = READERS[key]
        fields[field] = read(below, problems)
    if isinstance(fields.get("space"), dict):
        space = fields.pop("space")
        fields |= {"own": space.pop(OWN, False), "space": tuple(space.values())}
    return SearchSettings(**fields) if len(problems) == before else None


# --- space ----------------------------------------------------------------------------------------------------


def _space(spot: Spot, problems: Problems) -> dict[str, Any]:
    if not is_mapping(spot, problems):
        return {}
    assert isinstance(spot.node.value, dict)
    axes: dict[str, Any] = {}
    for key in spot.node.value:
        below = spot.at(key)
        if key == OWN:
            if below.node.value != "own":
                expected(problems, below, "own: the space that the models themselves declare")
            axes[OWN] = True
        elif not can_vary(key):
            refuse_vary(spot, key, problems)
        elif (axis := read_axis(key, below, problems)) is not None:
            axes[key] = axis
    if not axes and not problems:
        problems.add(spot, "is empty: nothing would be searched.")
    _check_conditions(axes, spot, problems)
    return axes


def read_axis(name: str, spot: Spot, problems: Problems) -> Axis | None:
    """One axis: a list of choices, or a mapping with low and high, or with choices; either with `when`."""
    if isinstance(spot.node.value, tuple):
        choices = _choices(spot, problems)
        return None if choices is None else Axis(name=name, choices=choices)
    if not isinstance(spot.node.value, dict):
        expected(problems, spot, "a list of choices, or {low: …, high: …} with log or step")
        return None
    given = read_keys(spot, RANGE, problems)
    when = _when(given["when"], problems) if "when" in given else {}
    if "choices" in given:
        for key in ("low", "high", "log", "step"):
            if key in given:
                problems.add(given[key], "choices have no range: leave this out.")
        choices = _choices(given["choices"], problems)
        return None if choices is None else Axis(name=name, choices=choices, when=when)
    return _range(name, spot, given, when, problems)


def _choices(spot: Spot, problems: Problems) -> tuple[Json, ...] | None:
    if not is_list(spot, problems):
        return None
    unique(spot, problems)
    return tuple(spot.node.plain())


def _range(
    name: str, spot: Spot, given: Mapping[str, Spot], when: dict[str, tuple[Json, ...]], problems: Problems
) -> Axis | None:
    numbers: dict[str, int | float] = {}
    for key in ("low", "high", "step"):
        if key not in given:
            if key != "step":
                problems.add(spot, f"a range needs `{key}:`.")
            continue
        value = given[key].node.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            expected(problems, given[key], "a number")
        else:
            numbers[key] = value
    log = given["log"].node.value if "log" in given else False
    if not isinstance(log, bool):
        expected(problems, given["log"], "true or false")
        return None
    if not {"low", "high"} <= numbers.keys() or ("step" in given and "step" not in numbers):
        return None
    low, high, step = numbers["low"], numbers["high"], numbers.get("step")
    if low > high:
        problems.add(spot, f"low ({low}) is above high ({high}).")
    elif log and low <= 0:
        problems.add(given["low"], f"a logarithmic range begins above 0, not at {low}.")
    elif step is not None and (log or not 0 < step <= max(high - low, step)):
        text = "a logarithmic range has no step" if log else f"the step must be more than 0, not {step}"
        problems.add(given["step"], f"{text}.")
    else:
        integer = all(isinstance(number, int) for number in numbers.values())
        return Axis(name=name, low=low, high=high, log=log, step=step, integer=integer, when=when)
    return None


def _when(spot: Spot, problems: Problems) -> dict[str, tuple[Json, ...]]:
    if not is_mapping(spot, problems):
        return {}
    assert isinstance(spot.node.value, dict)
    plain = {key: node.plain() for key, node in spot.node.value.items()}
    return {key: tuple(value) if isinstance(value, list) else (value,) for key, value in plain.items()}


def _check_conditions(axes: Mapping[str, Any], spot: Spot, problems: Problems) -> None:
    """Note conditions on what is not searched, on values that are never taken, in circles, or against each other."""
    known = {name: axis for name, axis in axes.items() if isinstance(axis, Axis)}
    for name, axis in known.items():
        at = spot.at(name, "when")
        for parent, allowed in axis.when.items():
            if parent == "model":
                continue  # a model's label; judged where the models are known
            if parent not in known:
                if parent not in axes and not (OWN in axes and parent.startswith("model.")):
                    unknown_key(problems, at, parent, known, "it can never hold: nothing searched is called")
                continue
            if not any(known[parent].holds(value) for value in allowed):
                what = " or ".join(map(show, allowed))
                problems.add(at.at(parent), f"it can never hold: {parent} is never {what}.")
        if not problems and (why := _contradiction(name, known)) is not None:
            problems.add(at, f"it can never hold: {why}.")


def _contradiction(name: str, known: Mapping[str, Axis]) -> str | None:
    """Why the condition of an axis, with those of the axes it names, cannot be met; None if it can."""
    needed: dict[str, tuple[Json, ...]] = {}
    waiting, seen = [name], {name}
    while waiting:
        for parent, allowed in known[waiting.pop()].when.items():
            if parent == name:
                return f"{name} depends on itself"
            left = tuple(value for value in allowed if parent not in needed or value in needed[parent])
            if not left:
                return f"{parent} would have to be two things at once"
            needed[parent] = left
            if parent in known and parent not in seen:
                seen.add(parent)
                waiting.append(parent)
    return None


# --- the rest -------------------------------------------------------------------------------------------------


def _strategies(spot: Spot, problems: Problems) -> tuple[StrategyEntry, ...]:
    return _named(
        spot, _strategy, lambda entry: entry.label, "two strategies are called {!r}; give one a `label:`.", problems
    )


def _named(
    spot: Spot, read: Callable[[Spot, Problems], T | None], name: Callable[[T], str], twice: str, problems: Problems
) -> tuple[T, ...]:
    """One thing or a list of them, each with a name that no other has."""
    listed = isinstance(spot.node.value, tuple)
    found: dict[str, T] = {}
    for item in (spot.items() if is_list(spot, problems) else ()) if listed else (spot,):
        thing = read(item, problems)
        if thing is not None and name(thing) in found:
            problems.add(item, twice.format(name(thing)))
        elif thing is not None:
            found[name(thing)] = thing
    return tuple(found.values())


def _strategy(spot: Spot, problems: Problems) -> StrategyEntry | None:
    value = spot.node.value
    if isinstance(value, str):
        return StrategyEntry(name=value, label=value)
    if isinstance(value, dict) and "strategy" in value:
        given = read_keys(spot, STRATEGY, problems)
        name = given["strategy"].node.value if "strategy" in given else None
        if not isinstance(name, str):
            expected(problems, spot.at("strategy"), "the name of a strategy")
            return None
        params = given["params"].node.plain() if "params" in given and is_mapping(given["params"], problems) else {}
        times = given["times"].node.value if "times" in given else 1.0
        label = given["label"].node.value if "label" in given else name if times == 1 else f"{name}-{times:g}x"
        fields = {"name": name, "label": label, "times": times, "params": params}
        checked = check(StrategyEntry, Spot(as_node(fields, spot.node.place), spot.place, spot.path), problems)
        pruner = _pruner(given["pruner"], problems) if "pruner" in given else None
        return checked.model_copy(update={"pruner": pruner}) if isinstance(checked, StrategyEntry) else None
    if isinstance(value, dict) and len(value) == 1:
        ((name, below),) = value.items()
        if below.value is None or isinstance(below.value, dict):
            return StrategyEntry(name=name, label=name, params=below.plain() or {})
    expected(problems, spot, "a name, `name: {parameter: value}`, or `strategy: name` with label, times and params")
    return None


def _pruner(spot: Spot, problems: Problems) -> PrunerEntry | None:
    value, known = spot.node.value, get_args(PrunerName)
    on = None
    name: Json
    if isinstance(value, dict) and len(value) == 1:
        ((name, below),) = value.items()
        params = below.plain() or {}
        on = params.pop("on", None) if isinstance(params, dict) else None
    else:
        name, params = value, {}
    if name in (None, "none", False):
        return None
    if not isinstance(name, str) or not isinstance(params, dict):
        expected(problems, spot, "the name of a pruner, or `name: {parameter: value}`")
        return None
    if name not in known:
        unknown_key(problems, spot, name, known, "there is no pruner")
        return None
    if on is not None and not isinstance(on, str):
        expected(problems, spot.at(name, "on"), "the name of an objective, or pareto")
        return None
    return PrunerEntry(name=name, params=params, on=on)


def _objectives(spot: Spot, problems: Problems) -> tuple[Objective, ...]:
    return _named(spot, _objective, lambda objective: objective.metric, "{} is listed twice.", problems)


def _objective(spot: Spot, problems: Problems) -> Objective | None:
    value = spot.node.value
    if isinstance(value, str):
        return Objective(metric=value, better=usual_direction(value)) if _metric(spot, value, problems) else None
    if not isinstance(value, dict) or "metric" not in value:
        expected(problems, spot, "the name of a metric, or {metric: …, goal: maximize or minimize}")
        return None
    given = read_keys(spot, OBJECTIVE, problems)
    metric = given["metric"].node.value if "metric" in given else None
    if not isinstance(metric, str) or not _metric(given.get("metric", spot), metric, problems):
        return None
    goal = given["goal"].node.value if "goal" in given else None
    if goal is not None and goal not in GOALS:
        expected(problems, given["goal"], "maximize or minimize")
        return None
    better = GOALS[str(goal)] if goal is not None else usual_direction(metric)
    size = given["batch_size"].node.value if "batch_size" in given else None
    return Objective(metric=metric, better=better, batch_size=size)


MEASURED = ("train_", "infer_", "decode_", "sample_")
COUNTED = ("parameters", "trainable_parameters", "flops_per_sample")
TRAINED = ("train_time_s", "steps_to_target", "time_to_target_s", "train_loss")


def _metric(spot: Spot, name: str, problems: Problems) -> bool:
    """Whether a search can know this metric; noted if not."""
    if name.startswith("test_"):
        text = f"a search never sees the test split. Did you mean 'val_{name.removeprefix('test_')}'?"
        problems.add(spot, text)
        return False
    if name.startswith(("val_", *MEASURED)) or name in COUNTED:
        return True
    near = ["val_accuracy", "val_loss", *COUNTED, *TRAINED, "infer_latency_p50_ms", "infer_peak_memory_bytes"]
    unknown_key(problems, spot, name, near, "a search knows no metric")
    return False


def _constraints(spot: Spot, problems: Problems) -> tuple[Constraint, ...]:
    if not is_mapping(spot, problems):
        return ()
    assert isinstance(spot.node.value, dict)
    found = []
    for name in spot.node.value:
        below = spot.at(name)
        if not _metric(below, name, problems):
            continue
        value = below.node.value
        if isinstance(value, dict):
            read_keys(below, BOUNDS, problems)
            fields = {"metric": name, **below.node.plain()}
        elif isinstance(value, int | float) and not isinstance(value, bool):
            fields = {"metric": name, "at_most" if usual_direction(name) == "lower" else "at_least": value}
        else:
            expected(problems, below, "a number, or {at_most: …} or {at_least: …}")
            continue
        checked = check(Constraint, Spot(as_node(fields, below.node.place), below.place, below.path), problems)
        if isinstance(checked, Constraint):
            found.append(checked)
    return tuple(found)


def _budget(spot: Spot, problems: Problems) -> SearchBudget | None:
    value = spot.node.value
    if isinstance(value, int) and not isinstance(value, bool):
        node = Node.mapping(spot.node.place, {"trials": spot.node}, {"trials": spot.place})
        checked = check(SearchBudget, Spot(node, spot.place, spot.path), problems)
        return checked if isinstance(checked, SearchBudget) else None
    if not isinstance(value, dict):
        expected(problems, spot, "a number of trials, or a mapping with trials, epochs, seconds or flops")
        return None
    node = spot.node
    below = spot.given("seconds")
    if below is not None and isinstance(below.node.value, str):
        time_s = seconds(below.node.value)
        if time_s is None:
            expected(problems, below, "a time such as 90s, 10m or 2h, or a number of seconds")
            return None
        node = node.having("seconds", Node(below.node.place, time_s), below.place)
    checked = check(SearchBudget, Spot(node, spot.place, spot.path), problems)
    if isinstance(checked, SearchBudget) and not checked.model_dump(exclude_none=True):
        problems.add(spot, "names no limit: give trials, epochs, seconds or flops.")
    return checked if isinstance(checked, SearchBudget) else None


def _trial_seeds(spot: Spot, problems: Problems) -> tuple[int, ...]:
    given = read_seeds(spot, problems)
    return given if isinstance(spot.node.value, tuple) else tuple(FIRST_SEED + seed for seed in given)


def _study_seeds(spot: Spot, problems: Problems) -> tuple[int, ...]:
    given = read_seeds(spot, problems)
    if len(given) > MAX_STUDIES:
        problems.add(spot, f"{len(given):,} studies are more than {MAX_STUDIES:,}, the most that a search can have.")
    return given


def _points(spot: Spot, problems: Problems) -> tuple[dict[str, Json], ...]:
    if not is_list(spot, problems):
        return ()
    return tuple(item.node.plain() for item in spot.items() if is_mapping(item, problems))


def _names(spot: Spot, problems: Problems) -> tuple[str, ...]:
    if isinstance(spot.node.value, str):
        return (spot.node.value,)
    if not is_list(spot, problems):
        return ()
    for item in spot.items():
        if not isinstance(item.node.value, str):
            expected(problems, item, "the name of a suite")
    return tuple(str(item.node.value) for item in spot.items())


def _whole(spot: Spot, problems: Problems) -> int:
    value = spot.node.value
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 100:
        expected(problems, spot, "a whole number from 0 to 100")
        return 1
    return value


def _text(spot: Spot, problems: Problems) -> str | None:
    if isinstance(spot.node.value, str):
        return spot.node.value
    expected(problems, spot, "the name of a table")
    return None


READERS: Mapping[str, tuple[str, Callable[[Spot, Problems], Any]]] = {
    "space": ("space", _space),
    "strategy": ("strategies", _strategies),
    "pruner": ("pruner", _pruner),
    "objectives": ("objectives", _objectives),
    "constraints": ("constraints", _constraints),
    "budget": ("budget", _budget),
    "seeds": ("seeds", _trial_seeds),
    "study_seeds": ("studies", _study_seeds),
    "first": ("first", _points),
    "warm_start": ("warm_start", _names),
    "winners": ("winners", _whole),
    "table": ("table", _text),
}
"""Key of `search:` → (field of `SearchSettings`, its reader)."""
