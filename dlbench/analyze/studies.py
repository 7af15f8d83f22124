"""Studies → their history, and all that is known of the candidates of one task. Knows nothing of charts and optuna."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from dlbench.analyze.contenders import anchors, canonical
from dlbench.schema.search import Objective
from dlbench.schema.space import Point, Space
from dlbench.schema.study import Study, Trial


@dataclass(frozen=True, eq=False)
class Step:
    """Where a study stood after a candidate had been told.

    Attributes:
        candidates: distinct ones told so far, helpers and repeats not counted.
        epochs: charged so far, those of helpers included; likewise `seconds`.
        best: first objective of the best feasible candidate so far; None before there is one.
    """

    trial: Trial
    candidates: int
    epochs: float
    seconds: float
    best: float | None


@dataclass(frozen=True, eq=False)
class Candidate:
    """A point of the space that was tried, in whichever studies.

    Attributes:
        value: mean of the first objective over the studies in which it kept the constraints and has one.
        trial: one of those that tried it, an `ok` one if there is one; `study` is the trial's.
    """

    key: str
    point: Point
    value: float | None
    trial: Trial
    study: Study


def objective(study: Study) -> Objective:
    """The first objective, which orders candidates."""
    return study.head.objectives[0] if study.head.objectives else Objective(metric="val_score", better="higher")


def value_of(trial: Trial) -> float | None:
    """The first objective of a candidate that is done and keeps its constraints."""
    told = trial.told
    if told is None or not told.feasible or not told.values or not math.isfinite(told.values[0]):
        return None
    return told.values[0]


def better(one: float, other: float, goal: Objective) -> bool:
    """Whether a value of the objective is better than another."""
    return one > other if goal.better == "higher" else one < other


def told_in_order(study: Study) -> list[Trial]:
    """All that was told, in the order of telling."""
    told = [trial for trial in study.trials if trial.told is not None]
    return sorted(told, key=lambda trial: trial.number if trial.order is None else trial.order)


def history(study: Study) -> tuple[Step, ...]:
    """A step for each candidate told, in order; what came from earlier suites is left out."""
    goal, distinct = objective(study), {trial.number for trial in study.distinct}
    count, epochs, seconds = 0, 0.0, 0.0
    best: float | None = None
    steps: list[Step] = []
    for trial in told_in_order(study):
        if trial.origin == "warm" or trial.told is None:
            continue
        epochs, seconds = epochs + trial.told.epochs, seconds + trial.told.seconds
        if trial.number in distinct:
            count += 1
            value = value_of(trial)
            if value is not None and (best is None or better(value, best, goal)):
                best = value
        steps.append(Step(trial, count, epochs, seconds, best))
    return tuple(steps)


def _mean(values: Sequence[float]) -> float | None:
    """None of none; exactly the value of equal ones, which a sum would round."""
    return None if not values else values[0] if len(set(values)) == 1 else fmean(values)


@dataclass(frozen=True, eq=False)
class StudyGroup:
    """The studies of a suite on one task for the same objectives: all that can be compared.

    Attributes:
        title: the dataset, with the task or objective where the suite has several; `anchor` is it in `[a-z0-9-]`.
    """

    title: str
    anchor: str
    studies: tuple[Study, ...]

    @property
    def goal(self) -> Objective:
        """The first objective."""
        return objective(self.studies[0])

    @property
    def space(self) -> Space:
        """What is searched."""
        return self.studies[0].head.space

    @property
    def labels(self) -> tuple[str, ...]:
        """The strategies, in the suite's order."""
        return tuple(dict.fromkeys(study.head.strategy.label for study in self.studies))

    def of(self, label: str) -> tuple[Study, ...]:
        """The studies of a strategy, one a study seed."""
        return tuple(study for study in self.studies if study.head.strategy.label == label)

    @cached_property
    def candidates(self) -> tuple[Candidate, ...]:
        """Every point that was told of in any study, once, in order."""
        tried: dict[str, list[tuple[Study, Trial]]] = {}
        for study in self.studies:
            for trial in study.distinct:
                if trial.told is not None:
                    tried.setdefault(canonical(trial.point), []).append((study, trial))
        found = []
        for key, members in tried.items():
            values = [value for _, trial in members if (value := value_of(trial)) is not None]
            study, trial = next(((s, t) for s, t in members if value_of(t) is not None), members[0])
            found.append(Candidate(key, trial.point, _mean(values), trial, study))
        return tuple(found)

    @cached_property
    def ranked(self) -> tuple[Candidate, ...]:
        """Those with a value, the best first."""
        sign = -1.0 if self.goal.better == "higher" else 1.0
        with_value = [candidate for candidate in self.candidates if candidate.value is not None]
        return tuple(sorted(with_value, key=lambda candidate: sign * (candidate.value or 0.0)))

    @cached_property
    def size(self) -> int | None:
        """How many candidates the space has; None for endlessly many."""
        return self.space.size()

    @cached_property
    def enumerated(self) -> bool:
        """Whether every candidate of the space was tried, over all studies together."""
        return self.size is not None and len(self.candidates) >= self.size

    def exhausts(self, study: Study) -> bool:
        """Whether a study alone has a result of every candidate of the space."""
        return self.size is not None and sum(trial.state == "ok" for trial in study.distinct) >= self.size

    @property
    def searching(self) -> tuple[str, ...]:
        """Strategies that search, those left out that tried everything where others did not."""
        chosen = tuple(label for label in self.labels if not any(self.exhausts(study) for study in self.of(label)))
        return chosen or self.labels


def groups_of(studies: Sequence[Study]) -> tuple[StudyGroup, ...]:
    """The studies of a suite by what can be compared, in order."""
    groups: dict[tuple[str, str, tuple[Objective, ...]], list[Study]] = {}
    for study in studies:
        head = study.head
        groups.setdefault((head.task, head.dataset, head.objectives), []).append(study)
    datasets = [dataset for _, dataset, _ in groups]
    titles = []
    for task, dataset, goals in groups:
        same = [(t, g) for t, d, g in groups if d == dataset]
        words = f"{task} on {dataset}" if len({t for t, _ in same}) > 1 else dataset
        if datasets.count(dataset) > 1 and len({g for t, g in same if t == task}) > 1:
            words = f"{words} ({', '.join(goal.metric for goal in goals)})"
        titles.append(words)
    return tuple(
        StudyGroup(title, anchor, tuple(members))
        for title, anchor, members in zip(titles, anchors(titles), groups.values(), strict=True)
    )


@dataclass(frozen=True)
class Spent:
    """What a study cost, and what it would have cost to train every candidate that it tried to its end.

    Attributes:
        full_epochs: the charged epochs, with those that a median finished candidate took for each pruned one.
    """

    epochs: float
    seconds: float
    full_epochs: float | None


def spent(study: Study) -> Spent:
    """What was charged to a study."""
    steps = history(study)
    if not steps:
        return Spent(0.0, 0.0, None)
    done = sorted(t.told.epochs for t in study.distinct if t.told is not None and t.told.state == "ok")
    pruned = [t.told.epochs for t in study.distinct if t.told is not None and t.told.state == "pruned"]
    full = None
    if done and pruned:
        full = steps[-1].epochs + sum(max(0.0, done[len(done) // 2] - epochs) for epochs in pruned)
    return Spent(steps[-1].epochs, steps[-1].seconds, full)
