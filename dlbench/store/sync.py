"""Bring what a store holds into MLflow: `dlbench sync`, and what runs beside `dlbench run`.

Decides what is written and in which order; says so in one line when it cannot. mlflow is imported with the first
connection, not with this module.
"""

import importlib
import os
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dlbench.errors import EnvironmentFault
from dlbench.schema.base import Value
from dlbench.schema.invocation import Invocation
from dlbench.store.address import available, is_remote, shown, unreachable
from dlbench.store.folder import Store
from dlbench.store.pending import ENDED, KILLED, RUNNING, Item, Ledger, Shelf, split
from dlbench.store.runs import STATE, STORE, SUITE, Found, Run, identity_of, of_attempt, of_invocation
from dlbench.worker.lock import machine_lock

if TYPE_CHECKING:
    from dlbench.store.mlflow import Experiment, Tracker

SEARCH_ALL_FROM = 20
"""With so many runs to write, one search for all that MLflow has is quicker than one for each."""

ASK_AGAIN_S = 10.0
"""A server that did not answer is not asked again for a while, so that a run's end does not wait for it twice."""

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}
"""Environment in which mlflow neither talks nor calls home."""

IMPATIENT = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "5", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
"""Left to itself, mlflow asks a server that is down for 248 s; what the user has set stays."""


class SyncReport(Value):
    """What a sync did.

    Attributes:
        created: runs that are new in MLflow.
        updated: runs that were there, half-written or with an older account.
        pending: runs of the store that MLflow is not known to show.
        error: why some are pending, one line.
    """

    created: int = 0
    updated: int = 0
    pending: int = 0
    error: str | None = None


def sync(
    store_root: Path,
    tracking_uri: str,
    *,
    suites: Iterable[str] | None = None,
    lock_dir: Path | None = None,
) -> SyncReport:
    """Write every run of a store into MLflow that is not there.

    Args:
        tracking_uri: absolute (`address.tracking_uri`).
        suites: names; default: all of the store.
        lock_dir: folder of the machine's lock; None: measurements are not waited for.

    Raises:
        StoreError: there is no store, or it cannot be read.
        UsageError: a suite was never run into it.
    """
    session = Session(Store.open(store_root, create=False), tracking_uri, lock_dir)
    return session.sync(session.store.suites() if suites is None else list(suites))


class Busy(Exception):
    """The machine is measuring; an impatient session comes back later, for who queues is in the way."""


class Session:
    """One process's work of bringing one store into one MLflow.

    Args:
        store: only read; the ledger is kept beside it.
        uri: absolute tracking URI.
        lock_dir: folder of the machine's lock, held shared for whatever takes processor time.

    Attributes:
        patient: whether to wait for measurements to end; else whatever would wait raises `Busy`.
    """

    def __init__(self, store: Store, uri: str, lock_dir: Path | None) -> None:
        self.store = store
        self.uri = uri
        self.ledger = Ledger(store.root, uri)
        self.created: set[tuple[str, str]] = set()
        self.updated: set[tuple[str, str]] = set()
        self.problem: str | None = None
        self.patient = True
        self._lock_dir = lock_dir
        self._tracker: Tracker | None = None
        self._silence: str | None = None
        self._asked_s = 0.0

    def connect(self) -> None:
        """Import mlflow and open the tracking store, once.

        Raises:
            EnvironmentFault: mlflow is not installed, or the tracking store cannot be opened.
        """
        if self._tracker is not None:
            return
        if not available():
            raise EnvironmentFault("mlflow is not installed. `pip install mlflow` brings it.")
        if self._silence is None or time.monotonic() - self._asked_s > ASK_AGAIN_S:
            self._silence, self._asked_s = unreachable(self.uri), time.monotonic()
        if self._silence is not None:
            raise EnvironmentFault(f"MLflow at {shown(self.uri)} cannot be reached ({self._silence})")
        with self._quiet():
            self._tracker = _open(self.uri)

    def sync(self, suites: Iterable[str]) -> SyncReport:
        """Write all that is missing in these suites, as far as it goes."""
        shelves = [Shelf(self.store, name) for name in suites]
        for shelf in shelves:
            try:
                self.push(shelf, shelf.items())
            except EnvironmentFault as fault:
                self.problem = str(fault)
        pending = sum(len(self.ledger.missing(shelf.items())) for shelf in shelves)
        error = self.problem
        if error is not None:
            runs = "1 run is" if pending == 1 else f"{pending} runs are"
            error = f"{error.rstrip('.')}: {runs} pending; `dlbench sync` brings them in later."
        return SyncReport(created=len(self.created), updated=len(self.updated), pending=pending, error=error)

    def push(self, shelf: Shelf, items: Iterable[Item]) -> None:
        """Write those items of a suite that MLflow does not show as they are.

        Raises:
            EnvironmentFault: MLflow cannot be used; what was written so far stays.
        """
        items = list(items)
        if not items:
            return
        self.connect()
        with self.ledger.alone():
            Push(self, shelf).write(items)

    @property
    def tracker(self) -> "Tracker":
        """The open connection."""
        assert self._tracker is not None, "connect first"
        return self._tracker

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Around whatever reads and translates: it takes processor time, so no measurement may run."""
        with self._quiet():
            yield

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Around whatever asks MLflow: a database on this machine takes processor time, a server takes patience."""
        if is_remote(self.uri):
            yield
        else:
            with self._quiet():
                yield

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        with machine_lock(self._lock_dir, exclusive=False, on_wait=None if self.patient else _give_up):
            yield


