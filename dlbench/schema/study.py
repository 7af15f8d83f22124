"""A study's head and its log: what was asked, reported and told, in order. Reading the log gives the study again."""

from collections.abc import Iterable
from typing import Literal

from dlbench.schema.base import Json, Value
from dlbench.schema.search import Constraint, Objective, PrunerEntry, SearchBudget, StrategyEntry
from dlbench.schema.space import Point, Space

State = Literal["running", "ok", "pruned", "infeasible", "failed"]
"""What became of a candidate: `infeasible` breaks a constraint, `failed` covers all that ended without a score
(failed, diverged, out of memory, timed out, skipped, impossible parameters); the reason says which."""

Origin = Literal["strategy", "first", "warm", "helper"]
"""Who named a candidate: the strategy, the suite (`first:`), earlier records, or the strategy for its own use only."""


class Proposal(Value):
    """A candidate that a strategy names.

    Attributes:
        point: of the space; of a helper also model parameters beyond it.
        helper: whether it serves the strategy alone (a supernet): it is run and charged, and never wins.
    """

    point: Point
    helper: bool = False


class StudyHead(Value):
    """What a study is: `studies/<id>/study.json`.

    Attributes:
        id: hash of everything below that can change its course; the budget cannot.
        task: name of the task; `dataset` that of its dataset, `digest` that of its content.
        strategy: with complete parameters.
        seed: of the study.
    """

    id: str
    suite: str
    task: str
    dataset: str
    digest: str = ""
    strategy: StrategyEntry
    seed: int
    space: Space
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...] = ()
    pruner: PrunerEntry | None = None
    budget: SearchBudget
    seeds: tuple[int, ...]
    optuna: str = ""

    @property
    def judged_on(self) -> str:
        """What a pruner judges: the name of an objective, or `pareto`."""
        if self.pruner is not None and self.pruner.on is not None:
            return self.pruner.on
        return self.objectives[0].metric if len(self.objectives) == 1 else "pareto"


class Told(Value):
    """What became of a candidate.

    Attributes:
        values: of the objectives, in order, means over the candidate's seeds; None without a result.
        violations: constraint's metric → share by which it is broken (0 or less: it is kept).
        curve: (validation number, value) pairs that the pruner judged.
        reason: of what is not `ok`.
        jobs: ids of its jobs, in order.
        metrics: name → mean over its jobs, what was measured of it beside the objectives.
        outputs: of its last train job (a genotype).
        epochs: charged to the budget; likewise `seconds` and `flops`.
    """

    state: State
    values: tuple[float, ...] | None = None
    violations: dict[str, float] = {}
    curve: tuple[tuple[int, float], ...] = ()
    reason: str | None = None
    jobs: tuple[str, ...] = ()
    metrics: dict[str, float] = {}
    outputs: dict[str, Json] = {}
    epochs: float = 0.0
    seconds: float = 0.0
    flops: float = 0.0

    @property
    def feasible(self) -> bool:
        """Whether it has values and keeps every constraint."""
        return self.state == "ok" and all(violation <= 0 for violation in self.violations.values())


class StudyEvent(Value):
    """A line of `trials.jsonl`.

    Attributes:
        t: seconds since the epoch.
        kind: `asked` (a candidate has a number), `reported` (one validation of it, and the pruner's answer),
            `told` (it has ended).
        number: of the candidate, in order of asking.
        point: of an asked one.
        same_as: of an asked one: the number of an equal candidate before it, which answers for it; it costs nothing.
        step: of a reported one: number of the validation, or of the seed; `value` or, of several objectives, `losses`
            are what the pruner was shown, `go` is what it answered.
    """

    t: float
    kind: Literal["asked", "reported", "told"]
    number: int
    point: Point | None = None
    origin: Origin = "strategy"
    same_as: int | None = None
    step: int | None = None
    value: float | None = None
    losses: tuple[float, ...] | None = None
    go: bool | None = None
    told: Told | None = None


class Trial(Value):
    """One candidate of a study, as its log has it.

    Attributes:
        order: how many others had been told before it was (its place in the history); None while it runs.
    """

    number: int
    point: Point
    origin: Origin = "strategy"
    same_as: int | None = None
    told: Told | None = None
    order: int | None = None

    @property
    def state(self) -> State:
        """What became of it."""
        return self.told.state if self.told is not None else "running"


class Study(Value):
    """A study as the store has it: its head and its candidates, in order of asking."""

    head: StudyHead
    trials: tuple[Trial, ...]

    @property
    def distinct(self) -> tuple[Trial, ...]:
        """Candidates that were tried, repeats and the strategy's own helpers left out."""
        return tuple(trial for trial in self.trials if trial.same_as is None and trial.origin not in ("warm", "helper"))

    def best(self, count: int = 1) -> tuple[Trial, ...]:
        """The best feasible candidates by the objective; with several, so many of the Pareto front, evenly spread.

        Those of a front stand in the order of the first objective; one alone is the best by it, two are both ends.
        """
        feasible = [t for t in self.distinct if t.told is not None and t.told.feasible and t.told.values is not None]
        signs = [1.0 if objective.better == "lower" else -1.0 for objective in self.head.objectives]
        losses = {
            t.number: tuple(s * v for s, v in zip(signs, t.told.values or (), strict=True))
            for t in feasible
            if t.told is not None
        }
        several = len(signs) > 1
        if several:
            feasible = [t for t in feasible if not any(dominates(losses[o.number], losses[t.number]) for o in feasible)]
        ordered = sorted(feasible, key=lambda t: (losses[t.number], t.number))
        if not several or len(ordered) <= count or count < 2:
            return tuple(ordered[:count])
        return tuple(ordered[round(place * (len(ordered) - 1) / (count - 1))] for place in range(count))


def dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Whether losses are nowhere higher and somewhere lower than others."""
    return all(a <= b for a, b in zip(one, other, strict=True)) and one != other


def trials_of(events: Iterable[StudyEvent]) -> tuple[Trial, ...]:
    """Candidates as a log has them; what was told twice stands as it was told first."""
    trials: dict[int, Trial] = {}
    order = 0
    for event in events:
        if event.kind == "asked" and event.point is not None:
            trials.setdefault(
                event.number,
                Trial(number=event.number, point=event.point, origin=event.origin, same_as=event.same_as),
            )
        elif event.kind == "told" and event.number in trials and trials[event.number].told is None:
            trials[event.number] = trials[event.number].model_copy(update={"told": event.told, "order": order})
            order += 1
    return tuple(trials[number] for number in sorted(trials))
