"""A study's folder, read by one who comes back while it grows: new lines only, and parsed only when they are asked for.

`dlbench.store.studies` says what the folder holds.
"""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from dlbench.errors import StoreError
from dlbench.schema.study import Study, StudyEvent, StudyHead, trials_of
from dlbench.store.damage import why_unreadable
from dlbench.store.growing import Growing


class Course(NamedTuple):
    """A study, and when things happened in it.

    Attributes:
        began: seconds since the epoch at its first line; `latest` at its last.
        told_at: number of a candidate → when it was told.
    """

    study: Study
    began: float
    latest: float
    told_at: dict[int, float]


class StudyLog:
    """One study's folder.

    Attributes:
        problem: why there is nothing to show, one line; None if there is something.
        began: seconds since the epoch at the first line, None before there is one; `latest` at the last line.
    """

    def __init__(self, folder: Path) -> None:
        self.problem: str | None = None
        self.began: float | None = None
        self.latest: float | None = None
        self._head_path = folder / "study.json"
        self._head = b""
        self._file = Growing(folder / "trials.jsonl")
        self._hash = hashlib.sha256()
        self._unread: list[bytes] = []
        self._events: list[StudyEvent] = []
        self._told_at: dict[int, float] = {}

    def refresh(self) -> None:
        """Read what has been written since."""
        self.problem = None
        path = self._head_path
        try:
            self._head = path.read_bytes()
            path = self._file.path
            lines, anew = self._file.news()
        except OSError as error:
            self.problem = f"{path}: {why_unreadable(path, error)}"
            return
        if anew:
            self._start_afresh()
        self._unread += lines
        for line in lines:
            self._hash.update(line)
        if lines:
            self.began = _time(lines[0]) if self.began is None else self.began
            self.latest = _time(lines[-1]) or self.latest or self.began
        if self.began is None:
            self.problem = f"{path}: has no whole first line."

    @property
    def shows(self) -> bool:
        """Whether there is anything to show."""
        return self.problem is None

    @property
    def digest(self) -> str:
        """Changes whenever anything was written to the study."""
        return hashlib.sha256(self._head + self._hash.digest()).hexdigest()[:16]

    def course(self) -> Course:
        """The study as it was at the last `refresh`; it must have something to show.

        Raises:
            StoreError: its head, or a line of its log, cannot be read; until the next `refresh` that is its problem.
        """
        assert self.began is not None
        assert self.latest is not None
        path, number = self._head_path, 0
        try:
            head = StudyHead.model_validate_json(self._head)
            path, number = self._file.path, self._file.count - len(self._unread)
            for line in self._unread:
                number += 1
                event = StudyEvent.model_validate_json(line)
                if event.kind == "told":
                    self._told_at.setdefault(event.number, event.t)
                if event.kind != "reported":
                    self._events.append(event)
        except ValidationError as error:
            where = f"{path}:{number}" if number else f"{path}"
            self.problem = f"{where}: {why_unreadable(path, error)}"
            raise StoreError(self.problem) from error
        self._unread.clear()
        study = Study(head=head, trials=trials_of(self._events))
        return Course(study, self.began, self.latest, self._told_at)

    def _start_afresh(self) -> None:
        self.began = self.latest = None
        self._hash = hashlib.sha256()
        self._unread.clear()
        self._events.clear()
        self._told_at.clear()


def _time(line: bytes) -> float | None:
    """When a line was written; None if it cannot be read, which `course` tells of."""
    try:
        return float(json.loads(line)["t"])
    except (ValueError, TypeError, KeyError):
        return None
