"""How a study went, candidate after candidate: the best so far, the front so far, what was charged."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from dlbench.schema.search import Objective
from dlbench.schema.study import Study, Trial, dominates


class Mark(NamedTuple):
    """Where a study stood when one more candidate had been told.

    Attributes:
        step: how many distinct candidates had been told, this one among them.
        front: the best of them, best first: one, or with several objectives those that no other dominates.
        bests: of each objective, over all that keep the constraints; empty before there is one.
        epochs: charged so far, for candidates and the strategy's own helpers.
    """

    step: int
    trial: Trial
    front: tuple[Trial, ...]
    bests: tuple[float, ...]
    epochs: float


def marks(study: Study) -> Iterator[Mark]:
    """One for each distinct candidate that was told, in the order of telling."""
    distinct = {trial.number for trial in study.distinct}
    told = sorted((t for t in study.trials if t.order is not None), key=lambda t: t.order or 0)
    signs = [1.0 if objective.better == "lower" else -1.0 for objective in study.head.objectives]
    front: list[tuple[tuple[float, ...], Trial]] = []
    losses: tuple[float, ...] = ()
    step, epochs = 0, 0.0
    for trial in told:
        assert trial.told is not None
        if trial.same_as is None and trial.origin != "warm":
            epochs += trial.told.epochs
        if trial.number not in distinct:
            continue
        step += 1
        if trial.told.feasible and trial.told.values is not None:
            own = tuple(sign * value for sign, value in zip(signs, trial.told.values, strict=True))
            losses = tuple(map(min, losses, own)) if losses else own
            front = _joined(front, own, trial)
        bests = tuple(sign * loss for sign, loss in zip(signs, losses, strict=False))
        yield Mark(step, trial, tuple(trial for _, trial in front), bests, epochs)


def _joined(
    front: list[tuple[tuple[float, ...], Trial]], own: tuple[float, ...], trial: Trial
) -> list[tuple[tuple[float, ...], Trial]]:
    if len(own) == 1:  # equal ones: the one that was asked for first
        return [min([*front, (own, trial)], key=lambda one: (one[0], one[1].number))]
    if any(dominates(other, own) for other, _ in front):
        return front
    kept = [one for one in front if not dominates(own, one[0])]
    return sorted([*kept, (own, trial)], key=lambda one: (one[0], one[1].number))


def states(study: Study) -> Counter[str]:
    """How many distinct candidates ended how, or still run."""
    return Counter(trial.state for trial in study.distinct)


def over(study: Study) -> bool:
    """Whether the budget is spent and nothing runs; a space with an end can be over without."""
    budget, times = study.head.budget, study.head.strategy.times
    if any(trial.told is None and trial.same_as is None for trial in study.trials):
        return False
    told = [trial.told for trial in study.trials if trial.told and trial.same_as is None and trial.origin != "warm"]
    spent = (
        (budget.trials, len(study.distinct)),
        (budget.epochs, sum(one.epochs for one in told)),
        (budget.seconds, sum(one.seconds for one in told)),
        (budget.flops, sum(one.flops for one in told)),
    )
    return any(limit is not None and used >= limit * times for limit, used in spent)


def objective_name(objective: Objective) -> str:
    """The metric, and the batch size at which it is measured, if the suite names one."""
    return objective.metric + (f" b{objective.batch_size}" if objective.batch_size is not None else "")
