"""What the records of a store say of one commit of the code: a suite's results as they were at that revision.

A suite's index knows the jobs of its last run alone, so the folders of all attempts are read. A label is that of the
attempt. Candidates of studies are left out, as everywhere that contenders are compared.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property

from pydantic import ValidationError

from dlbench.schema.job import CostPoint, Entry, Job
from dlbench.schema.record import DONE, Result
from dlbench.store.damage import why_unreadable
from dlbench.store.folder import Store
from dlbench.store.marker import listdir


class Revisions:
    """The attempts of a store by the commit that their records name; all are read once, when first asked for."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @cached_property
    def _attempts(self) -> tuple[Result, ...]:
        return tuple(_attempts(self.store))

    @cached_property
    def commits(self) -> tuple[str, ...]:
        """Every commit that a record names, that of the newest record first."""
        newest: dict[str, float] = {}
        for result in self._attempts:
            if (commit := _commit(result)) is not None:
                newest[commit] = max(newest.get(commit, 0.0), _rank(result)[1])
        return tuple(sorted(newest, key=lambda commit: newest[commit], reverse=True))

    def results(self, suite: str, commit: str) -> list[Result]:
        """The results of a suite at a commit: of several attempts at one thing the last that is `ok`.

        Raises:
            StoreError: the suite's index cannot be read.
        """
        mine, foreign = _jobs_of(self.store, suite)
        found: dict[tuple[object, ...], Result] = {}
        for result in self._attempts:
            job = result.entry.job
            if _commit(result) != commit or (job.id not in mine and job.id in foreign):
                continue
            if job.kind == "train" and "test" not in job.splits:
                continue  # a candidate of a study
            key = _same(result)
            if key not in found or _rank(result) > _rank(found[key]):
                found[key] = result
        return [found[key] for key in sorted(found, key=str)]


def _jobs_of(store: Store, suite: str) -> tuple[set[str], set[str]]:
    """Ids of the jobs that belong to a suite, and of those that belong to others, by their indexes and calls."""
    ids: dict[str, set[str]] = {}
    candidates: set[str] = set()
    for name in store.suites():
        entries = store.entries(name)
        ids[name] = {entry.job.id for entry in entries if entry.study is None}
        ids[name] |= {job_id for call in store.invocations(name) for job_id, _ in call.made}
        candidates |= {entry.job.id for entry in entries if entry.study is not None} - ids[name]
    others = set().union(*(found for name, found in ids.items() if name != suite), candidates)
    return ids.get(suite, set()), others


def _attempts(store: Store) -> Iterator[Result]:
    for job_id in sorted(listdir(store.root / "jobs")):
        for jobdir in store.attempts(job_id):
            try:
                record = jobdir.record()
                if record is not None:
                    work = jobdir.work()
                    entry = Entry(job=work.job, label=work.label)
                    yield Result.model_construct(entry=entry, record=record, folder=str(jobdir.path))
            except (ValidationError, OSError) as error:
                store.unreadable[jobdir.path / "record.json"] = why_unreadable(jobdir.path / "record.json", error)


def _commit(result: Result) -> str | None:
    commit = result.record.code.get("git_commit") if result.record is not None else None
    return commit if isinstance(commit, str) else None


def _same(result: Result) -> tuple[object, ...]:
    """What two attempts have in common that measured the same thing, whatever their settings."""
    job: Job = result.entry.job
    point: CostPoint | None = job.cost
    cost = (point.batch_size, point.round, point.anchor, point.largest_batch, point.phases) if point else ()
    data = (job.dataset.name, str(sorted(job.dataset.params.items(), key=str)), job.dataset.digest)
    task = (job.task.name, str(sorted(job.task.params.items(), key=str)))
    return (*task, *data, result.entry.label, job.precision, job.device, job.kind, job.seed, *cost)


def _rank(result: Result) -> tuple[bool, float]:
    assert result.record is not None
    return result.record.status in DONE, result.record.started_at.timestamp()


def matching(known: Iterable[str], prefix: str) -> list[str]:
    """The commits that begin with a prefix of at least four digits."""
    return [commit for commit in known if len(prefix) >= 4 and commit.startswith(prefix.lower())]
