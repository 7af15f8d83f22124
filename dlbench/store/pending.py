"""What of a store MLflow should show, and what of that it is known to show already.

The ledger, `<store>/mlflow/<hash of the URI>.jsonl`, only saves time: who loses it finds everything again by the
tags of the runs. Knows nothing of how runs look and does not import mlflow.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from dlbench.errors import EnvironmentFault
from dlbench.schema.invocation import Invocation
from dlbench.schema.job import Entry
from dlbench.store.address import database
from dlbench.store.folder import Store

ENDED = "ended"
RUNNING = "running"
KILLED = "killed"


class Item(NamedTuple):
    """Something that should stand in MLflow.

    Attributes:
        key: `<job id>/<attempt>`, or the id of an invocation.
        state: changes whenever the run would; of an attempt always `ended`.
    """

    suite: str
    key: str
    state: str


class Shelf:
    """All that one suite of a store could show.

    Args:
        store: where it is read from; read once.
    """

    def __init__(self, store: Store, suite: str) -> None:
        self.store = store
        self.suite = suite
        self.description = store.suite(suite).description
        self.entries = {entry.job.id: entry for entry in store.entries(suite)}
        self.invocations = {invocation.id: invocation for invocation in store.invocations(suite)}
        self._made_in = {
            f"{job}/{attempt}": id for id, invocation in self.invocations.items() for job, attempt in invocation.made
        }

    def items(self) -> list[Item]:
        """Every ended attempt at a job of the suite, then every invocation that made something."""
        attempts = {f"{job}/{jobdir.path.name}": None for job in self.entries for jobdir in self.store.attempts(job)}
        others = (key for key in self._made_in if key not in attempts and self._told(key))
        keys = [key for key in (*attempts, *others) if self._ended(key)]
        states = [(id, self.state(invocation)) for id, invocation in self.invocations.items() if invocation.made]
        return [
            *(Item(self.suite, key, ENDED) for key in keys),
            *(Item(self.suite, id, state) for id, state in states),
        ]

    def parent(self, key: str) -> Invocation | None:
        """The invocation that an attempt was made in; the one that goes on, when no other claims it."""
        if key in self._made_in:
            return self.invocations[self._made_in[key]]
        last = next(reversed(self.invocations.values()), None)
        return last if last is not None and self.state(last) == RUNNING else None

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


def split(key: str) -> tuple[str, int]:
    """`<job id>/<attempt>` → job id and number."""
    job_id, _, attempt = key.partition("/")
    return job_id, int(attempt)


class Ledger:
    """What one MLflow is known to show of one store.

    Args:
        root: the store's folder.
        uri: absolute tracking URI.
    """

    def __init__(self, root: Path, uri: str) -> None:
        name = hashlib.sha256(uri.encode()).hexdigest()[:16]
        self.path = root / "mlflow" / f"{name}.jsonl"
        self.uri = uri
        self._experiments: dict[str, str] = {}
        self._runs: dict[tuple[str, str, str], tuple[str, str]] = {}
        self.read()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from writing this store into this MLflow; what they wrote before is read first.

        Raises:
            EnvironmentFault: the ledger cannot be written.
        """
        try:
            self.path.parent.mkdir(exist_ok=True)
            fd = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise EnvironmentFault(f"{self.path.parent}: cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            self.read()
            yield
        finally:
            os.close(fd)

    def read(self) -> None:
        """Read everything anew."""
        self._experiments, self._runs = {}, {}
        file = database(self.uri)
        if not self.path.exists() or (file is not None and not file.exists()):
            return
        for line in self.path.read_bytes().splitlines():
            try:
                suite, experiment, key, state, run_id = json.loads(line)
            except (ValueError, TypeError):
                continue  # torn by a kill; the run is found again by its tags
            self._experiments[suite] = experiment
            self._runs[suite, experiment, key] = (state, run_id)

    def add(self, item: Item, experiment: str, run_id: str) -> None:
        """Note that a run is in MLflow.

        Args:
            item: with the state that MLflow shows now.
            experiment: identity of the experiment; one that was made anew has another.
            run_id: MLflow's id.
        """
        self._experiments[item.suite] = experiment
        self._runs[item.suite, experiment, item.key] = (item.state, run_id)
        line = json.dumps([item.suite, experiment, item.key, item.state, run_id]) + "\n"
        with open(self.path, "ab") as file:
            if file.tell() and not self._ends_whole():
                line = f"\n{line}"
            file.write(line.encode())

    def run_id(self, suite: str, experiment: str, key: str) -> str | None:
        """MLflow's id of a run, if it is known."""
        known = self._runs.get((suite, experiment, key))
        return known[1] if known else None

    def missing(self, items: Iterable[Item], experiment: str | None = None) -> list[Item]:
        """Those items that MLflow is not known to show as they are.

        Args:
            experiment: identity of the suite's experiment; None: the one that was last written to.
        """
        return [item for item in items if not self._shows(item, experiment or self._experiments.get(item.suite, ""))]

    def _shows(self, item: Item, experiment: str) -> bool:
        known = self._runs.get((item.suite, experiment, item.key))
        return known is not None and known[0] == item.state

    def _ends_whole(self) -> bool:
        with open(self.path, "rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read() == b"\n"


def pending_count(store: Store, uri: str, suites: Iterable[str] | None = None) -> int:
    """How many runs of a store are not known to be in an MLflow; mlflow is not imported.

    Args:
        uri: absolute tracking URI.
        suites: names; default: all.
    """
    ledger = Ledger(store.root, uri)
    names = store.suites() if suites is None else suites
    return sum(len(ledger.missing(Shelf(store, name).items())) for name in names)


def _has_living_writer(root: Path) -> bool:
    """Whether the process that last wrote the store lives; asking by its lock could keep a new writer out."""
    try:
        pid = int((root / "lock").read_text())
        os.kill(pid, 0)
    except (OSError, ValueError) as error:
        return isinstance(error, PermissionError)
    return True
