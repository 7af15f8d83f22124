"""Pruners: whether a candidate that has reported a value goes on, judged by what others have reported.

Over an Optuna study of its own, whose trials have our numbers (Hyperband's bracket depends on study and number). The
same calls in the same order have the same answers. Validations count from 1. Knows nothing of strategies and jobs.
"""

import math
import statistics
from collections.abc import Mapping
from typing import Literal

import optuna
from optuna import pruners
from optuna.samplers import RandomSampler
from optuna.storages import InMemoryStorage
from optuna.trial import Trial, TrialState, create_trial
from pydantic import Field

from dlbench.schema.base import Params as BaseParams
from dlbench.schema.metric import Direction
from dlbench.schema.search import PrunerEntry, PrunerName
from dlbench.schema.study import State, dominates
from dlbench.strategies._optuna import quiet


class MedianParams(BaseParams):
    """Ends what is worse, at its best, than the median of the others at this validation (Golovin et al. 2017, §3.2)."""

    startup: int = Field(4, description="candidates that must have ended before any is judged", ge=0, le=10_000)
    warmup: int = Field(1, description="validations of a candidate that are not judged", ge=0, le=1_000_000)
    interval: int = Field(1, description="validations from one judgement to the next", ge=1, le=1_000_000)

    def build(self) -> pruners.BasePruner:
        """Optuna's `MedianPruner`."""
        return pruners.MedianPruner(self.startup, self.warmup + 1, self.interval)


class SuccessiveHalvingParams(BaseParams):
    """Lets the best share of each rung go on, without waiting for the rest (Li et al. 2020, MLSys, algorithm 2)."""

    min_resource: int = Field(1, description="validations up to the first rung", ge=1, le=1_000_000)
    reduction: int = Field(3, description="one of so many goes on, to so many times the validations", ge=2, le=1000)
    rate: int = Field(0, description="rungs that are left out at the beginning", ge=0, le=64)

    def build(self) -> pruners.BasePruner:
        """Optuna's `SuccessiveHalvingPruner`."""
        return pruners.SuccessiveHalvingPruner(self.min_resource, self.reduction, self.rate)


class HyperbandParams(BaseParams):
    """Several successive halvings, from eager to patient, each with its share of candidates (Li et al. 2018, JMLR)."""

    min_resource: int = Field(
        1, description="validations up to the first rung of the most eager one", ge=1, le=1_000_000
    )
    max_resource: int | None = Field(
        None, description="validations of a whole training; null: of the first that ends", ge=1, le=1_000_000
    )
    reduction: int = Field(3, description="one of so many goes on, to so many times the validations", ge=2, le=1000)

    def build(self) -> pruners.BasePruner:
        """Optuna's `HyperbandPruner`."""
        return pruners.HyperbandPruner(self.min_resource, self.max_resource or "auto", self.reduction)


class PatientParams(BaseParams):
    """Ends only what has not become better for a while."""

    patience: int = Field(3, description="validations without improvement that are let pass", ge=0, le=1_000_000)
    min_delta: float = Field(0.0, description="improvement that is none", ge=0)
    then: Literal["median", "none"] = Field(
        "median", description="who judges afterwards: `median`, with its own defaults, or nobody, and it ends"
    )

    def build(self) -> pruners.BasePruner:
        """Optuna's `PatientPruner`."""
        judge = MedianParams().build() if self.then == "median" else None
        return pruners.PatientPruner(judge, self.patience, self.min_delta)


class WilcoxonParams(BaseParams):
    """Ends what a signed-rank test calls worse than the best candidate over the same seeds (Wilcoxon 1945).

    All of n seeds being worse has the p-value 2⁻ⁿ: with a threshold of 0.1 nothing ends before its fourth seed.
    """

    threshold: float = Field(0.1, description="p-value below which a candidate ends", gt=0, lt=1)
    startup: int = Field(2, description="seeds that must be known before a candidate is judged", ge=2, le=10_000)

    def build(self) -> pruners.BasePruner:
        """Optuna's `WilcoxonPruner`."""
        return pruners.WilcoxonPruner(p_threshold=self.threshold, n_startup_steps=self.startup)


