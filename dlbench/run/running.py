"""One attempt while it runs: its events, its clock, and how it is brought to an end. It does not start anything."""

import time
from collections.abc import Sequence

from dlbench.jobdir import JobDir
from dlbench.run.made import close, storing, why_lost
from dlbench.schema.event import Event
from dlbench.schema.job import Entry
from dlbench.schema.record import Record, Status


class Running:
    """An attempt that was started.

    Args:
        entry: what runs.
        jobdir: where.
        devices: GPUs kept for it.

    Attributes:
        ending: the status that it was told to end with; None while it may go on.
        killed: it was killed, so how it ends says nothing.
        go: whether its source wants it to go on.
    """

    def __init__(self, entry: Entry, jobdir: JobDir, devices: tuple[int, ...]) -> None:
        self.entry, self.jobdir, self.devices = entry, jobdir, devices
        self.ending: Status | None = None
        self.killed = False
        self.go = True
        self._reason = ""
        self._kill_at = 0.0
        self._offset = 0
        self._since: float | None = time.monotonic()  # None while it waits for the machine's lock

    def news(self) -> Sequence[Event]:
        """Events since the last call; the clock stands still while the job waits for the machine."""
        events, self._offset = self.jobdir.events(self._offset)
        for event in events:
            if event.kind == "phase" and event.name == "wait":
                self._since = None
            elif event.kind == "phase" and self._since is None:
                self._since = time.monotonic()
        return events

    def overdue(self, timeout_s: float | None) -> bool:
        """Whether it has been running for longer than it may."""
        if timeout_s is None or self._since is None or self.ending is not None:
            return False
        return time.monotonic() - self._since > timeout_s

    def end(self, status: Status, reason: str, grace_s: float) -> None:
        """Ask it to stop; `must_go` after a grace, or at once when it has only waited so far."""
        self.ending, self._reason = status, reason
        with storing(self.jobdir):
            self.jobdir.ask_to_stop()
        self._kill_at = time.monotonic() + (grace_s if self._since is not None else 0.0)

    def must_go(self) -> bool:
        """Whether its grace is over and it is to be killed."""
        return self.ending is not None and not self.killed and time.monotonic() >= self._kill_at

    def close(self, how: str) -> Record:
        """The record of the attempt, which has ended.

        Args:
            how: what the executor saw.
        """
        if self.ending is None:
            return close(self.jobdir, "lost", why_lost(how))
        record = close(self.jobdir, self.ending, self._reason)
        if self.ending == "timeout" and record.status == "interrupted":  # the worker knows that it was stopped, not why
            record = record.model_copy(update={"status": "timeout", "reason": self._reason})
            with storing(self.jobdir):
                self.jobdir.write_record(record)
        return record
