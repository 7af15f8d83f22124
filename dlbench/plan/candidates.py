"""From a point of a search space to the jobs that tell what it is worth, on one task of a suite."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dlbench.errors import Impossible, UsageError
from dlbench.plan.ask import Ask
from dlbench.plan.contenders import Contender, Resolver
from dlbench.plan.grid import CostGrid, train_entry
from dlbench.plan.merge import contenders
from dlbench.plan.searching import COUNTED, MEASURED, TRAINED
from dlbench.plan.space import MODEL, combination
from dlbench.schema.base import Json
from dlbench.schema.job import Entry, Work
from dlbench.schema.search import Constraint, Objective, SearchSettings
from dlbench.schema.space import Point
from dlbench.schema.suite import CostSettings, Phase

SPLITS = ("val",)
"""A search never sees the test split."""


@dataclass
class Candidates:
    """Makes the jobs of candidates of one task.

    Args:
        resolver: of the suite without what it varies.
        task: number of the task.
        settings: of the search.
        ask: answers about this machine's models, nothing kept.
        roots: digest of a dataset → folder of its files.
    """

    resolver: Resolver
    task: int
    settings: SearchSettings
    ask: Ask
    roots: Mapping[str, Path | None]

    def __post_init__(self) -> None:
        wanted: list[Objective | Constraint] = [*self.settings.objectives, *self.settings.constraints]
        names = {each.metric for each in wanted}
        self.counts = bool(names & set(COUNTED)) or self.settings.budget.flops is not None
        self.cost = self._cost({n for n in names if n.startswith(MEASURED) and n not in TRAINED})
        if self.cost is not None:
            sizes = {each.batch_size for each in wanted if each.batch_size is not None}
            if len(sizes) > 1:
                raise UsageError(
                    f"{self.resolver.suite.name}: a search measures cost at one batch_size, not at {sizes}"
                )
            self.batch_size = sizes.pop() if sizes else self.cost.settings.batch_sizes[0]

    def _cost(self, names: set[str]) -> CostGrid | None:
        """What measures these metrics; None if there are none."""
        phases: tuple[Phase, ...] = tuple(
            p for p in ("train", "infer", "decode", "sample") if any(name.startswith(f"{p}_") for name in names)
        )
        if not phases:
            return None
        own = self.resolver.suite.cost or CostSettings()
        return CostGrid(self.resolver, own.model_copy(update={"phases": phases, "rounds": 1}))

    def contender(self, point: Point) -> Contender:
        """The configuration of a candidate.

        Raises:
            UsageError: its values do not fit each other, or it is excluded.
        """
        labels = [model.label for model in contenders(self.resolver.suite, self.resolver.suite.tasks[self.task])]
        found = self.resolver.candidate(self.task, str(point.get(MODEL, labels[0])), combination(point))
        if found.skipped is not None:
            raise Impossible(found.skipped)
        return found

    def facts(self, contender: Contender) -> dict[str, float]:
        """What can be counted before anything runs, where the search asks for it; no operator is run.

        Raises:
            UsageError: the configuration cannot be built.
        """
        if not self.counts:
            return {}
        answer = self._checked(contender)
        if not answer["ok"]:
            raise Impossible(str(answer["reason"]))
        names = (*COUNTED, "train_size")
        return {name: float(answer[name]) for name in names if answer.get(name) is not None}

    def own_score(self, contender: Contender) -> Objective | None:
        """The task's own score over its data, on the validation split; None if the contender cannot be built."""
        answer = self._checked(contender)
        if not answer["ok"]:
            return None
        name, better = next(iter(answer["scores"].items()))
        return Objective(metric=f"val_{name}", better=better)

    def _checked(self, contender: Contender) -> dict[str, Json]:
        entry = self.train(contender, 0, self.settings.seeds[0])
        work = Work(
            job=entry.job,
            attempt=0,
            label=entry.label,
            data_root=self.roots.get(entry.job.dataset.digest),
            plugins=self.resolver.catalog.plugins,
        )
        (answer,) = self.ask([{"what": "check", "work": work.model_dump(mode="json")}])
        return answer

    def train(self, contender: Contender, number: int, seed: int) -> Entry:
        """One training of a candidate."""
        label = f"{contender.model.name} #{number}"
        return train_entry(contender, seed, SPLITS, self.settings.table, label=label, candidate=number)

    def measure(self, contender: Contender, number: int) -> Entry | None:
        """The measurement of a candidate, if the search asks for what only measuring tells."""
        if self.cost is None:
            return None
        entry = self.cost.entry(contender, self.batch_size, 0)
        return entry.model_copy(update={"label": f"{contender.model.name} #{number}", "candidate": number})
