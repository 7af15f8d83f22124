"""A run's end of the mirror: starts the process that feeds MLflow, tells it of records, and lets it finish.

Never waits for MLflow while jobs are to be run, and does not import it.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import dlbench
from dlbench.store.address import is_remote, shown
from dlbench.store.folder import Store
from dlbench.store.pending import pending_count
from dlbench.store.sync import QUIET, Busy, SyncReport, give_up
from dlbench.worker.lock import machine_lock

LOCAL_PATIENCE_S = 60.0
"""A database on this machine is drained; some 40 ms a run, so this is a limit for one that is stuck."""

REMOTE_PATIENCE_S = 5.0

SILENT_S = 2.0
"""Whoever waits for longer than this is told for what."""

MEASURED_S = 10.0
"""Measurements of others may go on for hours; what they hold up comes with the next sync."""

LOOK_S = 0.5
"""How often it is asked whether others measure."""


class Mirror:
    """The process beside a run. Make one when a plan has something to run; `finish` it in any case.

    Make it in a thread that lives as long as the run: the process ends with it.

    Args:
        store: the run's store.
        uri: absolute tracking URI (`address.tracking_uri`).
        suite: name of the suite that is run; it is in the store already.
        lock_dir: folder of the machine's lock; None: measurements are not waited for.
    """

    def __init__(self, store: Store, uri: str, suite: str, lock_dir: Path | None = None) -> None:
        self._store = store
        self._uri = uri
        self._suite = suite
        self._lock_dir = lock_dir
        self.log = store.root / "mlflow" / "follow.log"
        self.log.parent.mkdir(exist_ok=True)
        command = [
            sys.executable,
            "-m",
            "dlbench.store.follow",
            str(store.root),
            uri,
            suite,
            "--parent",
            str(os.getpid()),
        ]
        if lock_dir is not None:
            command += ["--lock-dir", str(lock_dir)]
        with open(self.log, "wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=_environment(),
                start_new_session=True,  # Ctrl-C is for the run; this process hears of it from there
            )

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def tell(self, job_id: str, attempt: int) -> None:
        """An attempt has its record, and the invocation names it. Returns at once."""
        self._say(f"job {job_id} {attempt}")

    def drain(self) -> None:
        """All jobs have ended: what is missing may be written now, say while the report is made. Returns at once."""
        self._say("drain")

    def finish(self, patience_s: float | None = None, on_wait: Callable[[int], None] | None = None) -> SyncReport:
        """The run is over and its invocation has its final form: wait a little for the rest to be written.

        Args:
            patience_s: default: until it is done on this machine, a few seconds for a server.
            on_wait: hears, once, how many runs are pending when this takes longer than a moment.
        """
        if patience_s is None:
            patience_s = REMOTE_PATIENCE_S if is_remote(self._uri) else LOCAL_PATIENCE_S
        self._say("end")
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._process.stdout as stdout:
            try:
                why = self._wait(patience_s, on_wait)
                if why is not None:
                    return self._unfinished(why)
            finally:
                if self._process.poll() is None:
                    self._process.kill()  # a half-written run is completed by the next sync
                    self._process.wait()
                with suppress(BrokenPipeError):
                    self._process.stdin.close()
            lines = stdout.read().splitlines()
        if self._process.returncode != 0 or not lines:
            return self._unfinished(f"feeding MLflow at {shown(self._uri)} failed (see {self.log})")
        return SyncReport.model_validate_json(lines[-1])

    def _wait(self, patience_s: float, on_wait: Callable[[int], None] | None) -> str | None:
        """Wait for the process to end; why it was not waited for longer, None if it ended."""
        began, busy_s = time.monotonic(), 0.0
        while (passed_s := time.monotonic() - began) < patience_s:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(min(LOOK_S, patience_s - passed_s))
                return None
            if on_wait is not None and passed_s > SILENT_S:
                on_wait(self._pending())
                on_wait = None
            busy_s = busy_s + LOOK_S if _measured(self._lock_dir) else 0.0
            if busy_s >= MEASURED_S:
                return f"measurements on this machine kept MLflow waiting for {MEASURED_S:g} s"
        return f"MLflow at {shown(self._uri)} did not take all within {patience_s:g} s"

    def _pending(self) -> int:
        return pending_count(self._store, self._uri, [self._suite])

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it ended early: `finish` tells why
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()

    def _unfinished(self, why: str) -> SyncReport:
        pending = self._pending()
        runs = "1 run is" if pending == 1 else f"{pending} runs are"
        return SyncReport(pending=pending, error=f"{why}: {runs} pending; `dlbench sync` brings them in later.")


def _measured(lock_dir: Path | None) -> bool:
    """Whether somebody measures on this machine just now."""
    try:
        with machine_lock(lock_dir, exclusive=False, on_wait=give_up):
            return False
    except Busy:
        return True


def _environment() -> dict[str, str]:
    """One thread, no talk, and the same dlbench; the working folder's files are not modules."""
    package_root = str(Path(dlbench.__file__).parents[1])
    path = os.pathsep.join(filter(None, (package_root, os.environ.get("PYTHONPATH"))))
    single = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return {**os.environ, **QUIET, **single, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
