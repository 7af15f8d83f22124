"""All that one suite of a store could show in MLflow. Knows nothing of how runs look, nor of what is shown already."""

import hashlib
import os
from typing import Literal, NamedTuple

from pydantic import ValidationError

from dlbench.errors import StoreError
from dlbench.schema.invocation import Invocation
from dlbench.schema.job import Entry
from dlbench.store.damage import why_unreadable
from dlbench.store.folder import Store
from dlbench.store.growing import Growing
from dlbench.store.identity import split, study_key
from dlbench.store.settings import apart
from dlbench.store.studies import ids
from dlbench.store.study_log import StudyLog

ENDED = "ended"
RUNNING = "running"
KILLED = "killed"

Phase = Literal["running", "killed", "ended"]
"""How it stands with a study, as far as the invocation tells that last wrote into it."""


class Item(NamedTuple):
    """Something that should stand in MLflow.

    Attributes:
        key: `<job id>/<attempt>`, `study:<id>`, or the id of an invocation.
        state: changes whenever the run would; of an attempt always `ended`.
    """

    suite: str
    key: str
    state: str


class Shelf:
    """All that one suite of a store could show.

    Args:
        store: where it is read from, when this is made and again by `refresh`.

    Attributes:
        entries: job → its first line in the suite's index.
        invocations: by id, first to last.
        studies: by id, in the order of the index.
        several_models: whether a candidate does not go without saying of which model it is.
        apart: what tells contenders of one label apart (`dlbench.store.settings.apart`).
    """

    def __init__(self, store: Store, suite: str) -> None:
        self.store = store
        self.suite = suite
        read = store.suite(suite)
        self.description = read.description
        self.several_models = any(len(task.models or read.models) > 1 for task in read.tasks)
        self._index = Growing(store.root / "suites" / suite / "jobs.jsonl")
        self.entries: dict[str, Entry] = {}
        self.apart: tuple[str, ...] = ()
        self.studies: dict[str, StudyLog] = {}
        self.invocations: dict[str, Invocation] = {}
        self._made_in: dict[str, str] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read what has been written since: the new lines only of what grows by lines.

        Raises:
            StoreError: the index cannot be read.
        """
        self._read_index()
        for log in self.studies.values():
            log.refresh()
        self.invocations = {invocation.id: invocation for invocation in self.store.invocations(self.suite)}
        self._made_in = {
            f"{job}/{attempt}": id for id, invocation in self.invocations.items() for job, attempt in invocation.made
        }

    def items(self) -> list[Item]:
        """Every ended attempt at a job of the suite, every study, then every invocation that has any of them."""
        attempts = {f"{job}/{jobdir.path.name}": None for job in self.entries for jobdir in self.store.attempts(job)}
        others = (key for key in self._made_in if key not in attempts and self._told(key))
        keys = [key for key in (*attempts, *others) if self._ended(key)]
        began = {invocation.id for study in self.studies if (invocation := self.began_in(study)) is not None}
        shown = [invocation for invocation in self.invocations.values() if invocation.made or invocation.id in began]
        return [
            *(Item(self.suite, key, ENDED) for key in keys),
            *self.study_items(),
            *(Item(self.suite, invocation.id, self.state(invocation)) for invocation in shown),
        ]

    def study_items(self) -> list[Item]:
        """Every study that can be read."""
        return [self.study_item(id) for id, log in self.studies.items() if log.shows]

    def study_item(self, id: str) -> Item:
        """A study; its state is a digest of all that was written to it, and of how it stands."""
        return Item(self.suite, study_key(id), f"{self.studies[id].digest}-{self.phase(id)}")

    def parent(self, key: str) -> Invocation | None:
        """The invocation that an attempt was made in; the one that goes on, when no other claims it."""
        if key in self._made_in:
            return self.invocations[self._made_in[key]]
        last = next(reversed(self.invocations.values()), None)
        return last if last is not None and self.state(last) == RUNNING else None

    def study_of(self, key: str) -> str | None:
        """The study to whose run an attempt belongs: the first that asked for its job, if it can be read."""
        entry = self.entries.get(split(key)[0])
        log = self.studies.get(entry.study) if entry is not None and entry.study is not None else None
        return entry.study if entry is not None and log is not None and log.shows else None

    def began_in(self, study: str) -> Invocation | None:
        """The invocation that a study began in."""
        return self._at(self.studies[study].began)

    def phase(self, study: str) -> Phase:
        """Whether the invocation that last wrote into a study goes on, was killed, or has ended."""
        invocation = self._at(self.studies[study].latest)
        state = ENDED if invocation is None else self.state(invocation)
        return "running" if state == RUNNING else "killed" if state == KILLED else "ended"

    def problem(self) -> str | None:
        """What is wrong with studies, one line; None if nothing is."""
        problems = [log.problem for log in self.studies.values() if log.problem is not None]
        more = f" (and {len(problems) - 1} more like it)" if len(problems) > 1 else ""
        return f"{problems[0].rstrip('.')}, so its study is not shown{more}" if problems else None

    def entry(self, key: str) -> Entry:
        """What the suite calls an attempt's job; the words of `job.json` when the suite no longer has it."""
        job_id, attempt = split(key)
        if job_id in self.entries:
            return self.entries[job_id]
        work = self.store.jobdir(job_id, attempt).work()
        return Entry(job=work.job, label=work.label)

    def state(self, invocation: Invocation) -> str:
        """`running`, `killed`, or a digest of the final account."""
        if invocation.ended_at is not None:
            return hashlib.sha256(invocation.model_dump_json().encode()).hexdigest()[:16]
        latest = invocation.id == next(reversed(self.invocations))
        return RUNNING if latest and _has_living_writer(self.store.root) else KILLED

    def _read_index(self) -> None:
        path = self._index.path
        try:
            lines, anew = self._index.news()
            if anew:
                self.entries, self.studies = {}, {}
            for study in ids(self.store, self.suite):  # also those none of whose candidates came to have a job
                self._hear_of(study)
            for line in lines:
                self._take(Entry.model_validate_json(line))
            if lines:
                self.apart = apart(self.entries.values())
        except (ValidationError, OSError) as error:
            raise StoreError(f"{path}: {why_unreadable(path, error)} `dlbench run` writes it anew.") from error

    def _take(self, entry: Entry) -> None:
        self.entries.setdefault(entry.job.id, entry)
        if entry.study is not None:
            self._hear_of(entry.study)

    def _hear_of(self, study: str) -> None:
        if study not in self.studies:
            self.studies[study] = StudyLog(self.store.root / "studies" / study)

    def _at(self, t: float | None) -> Invocation | None:
        """The invocation in which something happened at a time; the first, if none had begun then."""
        if t is None:
            return None
        before = [one for one in self.invocations.values() if one.started_at.timestamp() <= t]
        return before[-1] if before else next(iter(self.invocations.values()), None)

    def _told(self, key: str) -> bool:
        """Whether the job of an attempt that the suite no longer has can still be read."""
        try:
            self.entry(key)
        except (ValidationError, OSError):
            return False
        return True

    def _ended(self, key: str) -> bool:
        job_id, attempt = split(key)
        return os.path.exists(f"{self.store.root}/jobs/{job_id}/{attempt}/record.json")


def _has_living_writer(root: os.PathLike[str]) -> bool:
    """Whether the process that last wrote the store lives; asking by its lock could keep a new writer out."""
    try:
        with open(os.path.join(root, "lock")) as file:
            os.kill(int(file.read()), 0)
    except (OSError, ValueError) as error:
        return isinstance(error, PermissionError)
    return True
