"""A strategy over one Optuna study in memory: one sampler, kept for the whole study, and seeded anew for each answer.

The sampler is kept because what it has worked out (search spaces) would take as long again as its answer; it is seeded
anew because an answer may depend on nothing but the study's seed, the number and what was told. Optuna's numbers of
trials are its own. Knows nothing of jobs, budgets and logs.

How Optuna hears what became of a candidate:

- `ok`: complete, with every violation as a constraint. `infeasible` with values: the same.
- `infeasible` without values: pruned, with its constraints. TPE ranks it below everything that keeps them, by how far
  it breaks them; the others leave out what is pruned.
- `pruned`: pruned; with one objective also the last value of its curve, by which TPE ranks it.
- `failed`, and `ok` without values or with one that is not a number: failed, which every sampler leaves out.
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import optuna
from optuna.pruners import NopPruner
from optuna.samplers import BaseSampler
from optuna.samplers._lazy_random_state import LazyRandomState
from optuna.storages import InMemoryStorage
from optuna.trial import Trial, TrialState, create_trial

from dlbench.schema.base import Json
from dlbench.schema.search import Objective
from dlbench.schema.space import Axis, Point, Space
from dlbench.schema.study import Proposal, Told
from dlbench.strategies._coding import Codes

optuna.logging.set_verbosity(optuna.logging.CRITICAL)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna's warnings (experimental parts, values that are not finite) to itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class OptunaStrategy:
    """A strategy that asks an Optuna sampler.

    Args:
        sampler: must draw from nothing but `LazyRandomState` objects that hang on it, at any depth.
        constraints: whether the sampler knows of constraints; if not, what breaks one counts as failed.
    """

    def __init__(
        self, sampler: BaseSampler, space: Space, objectives: Sequence[Objective], *, constraints: bool = True
    ) -> None:
        self.sampler = sampler
        self.codes = Codes(space)
        self.constraints = constraints
        self.storage = InMemoryStorage()
        self.study = optuna.create_study(
            storage=self.storage,
            sampler=sampler,
            pruner=NopPruner(),
            directions=["minimize" if objective.better == "lower" else "maximize" for objective in objectives],
        )
        self._numbers: dict[int, int] = {}
        self._random_states = random_states(sampler)

    def ask(self, number: int, seed: int) -> Proposal | None:
        """The sampler's next candidate."""
        with quiet():
            self.seed(seed)
            trial = self.study.ask()
            point = self.codes.space.walk(lambda axis: self._suggest(trial, axis))
        self._numbers[number] = trial.number
        return Proposal(point=point)

    def asked(self, number: int, point: Point, seed: int) -> None:
        """Take in a candidate as one that runs."""
        distributions = {name: self.codes.codes[name].distribution for name in point}
        trial = create_trial(state=TrialState.RUNNING, params=self.codes.parameters(point), distributions=distributions)
        self._numbers[number] = self.storage.get_n_trials(self.study._study_id)
        self.study.add_trial(trial)

    def tell(self, number: int, told: Told) -> None:
        """What became of a candidate, in Optuna's terms.

        Raises:
            KeyError: it was never asked.
            ValueError: it has been told before.
        """
        state, values = self._outcome(told)
        trial = Trial(self.study, self._id(number))
        with quiet():
            if self.constraints and state is not TrialState.FAIL:
                for name, violation in sorted(_violations(told).items()):
                    trial.set_constraint(name, violation)
            if state is TrialState.PRUNED and told.state == "pruned" and told.curve and len(self.study.directions) == 1:
                step, value = told.curve[-1]
                trial.report(value, step)
            self.study.tell(self._numbers[number], values=values, state=state)

    def seed(self, seed: int) -> None:
        """Make all that the sampler draws next depend on a seed alone; each of its sources gets one of its own."""
        seeds = np.random.SeedSequence(seed).generate_state(len(self._random_states))
        for state, own in zip(self._random_states, seeds, strict=True):
            state.rng.seed(int(own))

    def _id(self, number: int) -> int:
        return self.storage.get_trial_id_from_study_id_trial_number(self.study._study_id, self._numbers[number])

    def _suggest(self, trial: Trial, axis: Axis) -> Json:
        code = self.codes.codes[axis.name]
        kind = code.distribution
        parameter: int | float
        if isinstance(kind, optuna.distributions.CategoricalDistribution):
            parameter = trial.suggest_categorical(axis.name, range(len(kind.choices)))
        elif isinstance(kind, optuna.distributions.IntDistribution):
            parameter = trial.suggest_int(axis.name, kind.low, kind.high, log=kind.log)
        else:
            assert isinstance(kind, optuna.distributions.FloatDistribution)
            parameter = trial.suggest_float(axis.name, kind.low, kind.high, log=kind.log)
        return code.value(parameter)

    def _outcome(self, told: Told) -> tuple[TrialState, list[float] | None]:
        known = told.values is not None and not any(math.isnan(value) for value in told.values)
        broken = told.state in ("ok", "infeasible") and not told.feasible
        if told.state == "failed" or (broken and not self.constraints):
            return TrialState.FAIL, None
        if told.state == "pruned" or (told.state == "infeasible" and not known):
            return TrialState.PRUNED, None
        return (TrialState.COMPLETE, list(told.values or ())) if known else (TrialState.FAIL, None)


def _violations(told: Told) -> dict[str, float]:
    """Constraint → violation; one that is not a number counts as endless. What is infeasible breaks at least one."""
    violations = {name: math.inf if math.isnan(value) else value for name, value in told.violations.items()}
    if told.state == "infeasible" and not any(value > 0 for value in violations.values()):
        violations["infeasible"] = 1.0
    return violations


def random_states(sampler: object) -> list[LazyRandomState]:
    """Everything that a sampler draws from, in the order in which it hangs on the sampler."""
    found: list[LazyRandomState] = []
    seen: set[int] = set()

    def walk(thing: object) -> None:
        if id(thing) in seen:
            return
        seen.add(id(thing))
        if isinstance(thing, LazyRandomState):
            found.append(thing)
        elif isinstance(thing, list | tuple):
            for part in thing:
                walk(part)
        elif isinstance(thing, BaseSampler) or type(thing).__module__.partition(".")[0] == "optuna":
            for part in getattr(thing, "__dict__", {}).values():
                walk(part)

    walk(sampler)
    return found
