"""Bring what a store holds into MLflow: `dlbench sync`, and what runs beside `dlbench run`.

Decides what is written and in which order; says so in one line when it cannot. mlflow is imported with the first
connection, not with this module.
"""

import importlib
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dlbench.errors import EnvironmentFault
from dlbench.schema.base import Value
from dlbench.store.address import available, is_remote, shown, unreachable
from dlbench.store.folder import Store
from dlbench.store.ledger import Ledger
from dlbench.store.push import Push
from dlbench.store.shelf import Item, Shelf
from dlbench.worker.lock import machine_lock

if TYPE_CHECKING:
    from dlbench.store.mlflow import Tracker

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
    on_wait: Callable[[], object] | None = None,
) -> SyncReport:
    """Write every run of a store into MLflow that is not there.

    Args:
        tracking_uri: absolute (`address.tracking_uri`).
        suites: names; default: all of the store.
        lock_dir: folder of the machine's lock; None: measurements are not waited for.
        on_wait: called before waiting for a measurement to end, each time.

    Raises:
        StoreError: there is no store, or it cannot be read.
        UsageError: a suite was never run into it.
    """
    session = Session(Store.open(store_root, create=False), tracking_uri, lock_dir, on_wait)
    return session.sync(session.store.suites() if suites is None else list(suites))


class Busy(Exception):
    """The machine is measuring; an impatient session comes back later, for who queues is in the way."""


class Session:
    """One process's work of bringing one store into one MLflow.

    Args:
        store: only read; the ledger is kept beside it.
        uri: absolute tracking URI.
        lock_dir: folder of the machine's lock, held shared for whatever takes processor time.
        on_wait: called before waiting for a measurement to end, each time.

    Attributes:
        patient: whether to wait for measurements to end; else whatever would wait raises `Busy`.
    """

    def __init__(
        self, store: Store, uri: str, lock_dir: Path | None, on_wait: Callable[[], object] | None = None
    ) -> None:
        self.store = store
        self.uri = uri
        self.ledger = Ledger(store.root, uri)
        self.created: set[tuple[str, str]] = set()
        self.updated: set[tuple[str, str]] = set()
        self.problem: str | None = None
        self.patient = True
        self._lock_dir, self._on_wait = lock_dir, on_wait
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
        error = self.problem or next((why for shelf in shelves if (why := shelf.problem()) is not None), None)
        if error is not None and pending:
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
        with machine_lock(self._lock_dir, exclusive=False, on_wait=self._on_wait if self.patient else give_up):
            yield


def give_up() -> None:
    """For `machine_lock(on_wait=)`: do not wait.

    Raises:
        Busy: always.
    """
    raise Busy


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
