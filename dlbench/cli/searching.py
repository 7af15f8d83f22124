"""From a planned suite with a `search:` to its studies, ready to run: spaces, strategies, pruners, logs."""

import gc
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlbench.catalog import did_you_mean
from dlbench.cli.planning import Planned
from dlbench.cli.quantities import duration
from dlbench.contracts.strategies import Strategy
from dlbench.errors import Unsupported, UsageError
from dlbench.plan import identity
from dlbench.plan.apart import Apart
from dlbench.plan.candidates import Candidates
from dlbench.plan.contenders import Contender, Resolver
from dlbench.plan.describe import digest_of_plugin
from dlbench.plan.finals import finals
from dlbench.plan.grid import Know
from dlbench.plan.merge import contenders
from dlbench.plan.search import Judge, Search
from dlbench.plan.space import Searchable, space_of
from dlbench.plan.studies import Studies
from dlbench.plan.warm import of_studies, of_trainings
from dlbench.schema.base import Json
from dlbench.schema.job import Entry
from dlbench.schema.record import Result
from dlbench.schema.search import Objective, StrategyEntry
from dlbench.schema.space import Point, Space
from dlbench.schema.study import Study, StudyEvent, StudyHead, Told
from dlbench.store.folder import Store
from dlbench.store.studies import add_job, events, ids, jobs, log, studies, write_head
from dlbench.worker.table import row

if TYPE_CHECKING:
    from dlbench.schema.suite import TaskEntry

IRRELEVANT = {"search", "seeds", "description", "report", "budget_s", "timeout_s", "cost", "plugins"}
"""Keys of a suite that cannot change the course of a study, or not as they are written.

What of `search` can is in the study's head; plugins do by what is in them, not by where they lie.
"""


