"""The `search:` block of a suite after reading: what is searched, how, for what, and until when."""

from typing import Literal

from pydantic import Field, model_validator

from dlbench.schema.base import Json, Value
from dlbench.schema.metric import Direction
from dlbench.schema.space import Axis

PrunerName = Literal["median", "successive_halving", "hyperband", "patient", "wilcoxon"]


class PrunerEntry(Value):
    """A pruner with its parameters.

    Attributes:
        on: the objective whose intermediate values it judges, or `pareto`: how many others dominate the candidate at
            the same validation. None: the only objective, or `pareto` where there are several.
    """

    name: PrunerName
    params: dict[str, Json] = {}
    on: str | None = None


class StrategyEntry(Value):
    """A strategy with its parameters.

    Attributes:
        label: what tables call it; unique in a suite.
        times: how many times the budget it has.
        pruner: of its studies, instead of the search's.
    """

    name: str
    label: str
    params: dict[str, Json] = {}
    times: float = Field(1.0, gt=0, le=1000)
    pruner: PrunerEntry | None = None


class Objective(Value):
    """A metric to be made better.

    Attributes:
        batch_size: at which a cost is measured; None: the first of the suite's `cost.batch_sizes`.
    """

    metric: str
    better: Direction
    batch_size: int | None = Field(None, gt=0, le=2**24)


class Constraint(Value):
    """A metric with a bound; a candidate beyond it is not trained, where that can be told before."""

    metric: str
    at_most: float | None = None
    at_least: float | None = None
    batch_size: int | None = Field(None, gt=0, le=2**24)

    @model_validator(mode="after")
    def _one_bound(self) -> "Constraint":
        if (self.at_most is None) == (self.at_least is None):
            raise ValueError("a constraint has one bound: at_most or at_least")
        return self

    def violation(self, value: float) -> float:
        """How far a value is beyond the bound, as a share of it; 0 or less: it is not."""
        bound = self.at_most if self.at_most is not None else self.at_least
        assert bound is not None
        beyond = value - bound if self.at_most is not None else bound - value
        return beyond / abs(bound) if bound else beyond


class SearchBudget(Value):
    """When a study ends: at the first of its limits.

    Attributes:
        trials: distinct candidates that were tried, whatever became of them.
        epochs: passes over the training split, of all candidates together.
        seconds: running time of all their jobs together.
        flops: operations of all their training, counted on the meta device.
    """

    trials: int | None = Field(None, gt=0, le=1_000_000)
    epochs: float | None = Field(None, gt=0)
    seconds: float | None = Field(None, gt=0)
    flops: float | None = Field(None, gt=0)


DEFAULT_TRIALS = 32
"""Of a search that says nothing of its budget."""


class SearchSettings(Value):
    """The `search:` block of a suite.

    Attributes:
        space: axes over the suite's `vary:`; None: what the suite varies and the choice among its models, or, where
            there is neither, the space that the model itself declares.
        own: whether the models' own spaces are searched as well (`model.*: own`).
        strategies: each runs its own studies under the same budget.
        objectives: empty: the task's own score on the validation split.
        seeds: of each candidate's trainings; the winner is trained with the suite's.
        studies: seeds of the studies; each strategy runs one study for each.
        first: candidates to try before the strategy is asked.
        warm_start: suites whose finished candidates and trainings are told to the strategy before the first ask.
        winners: how many of the best candidates of each study are retrained and scored on the test split.
        table: a table of trainings that answers instead of training.
    """

    space: tuple[Axis, ...] | None = None
    own: bool = False
    strategies: tuple[StrategyEntry, ...] = (StrategyEntry(name="tpe", label="tpe"),)
    pruner: PrunerEntry | None = None
    objectives: tuple[Objective, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    budget: SearchBudget = SearchBudget(trials=DEFAULT_TRIALS)
    seeds: tuple[int, ...] = (1000,)
    studies: tuple[int, ...] = (0,)
    first: tuple[dict[str, Json], ...] = ()
    warm_start: tuple[str, ...] = ()
    winners: int = Field(1, ge=0, le=100)
    table: str | None = None

    @property
    def wide(self) -> bool:
        """Whether several studies of a task stand against each other."""
        return len(self.strategies) > 1 or len(self.studies) > 1
