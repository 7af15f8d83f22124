"""All studies of a suite as one source: candidates first, then the winners and the defaults, on the test split too."""

import time
from collections import deque
from collections.abc import Callable, Sequence

from dlbench.plan.search import Search
from dlbench.schema.event import Event
from dlbench.schema.job import Entry
from dlbench.schema.record import Record
from dlbench.schema.study import Study

Finals = Callable[[Sequence[Study]], Sequence[Entry]]
"""Ended studies → the jobs that judge their winners."""


class Studies:
    """The source of a run with a search.

    A free slot goes to a study that has no job in flight, if there is one: beside each other, studies do not disturb
    each other's order.

    Args:
        searches: the studies, in order.
        finals: asked for once, when all of them have ended.
        index: hears of every job that is named.
        note: hears a line for the user.
        budget_s: seconds after which no study begins another candidate; None: no limit.
    """

    def __init__(
        self,
        searches: Sequence[Search],
        finals: Finals,
        index: Callable[[Entry], None],
        note: Callable[[str], None],
        budget_s: float | None = None,
    ) -> None:
        self.searches = tuple(searches)
        self._by_id = {search.head.id: search for search in searches}
        self._make_finals, self._index, self._note = finals, index, note
        self._left: deque[Entry] | None = None
        self._flying = dict.fromkeys(self._by_id, 0)
        self._ends_at = None if budget_s is None else time.monotonic() + budget_s

    @property
    def studies(self) -> list[Study]:
        """All studies as they stand."""
        return [search.study for search in self.searches]

    def ask(self) -> Entry | None:
        """The next job of a study, or of the finals; None: none can be named now."""
        if self._ends_at is not None and time.monotonic() > self._ends_at:
            self._ends_at = None
            self._note("the budget is spent: no study begins another candidate; run again to go on, or raise `budget:`")
            for search in self.searches:
                search.close()
        open_ = [search for search in self.searches if not search.finished]
        for search in sorted(open_, key=lambda search: self._flying[search.head.id]):
            entry = search.ask()
            if entry is not None:
                self._flying[search.head.id] += 1
                return self._named(entry)
        if all(search.finished for search in self.searches):
            if self._left is None:
                self._left = deque(self._make_finals(self.studies))
            if self._left:
                return self._named(self._left.popleft())
        return None

    def _named(self, entry: Entry) -> Entry:
        self._index(entry)
        return entry

    def report(self, entry: Entry, event: Event) -> bool:
        """A validation of a candidate: whether it should go on."""
        return self._by_id[entry.study].report(entry, event) if entry.study is not None else True

    def tell(self, entry: Entry, record: Record) -> None:
        """A job of a study or of the finals has a record."""
        if entry.study is not None:
            self._flying[entry.study] -= 1
            self._by_id[entry.study].tell(entry, record)

    @property
    def finished(self) -> bool:
        """Whether every study has ended and every final job was named."""
        return self._left is not None and not self._left