class Searching:
    """The studies of a planned suite.

    Args:
        todo: the plan.
        store: read for what is known of the studies; None where there is none yet.
    """

    def __init__(self, todo: Planned, store: Store | None) -> None:
        settings = todo.plan.suite.search
        assert settings is not None
        self.todo, self.store, self.settings = todo, store, settings
        self.suite = todo.plan.suite
        self._logs: dict[str, list[StudyEvent]] = {}
        self._earlier: dict[str, tuple[list[Study], list[Result]]] = {}
        self.before = [] if store is None else ids(store, self.suite.name)
        self.resolver: Resolver = replace(todo.plan.resolver, ask_params=todo.describe.once)
        of_tasks = [self.resolver.contenders(number) for number in range(len(self.suite.tasks))]
        self.defaults: list[Contender] = [default for defaults in of_tasks for default in defaults]
        self.heads: list[tuple[Candidates, StudyHead]] = [
            pair for number, defaults in enumerate(of_tasks) for pair in self._of_task(number, defaults)
        ]
        self._check()

    def _check(self) -> None:
        """See that what the search stands on is there.

        Raises:
            UsageError: a suite that it begins from is not in the store, or its table has other trainings.
        """
        there = [] if self.store is None else self.store.suites()
        for name in self.settings.warm_start:
            if name not in there:
                near = did_you_mean(name, there)
                raise UsageError(
                    f"{self.todo.flags.suite}: search.warm_start: {name!r} was not run into this store.{near}"
                )
        for candidates, head in self.heads if self.settings.table is not None else ():
            point = head.space.walk(lambda axis: (axis.values or (axis.low,))[0])
            try:
                row(candidates.train(candidates.contender(point), 0, head.seeds[0]).job)
            except Unsupported as error:
                raise UsageError(f"{self.todo.flags.suite}: search.table: {error}") from error

    def _of_task(self, number: int, defaults: Sequence[Contender]) -> list[tuple[Candidates, StudyHead]]:
        task = self.suite.tasks[number]
        if not defaults:
            raise UsageError(f"{self.todo.flags.suite}: `exclude:` leaves {task.name} nothing that a search can vary.")
        default = defaults[0]
        candidates = Candidates(self.resolver, number, self.settings, self.todo.describe.once, self.todo.plan.roots)
        space = self._space(number, task)
        common = {
            "suite": self.suite.name,
            "task": task.name,
            "dataset": default.dataset.name,
            "digest": default.dataset.digest,
            "space": space,
            "objectives": self.settings.objectives or (self._own_score(candidates, default),),
            "constraints": self.settings.constraints,
            "pruner": self.settings.pruner,
            "budget": self.settings.budget,
            "seeds": self.settings.seeds,
        }
        base = self.resolver.suite.model_dump(mode="json", exclude=IRRELEVANT)
        base["plugins"] = {
            shelf: sorted(digest_of_plugin(Path(path)) for path in paths)
            for shelf, paths in self.resolver.suite.plugins.items()
        }
        about: dict[str, Json] = {"base": base, "number": number, "digest": default.common["dataset"]}
        return [
            (candidates, self._head(strategy, seed, common, about))
            for seed in self.settings.studies
            for strategy in self.settings.strategies
        ]

    def _head(self, strategy: StrategyEntry, seed: int, common: dict[str, Any], about: dict[str, Json]) -> StudyHead:
        own = {**common, "pruner": strategy.pruner or common["pruner"]}
        head = StudyHead(id="", strategy=strategy, seed=seed, optuna=_optuna_version(), **own)
        settings = self.settings.model_dump(mode="json", include={"first", "warm_start", "table"})
        course = head.model_dump(
            mode="json", exclude={"id": True, "budget": True, "optuna": True, "strategy": {"times", "pruner"}}
        )
        return head.model_copy(update={"id": identity.digest({**about, "settings": settings, "head": course})})

    def _space(self, number: int, task: "TaskEntry") -> Space:
        dataset = self.resolver.chosen[number]
        models = contenders(self.suite, task)
        plugins = self.suite.plugins
        asked: list[dict[str, Json]] = [
            {"what": "space", "name": m.name, "preset": m.preset, "params": m.params, "plugins": plugins}
            for m in models
        ]
        own = self.todo.describe(asked)
        facts = [
            Searchable(
                model.label or model.name, self._parameters("models", model.name), answer.get("space", {}), model.vary
            )
            for model, answer in zip(models, own, strict=True)
        ]
        having = {
            "task": self._parameters("tasks", task.name),
            "dataset": self._parameters("datasets", dataset.name),
        }
        return space_of(self.settings, facts, self.suite.vary, having)

    def _parameters(self, shelf: str, name: str) -> list[str]:
        asked = {"what": "module", "shelf": shelf, "name": name, "plugins": self.suite.plugins}
        return list(self.todo.describe([asked])[0]["schema"].get("properties", ()))

    def _own_score(self, candidates: Candidates, default: Contender) -> Objective:
        """The task's own score; where the default cannot be built, which the preflight tells, any that it can give."""
        found = candidates.own_score(default)
        if found is None:
            asked = {"what": "module", "shelf": "tasks", "name": default.task.name, "plugins": self.suite.plugins}
            name, better = next(iter(self.todo.describe([asked])[0]["scores"].items()))
            found = Objective(metric=f"val_{name}", better=better)
        return found

    # --- looking ----------------------------------------------------------------------------------------------

    @property
    def ids(self) -> list[str]:
        """Ids of the studies."""
        return [head.id for _, head in self.heads]

    def known(self) -> list[Entry]:
        """The jobs that these studies have named before."""
        return [] if self.store is None else [entry for id in self.ids for entry in jobs(self.store, id)]

    def lines(self) -> list[str]:
        """A line for the user about each task's studies."""
        found = self._differences()
        for task in dict.fromkeys(head.task for _, head in self.heads):
            heads = [head for _, head in self.heads if head.task == task]
            space = heads[0].space
            size = space.size()
            limits = heads[0].budget.model_dump(exclude_none=True)
            told = sum(event.kind == "told" for head in heads for event in self._past(head))
            strategies = ", ".join(dict.fromkeys(head.strategy.label for head in heads))
            axes = ", ".join(axis.name for axis in space.axes)
            parts = [
                f"search on {task}: {len(heads)} {'study' if len(heads) == 1 else 'studies'} ({strategies})",
                "each until " + " or ".join(_spent(unit, value) for unit, value in limits.items()),
                f"of {'endlessly many' if size is None else f'{size:,}'} candidate{'' if size == 1 else 's'} ({axes})",
                f"for {', '.join(objective.metric for objective in heads[0].objectives)}",
            ]
            parts += [f"pruned by {heads[0].pruner.name}"] if heads[0].pruner is not None else []
            parts += [f"{told} told before"] if told else []
            parts += self._duration(task, heads, size)
            found.append(", ".join(parts))
        return found

    def _duration(self, task: str, heads: Sequence[StudyHead], size: int | None) -> list[str]:
        """How long it takes beside the rest, as far as the defaults tell; what is pruned takes less."""
        trials, entries = self.settings.budget.trials, [e for e in self.todo.plan.entries if e.job.task.name == task]
        known = [self.todo.estimator.seconds(entry) for entry in entries if entry.job.kind == "train"]
        seconds = [each for each in known if each is not None]
        if trials is None or not seconds or self.settings.table is not None:
            return []
        left = 0.0
        for head in heads:
            tried = sum(e.kind == "asked" and e.same_as is None and e.origin != "warm" for e in self._past(head))
            left += max(0.0, min(trials * head.strategy.times, math.inf if size is None else size) - tried)
        all_s = max(seconds) * left * len(self.settings.seeds) / self.todo.slots
        return [f"about {duration(all_s)} or so more if nothing is pruned and all are like the default"] if left else []

    def _differences(self) -> list[str]:
        """That the suite had other studies before, which its results no longer show."""
        gone = set(self.before) - set(self.ids)
        if not gone:
            return []
        many = "a study" if len(gone) == 1 else f"{len(gone)} studies"
        return [f"{many} that this suite had before is not the one it asks for now: kept in the store, no longer shown"]

    def _past(self, head: StudyHead) -> list[StudyEvent]:
        """A study's log before this run, read once."""
        if head.id not in self._logs:
            self._logs[head.id] = [] if self.store is None else events(self.store, head.id)
        return self._logs[head.id]

    # --- running ----------------------------------------------------------------------------------------------

    def source(self, store: Store, earlier: Sequence[Entry], know: Know, note: Callable[[str], None]) -> "Source":
        """The studies, brought to where their logs end.

        Args:
            earlier: the suite's last index.
            know: what the store has of a job.
            note: hears a line for the user.
        """
        return Source(self, store, earlier, know, note)

    def search(
        self,
        candidates: Candidates,
        head: StudyHead,
        store: Store,
        log: Callable[[str, StudyEvent], None],
        note: Callable[[str], None],
    ) -> Search:
        """One study, brought to where its log ends."""
        write_head(store, head)
        return Search(
            head,
            self._strategy(head),
            _judge(head),
            candidates,
            lambda event: log(head.id, event),
            self._past(head),
            self._warm(candidates, head, store),
            note,
        )

    def _warm(self, candidates: Candidates, head: StudyHead, store: Store) -> list[tuple[Point, Told]]:
        """What the suites that the search names have found of its candidates, each once."""
        found: dict[str, tuple[Point, Told]] = {}
        for name in self.settings.warm_start:
            if name not in self._earlier:
                self._earlier[name] = studies(store, name), store.results(name)
            others, results = self._earlier[name]
            known = [*of_studies(head, others), *of_trainings(head, candidates, results)]
            for point, told in known:
                found.setdefault(str(sorted(point.items())), (point, told))
        return list(found.values())

    def _strategy(self, head: StudyHead) -> Strategy:
        entry, plugins = head.strategy, self.suite.plugins
        module: Any = self.resolver.catalog.load("strategies", entry.name)
        if module.APART:
            return Apart(self.todo.describe.once, entry, head.space, head.objectives, head.seed, dict(plugins))
        params = module.Params.model_validate(entry.params)
        strategy: Strategy = module.build(params, head.space, head.objectives, head.seed)
        return strategy


