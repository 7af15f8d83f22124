"""The process beside a run that tells MLflow what the store has got: `python -m dlbench.store.follow`.

    stdin    `job <id> <attempt>` after each record, `drain` after the last, `end`; end of file: the run died
    stdout   one line at the end: a SyncReport
    stderr   whatever went wrong unexpectedly

It waits without polling, works one run at a time and at low priority, and ends with its parent. What is then
half-written is completed by the next sync.
"""

import argparse
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from dlbench.errors import EnvironmentFault, StoreError
from dlbench.store.folder import Store
from dlbench.store.shelf import ENDED, Item, Shelf
from dlbench.store.sync import Busy, Session
from dlbench.worker.lifeline import die_with

GATHER_S = 1.0
"""News is acted upon a little later: by then the next job has begun, and if it measures, this waits for another."""

STUDIES_S = 3.0
"""Studies that go on are written anew at most this often, and at most a fifth of the time is spent on it."""

NICE = 10


class Inbox:
    """What the parent says, read by a thread of its own."""

    def __init__(self) -> None:
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.over = False
        self.drain = False
        threading.Thread(target=self._read, daemon=True).start()

    def news(self, within_s: float | None = None) -> set[str]:
        """Wait, passively, for keys of attempts that have ended; none if nothing is said in that time.

        `drain` is set when all have, `over` when there is nothing more to say.
        """
        keys: set[str] = set()
        timeout_s = within_s
        while not self.over:
            try:
                words = self._lines.get(timeout=timeout_s).split()
            except queue.Empty:
                break
            if words[:1] == ["job"]:
                keys.add("/".join(words[1:3]))
                timeout_s = GATHER_S
            else:
                self.drain = True
                self.over = words != ["drain"]
                break
        return keys

    def _read(self) -> None:
        for line in sys.stdin:
            self._lines.put(line)
        os._exit(1)  # the parent is gone


class Desk:
    """What there is to write of one suite, and when.

    Attributes:
        keys: of attempts that have ended and are not known to be written.
    """

    def __init__(self, session: Session, suite: str) -> None:
        self.keys: set[str] = set()
        self._session = session
        self._suite = suite
        self._shelf: Shelf | None = None
        self._owed = False
        self._next_s = 0.0

    @property
    def due_s(self) -> float | None:
        """In how many seconds studies are to be written though nothing more is said; None: not at all."""
        return max(0.0, self._next_s - time.monotonic()) if self._owed else None

    def write(self) -> None:
        """Write the attempts, and the studies if that was not done a moment ago.

        Raises:
            EnvironmentFault: MLflow cannot be used.
            Busy: the machine is measuring.
        """
        owed, self._owed = self._owed or bool(self.keys), False  # who cannot write now waits for news
        self._session.connect()
        with self._session.reading():
            if self._shelf is None:
                self._shelf = Shelf(self._session.store, self._suite)
            else:
                self._shelf.refresh()
        self._session.push(self._shelf, [Item(self._suite, key, ENDED) for key in sorted(self.keys)])
        self.keys.clear()
        began_s = time.monotonic()
        drain = self._session.patient
        if drain or (owed and began_s >= self._next_s):
            self._session.push(self._shelf, self._shelf.study_items())
            ended_s = time.monotonic()
            self._next_s = ended_s + max(STUDIES_S, 4 * (ended_s - began_s))
        else:
            self._owed = owed and bool(self._shelf.studies)


def follow(store_root: Path, tracking_uri: str, suite: str, lock_dir: Path | None, inbox: Inbox) -> str:
    """Write runs as they end, and studies as they go on; then all that is missing.

    Returns:
        The SyncReport, as JSON.
    """
    session = Session(Store.open(store_root, create=False), tracking_uri, lock_dir)
    session.patient = False
    _try(session.connect)  # while the run warms up
    desk = Desk(session, suite)
    while not inbox.over:
        desk.keys |= inbox.news(desk.due_s)
        session.patient = inbox.drain
        if not inbox.over:
            _try(desk.write)
    return session.sync([suite]).model_dump_json()


def _try(work: Callable[[], None]) -> None:
    """If it cannot be done, there is a next time, and at the end the reason is told."""
    with suppress(EnvironmentFault, Busy):
        work()


def main() -> None:
    """Read the command line and follow."""
    parser = argparse.ArgumentParser(prog="dlbench.store.follow")
    parser.add_argument("store", type=Path)
    parser.add_argument("uri")
    parser.add_argument("suite")
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--lock-dir", type=Path)
    arguments = parser.parse_args()
    die_with(arguments.parent)  # at low priority beside busy workers, the thread that reads may be heard seconds late
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when this ends
    os.nice(NICE)
    try:
        report = follow(arguments.store, arguments.uri, arguments.suite, arguments.lock_dir, Inbox())
    except StoreError as error:
        sys.exit(str(error))
    sys.stdout.write(f"{report}\n")
    sys.stdout.flush()
    os._exit(0)  # mlflow's pools and threads have nothing left to say


if __name__ == "__main__":
    main()