PARAMS: Mapping[
    PrunerName,
    type[MedianParams]
    | type[SuccessiveHalvingParams]
    | type[HyperbandParams]
    | type[PatientParams]
    | type[WilcoxonParams],
] = {
    "median": MedianParams,
    "successive_halving": SuccessiveHalvingParams,
    "hyperband": HyperbandParams,
    "patient": PatientParams,
    "wilcoxon": WilcoxonParams,
}
"""Pruner → its parameters."""


class Pruning:
    """Judges the candidates of one study by one value.

    Args:
        entry: the pruner and its parameters.
        better: which way the reported value is better.
        study: a name; Hyperband deals out its brackets by it.

    Raises:
        pydantic.ValidationError: the parameters are none of this pruner's.
    """

    def __init__(self, entry: PrunerEntry, better: Direction, study: str) -> None:
        self.entry = entry
        params = PARAMS[entry.name].model_validate(entry.params)
        self.storage = InMemoryStorage()
        with quiet():
            self.study = optuna.create_study(
                storage=self.storage,
                study_name=study,
                sampler=RandomSampler(0),
                pruner=params.build(),
                direction="minimize" if better == "lower" else "maximize",
            )
        self._trials: dict[int, Trial] = {}

    def begin(self, number: int) -> None:
        """A candidate starts. Numbers go up; those left out are of candidates that report nothing.

        Raises:
            ValueError: it has begun before, or a higher number has.
        """
        known = self.storage.get_n_trials(self.study._study_id)
        if number < known:
            raise ValueError(f"candidate {number} begins after candidate {known - 1}")
        with quiet():
            for _ in range(known, number):
                self.study.add_trial(create_trial(state=TrialState.FAIL))
            self._trials[number] = self.study.ask()

    def report(self, number: int, step: int, value: float) -> bool:
        """A candidate has a value; whether it goes on.

        Args:
            step: number of the validation, from 1; for `wilcoxon` the index of the seed. What is reported again at the
                same step stands as it was.
            value: what is not a number ends a candidate, except with `wilcoxon`.
        """
        trial = self._trials[number]
        with quiet():
            trial.report(value, step)
            return not trial.should_prune()

    def end(self, number: int, state: State) -> None:
        """A candidate has ended; afterwards it can be neither reported nor ended again.

        Only what is `ok` and has reported counts as ended for those pruners that compare with ended candidates.
        """
        trial = self._trials.pop(number)
        values = list(self.storage.get_trial(trial._trial_id).intermediate_values.values())
        with quiet():
            if state == "pruned":
                self.study.tell(trial, state=TrialState.PRUNED)
            elif state == "ok" and values and not math.isnan(sum(values)):
                value = statistics.fmean(values) if self.entry.name == "wilcoxon" else values[-1]
                self.study.tell(trial, value)
            else:
                self.study.tell(trial, state=TrialState.FAIL)


class ParetoPruning:
    """Judges the candidates of a study with several objectives by how many others dominate them.

    What the pruner sees is the share of those other candidates with losses at the same step that dominate this one; 0
    is best. It is worked out when the candidate reports, from what has been reported until then: who reports early has
    fewer to be dominated by, and keeps the share that it had.

    Args:
        entry: the pruner and its parameters.
        study: a name; Hyperband deals out its brackets by it.
    """

    def __init__(self, entry: PrunerEntry, study: str) -> None:
        self._pruning = Pruning(entry, "lower", study)
        self._losses: dict[int, dict[int, tuple[float, ...]]] = {}

    def begin(self, number: int) -> None:
        """As `Pruning.begin`."""
        self._pruning.begin(number)

    def report(self, number: int, step: int, losses: tuple[float, ...]) -> bool:
        """A candidate has losses, lower being better, in the order of the objectives; whether it goes on."""
        here = self._losses.setdefault(step, {})
        others = list(here.values())
        here.setdefault(number, losses)
        if any(math.isnan(loss) for loss in losses):
            return self._pruning.report(number, step, math.nan)
        share = sum(dominates(other, losses) for other in others) / len(others) if others else 0.0
        return self._pruning.report(number, step, share)

    def end(self, number: int, state: State) -> None:
        """As `Pruning.end`."""
        self._pruning.end(number, state)
