"""A suite → a plan: datasets chosen and had, every job with its id, and what there is to say about it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlbench.catalog import Catalog
from dlbench.errors import DataError
from dlbench.plan.ask import Ask
from dlbench.plan.contenders import Resolver
from dlbench.plan.data import Candidate, DataOptions, choose
from dlbench.plan.finals import unvaried
from dlbench.plan.grid import Know, expand
from dlbench.schema.base import Json
from dlbench.schema.data import DataCopy
from dlbench.schema.job import Entry
from dlbench.schema.suite import DatasetEntry, Suite, TaskEntry

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What a run would do.

    Attributes:
        suite: as read, with overrides.
        entries: all jobs in order, skipped ones included.
        roots: digest of a dataset → folder of its files, None for a built-in one.
        choices: task → name of the dataset that was taken, for the store to keep.
        notes: lines for the user: why a dataset, what is unofficial.
        resolver: what made the entries; a search goes on with it.
    """

    suite: Suite
    entries: tuple[Entry, ...]
    roots: Mapping[str, Path | None]
    choices: Mapping[str, str]
    notes: tuple[str, ...]
    resolver: Resolver


class Datasets:
    """Chooses a dataset for each task and remembers the copies.

    Args:
        describe: answers about the shelves.
        options: where data may come from.
        plugins: of the suite.
        tell: hears a line before something slow begins.
    """

    def __init__(
        self, describe: Ask, options: DataOptions, plugins: Mapping[str, Sequence[str]], tell: Tell = lambda line: None
    ) -> None:
        self.describe, self.options, self.plugins, self.tell = describe, options, dict(plugins), tell
        self.notes: list[str] = []
        self.roots: dict[str, Path | None] = {}
        self._copies: dict[str, DataCopy] = {}

    def take(self, task: TaskEntry, before: str | None) -> DatasetEntry:
        """The dataset for a task: the one taken before, or the first of its list that can be had.

        Raises:
            DataError: none can be had.
        """
        listed = task.dataset or tuple(DatasetEntry(name=name) for name in self._module("tasks", task.name)["datasets"])
        kept = [entry for entry in listed if entry.name == before]
        candidates = [self._candidate(entry.name, entry.params) for entry in kept or listed]
        try:
            choice = choose(candidates, self.options, self.tell)
        except DataError as error:
            hint = f"\nThis suite used {before} before; --re-resolve chooses anew." if kept else ""
            raise DataError(f"task {task.name}: {error}{hint}") from error
        taken = (kept or listed)[choice.index]
        why = f", as before (--re-resolve chooses anew among {len(listed)})" if kept and len(listed) > 1 else ""
        official = "" if choice.data.official else ", an unofficial copy"
        self.notes += choice.notes
        self.notes.append(f"{task.name}: {taken.name} from {_where(choice.data)}{official}{why}")
        return taken

    def copy_of(self, name: str, params: Mapping[str, Json]) -> DataCopy:
        """The copy of a dataset with complete parameters."""
        candidate = self._candidate(name, params)
        key = name if candidate.files else f"{name} {sorted(params.items())}"
        if key not in self._copies:
            self._copies[key] = choose([candidate], self.options).data
            self.roots[self._copies[key].digest] = self._copies[key].root
        return self._copies[key]

    def _candidate(self, name: str, params: Mapping[str, Json]) -> Candidate:
        module = self._module("datasets", name)
        return Candidate(
            name=name, files=module["files"], params={**module["defaults"], **params}, revision=module["revision"]
        )

    def _module(self, shelf: str, name: str) -> dict[str, Json]:
        return self.describe([{"what": "module", "shelf": shelf, "name": name, "plugins": self.plugins}])[0]


def _where(data: DataCopy) -> str:
    return {"built-in": "dlbench itself (built-in)", "cache": "the cache", "mirror": "the mirror"}.get(
        data.source, "a download"
    )


def make_plan(
    suite: Suite,
    datasets: Datasets,
    *,
    before: Mapping[str, Json],
    earlier: Sequence[Entry],
    know: Know,
    smoke: bool = False,
) -> Plan:
    """Plan a suite; of one with a search, what is known beforehand: the defaults.

    Args:
        suite: validated.
        datasets: chooses and fetches.
        before: task → dataset that was taken by an earlier plan of this suite; empty to choose anew.
        earlier: the suite's last index.
        know: what the store has of a job.
        smoke: only the first combination of each task and model.

    Raises:
        DataError: a task's dataset cannot be had.
    """
    keys = [f"{number} {task.name}" for number, task in enumerate(suite.tasks)]
    chosen = [datasets.take(task, before.get(key)) for key, task in zip(keys, suite.tasks, strict=True)]
    resolver = Resolver(
        suite if suite.search is None else unvaried(suite),
        chosen,
        Catalog(suite.plugins),
        datasets.describe,
        datasets.copy_of,
        first_only=smoke,
    )
    judges = suite.search is None or suite.search.winners > 0
    entries = expand(resolver, earlier, know) if judges else []
    return Plan(
        suite=suite,
        entries=tuple(entries),
        roots=datasets.roots,
        choices={key: entry.name for key, entry in zip(keys, chosen, strict=True)},
        notes=tuple(dict.fromkeys(datasets.notes)),
        resolver=resolver,
    )