class Source(Studies):
    """The studies of a run, with the suite's index kept in step.

    Attributes:
        entries: every job that was named, now or in an earlier run.
        grew: whether any study has gone on.
    """

    def __init__(
        self,
        searching: Searching,
        store: Store,
        earlier: Sequence[Entry],
        know: Know,
        note: Callable[[str], None],
    ) -> None:
        self._searching, self._store, self._earlier, self._know = searching, store, earlier, know
        self._candidates = {head.id: candidates for candidates, head in searching.heads}
        self.entries = searching.known()
        self.grew = False
        self._there = {(entry.study, entry.candidate, entry.job.id) for entry in self.entries}
        super().__init__(
            [searching.search(candidates, head, store, self._log, note) for candidates, head in searching.heads],
            self._judged,
            self._add,
            note,
            searching.suite.budget_s,
        )
        gc.freeze()  # what logs brought back stays: walking it in every collection would take longer than an answer

    def _log(self, study: str, event: StudyEvent) -> None:
        self.grew = True
        log(self._store, study, event)

    def _judged(self, ended: Sequence[Study]) -> list[Entry]:
        pairs = [(self._candidates[study.head.id], study) for study in ended]
        searching = self._searching
        return finals(searching.suite, searching.resolver, pairs, searching.defaults, self._earlier, self._know)

    def _add(self, entry: Entry) -> None:
        key = (entry.study, entry.candidate, entry.job.id if entry.study else f"{entry.job.id} {entry.label}")
        if key not in self._there:
            self._there.add(key)
            self.entries.append(entry)
            if entry.study is not None:
                add_job(self._store, entry)
            self._store.add_entry(self._searching.suite.name, entry)


def _spent(unit: str, value: float) -> str:
    if unit == "trials":
        return f"{value:g} candidate{' was' if value == 1 else 's were'} tried"
    return f"{value:g} {unit} were spent"


def _judge(head: StudyHead) -> Judge | None:
    """The pruner of a study, if it has one."""
    from dlbench.strategies._pruning import ParetoPruning, Pruning

    if head.pruner is None:
        return None
    if head.judged_on == "pareto":
        return ParetoPruning(head.pruner, head.id)
    better = next(objective.better for objective in head.objectives if objective.metric == head.judged_on)
    return Pruning(head.pruner, better, head.id)


def _optuna_version() -> str:
    from importlib.metadata import version

    return version("optuna")