def _give_up() -> None:
    raise Busy


class Push:
    """One round of writing runs of one suite, with the ledger held."""

    def __init__(self, session: Session, shelf: Shelf) -> None:
        self.session = session
        self.shelf = shelf
        with session.sending():
            self.experiment: Experiment = session.tracker.experiment(shelf.suite, shelf.description)
        self._found: dict[str, Found] | None = None

    def write(self, items: list[Item]) -> None:
        """Write what is missing of these, attempts before the invocations that they belong to."""
        missing = self.session.ledger.missing(items, self.experiment.identity)
        if len(missing) >= SEARCH_ALL_FROM:
            with self.session.sending():
                identity = {STORE: self.session.store.id, SUITE: self.shelf.suite}
                self._found = self.session.tracker.find(self.experiment, identity)
        for item in missing:
            if item.state == ENDED:
                self._write_attempt(item)
            else:
                self._write_invocation(item)

    def _write_attempt(self, item: Item) -> None:
        found = self._find(item.key)
        if found is not None and found.whole:
            self._note(item, found.run_id)
            return
        invocation = self.shelf.parent(item.key)
        parent = self._parent(invocation) if invocation else None
        with self.session.reading():
            run = self._attempt(item.key)
        if run is not None:
            self._put(item, run, found, parent)

    def _write_invocation(self, item: Item) -> None:
        found = self._find(item.key)
        if found is not None and found.state == item.state and (found.whole or item.state == RUNNING):
            self._note(item, found.run_id)
            return
        invocation = self.shelf.invocations[item.key]
        with self.session.reading():
            run = of_invocation(self.session.store.id, invocation, self._outcome(invocation, item.state), item.state)
        self._put(item, run, found, None)

    def _parent(self, invocation: Invocation) -> str:
        """MLflow's id of an invocation's run, which is begun if there is none."""
        known = self.session.ledger.run_id(self.shelf.suite, self.experiment.identity, invocation.id)
        if known is not None:
            return known
        item = Item(self.shelf.suite, invocation.id, RUNNING)
        found = self._find(invocation.id)
        if found is not None:
            return found.run_id
        return self._put(item, of_invocation(self.session.store.id, invocation, None, RUNNING), None, None)

    def _attempt(self, key: str) -> Run | None:
        job_id, attempt = split(key)
        jobdir = self.session.store.jobdir(job_id, attempt)
        try:
            record = jobdir.record()
        except ValueError:
            record = None
        if record is None:
            self.session.problem = f"{jobdir.path / 'record.json'} cannot be read"
            return None
        return of_attempt(self.session.store.id, self.shelf.suite, self.shelf.entry(key), record, jobdir.path)

    def _outcome(self, invocation: Invocation, state: str) -> str | None:
        """MLflow's word: killed or interrupted, failed if any job did, else finished; None: it goes on."""
        if state in (RUNNING, KILLED):
            return None if state == RUNNING else "KILLED"
        statuses = {self._status(job, attempt) for job, attempt in invocation.made}
        if "interrupted" in statuses:
            return "KILLED"
        return "FINISHED" if statuses <= {"ok", "pruned", "skipped"} else "FAILED"

    def _status(self, job_id: str, attempt: int) -> str:
        try:
            record = self.session.store.jobdir(job_id, attempt).record()
        except ValueError:
            record = None
        return record.status if record is not None else "lost"

    def _find(self, key: str) -> Found | None:
        if self._found is None:
            with self.session.sending():
                identity = identity_of(self.session.store.id, self.shelf.suite, key)
                return self.session.tracker.find(self.experiment, identity).get(key)
        return self._found.get(key)

    def _put(self, item: Item, run: Run, found: Found | None, parent: str | None) -> str:
        with self.session.sending():
            run_id: str = self.session.tracker.put(self.experiment, run, found, parent)
        name = (item.suite, item.key)
        if found is None:
            self.session.created.add(name)
        elif name not in self.session.created:
            self.session.updated.add(name)
        if self._found is not None:
            self._found[item.key] = Found(run_id, run.status is not None, run.tags.get(STATE))
        self._note(item, run_id)
        return run_id

    def _note(self, item: Item, run_id: str) -> None:
        self.session.ledger.add(item, self.experiment.identity, run_id)


def _open(uri: str) -> "Tracker":
    """Import mlflow, quietly, and connect."""
    os.environ.update(QUIET)
    for name, value in IMPATIENT.items():
        os.environ.setdefault(name, value)
    if uri.startswith("file:"):
        # The user named a folder; without this mlflow refuses any.
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of mlflow about its own dependencies: nothing that a user could mend
        module = importlib.import_module("dlbench.store.mlflow")
        tracker: Tracker = module.Tracker(uri)
        return tracker
