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
from collections.abc import Callable
from functools import partial
from pathlib import Path

from dlbench.errors import EnvironmentFault, StoreError
from dlbench.store.folder import Store
from dlbench.store.pending import ENDED, Item, Shelf
from dlbench.store.sync import Busy, Session
from dlbench.worker.lifeline import die_with

GATHER_S = 1.0
"""News is acted upon a little later: by then the next job has begun, and if it measures, this waits for another."""

NICE = 10


class Inbox:
    """What the parent says, read by a thread of its own."""

    def __init__(self) -> None:
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.over = False
        self.drain = False
        threading.Thread(target=self._read, daemon=True).start()

    def news(self) -> set[str]:
        """Wait, passively, for keys of attempts that have ended.

        `drain` is set when all have, `over` when there is nothing more to say.
        """
        keys: set[str] = set()
        timeout_s = None
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


def follow(store_root: Path, tracking_uri: str, suite: str, lock_dir: Path | None, inbox: Inbox) -> str:
    """Write runs as they end, then all that is missing.

    Returns:
        The SyncReport, as JSON.
    """
    session = Session(Store.open(store_root, create=False), tracking_uri, lock_dir)
    session.patient = False
    _try(session.connect)  # while the run warms up
    keys: set[str] = set()
    while not inbox.over:
        keys |= inbox.news()
        session.patient = inbox.drain
        if not inbox.over and _try(partial(_push, session, suite, keys)):
            keys.clear()
    return session.sync([suite]).model_dump_json()


def _try(work: Callable[[], None]) -> bool:
    """Whether it could be done. If not, there is a next time, and at the end the reason is told."""
    try:
        work()
    except (EnvironmentFault, Busy):
        return False
    return True


def _push(session: Session, suite: str, keys: set[str]) -> None:
    session.connect()
    with session.reading():
        shelf = Shelf(session.store, suite)
    session.push(shelf, [Item(suite, key, ENDED) for key in sorted(keys)])


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
