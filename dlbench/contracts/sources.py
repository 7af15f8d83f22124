"""What a source promises: to name the next job, and to hear what became of it."""

from __future__ import annotations

from typing import Protocol

from dlbench.schema.event import Event
from dlbench.schema.job import Entry
from dlbench.schema.record import Record


class Source(Protocol):
    """Decides the next job."""

    def ask(self) -> Entry | None:
        """The next entry, or None: nothing more can be named now."""

    def report(self, entry: Entry, event: Event) -> bool:
        """A job of this source has a validation score: whether it should go on.

        Called for every validation in order before the job's record is told, whether the job was just asking, went
        on without asking, or left its curve in the store long ago; the same validation may come again.
        """

    def tell(self, entry: Entry, record: Record) -> None:
        """A job of this source has a record (new, or from the store)."""

    @property
    def finished(self) -> bool:
        """Whether `ask` will never name another entry."""
