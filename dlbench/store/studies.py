"""The studies of a store: a head and a log each, which are all that a search is brought back from.

    studies/<id>/study.json      what is searched, how, for what (`dlbench.schema.study.StudyHead`)
    studies/<id>/trials.jsonl    asked, reported, told, in order; a torn last line is dropped
    studies/<id>/jobs.jsonl      the jobs of its candidates, as a suite's index has them
    suites/<name>/studies.json   the studies that a suite has now

Knows nothing of strategies. A line is written before what it tells of has any effect.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from dlbench.errors import StoreError
from dlbench.schema.job import Entry
from dlbench.schema.study import Study, StudyEvent, StudyHead, trials_of
from dlbench.store.damage import why_unreadable
from dlbench.store.folder import Store
from dlbench.store.lines import append, whole_lines


def write_head(store: Store, head: StudyHead) -> None:
    """Write what a study is; one that was there under the same id differs in its budget only.

    Raises:
        StoreError: it cannot be written.
    """
    store.write(_folder(store, head.id) / "study.json", head.model_dump_json(indent=1).encode())


def log(store: Store, study: str, event: StudyEvent) -> None:
    """Append one line to a study's log.

    Raises:
        StoreError: it cannot be written.
    """
    append(_folder(store, study) / "trials.jsonl", event.model_dump_json(exclude_defaults=True))


def write_list(store: Store, suite: str, ids: Sequence[str]) -> None:
    """Write which studies a suite has; others of its name stay in the store, for when it has them again.

    Raises:
        StoreError: it cannot be written.
    """
    store.write(_list(store, suite), json.dumps(list(ids)).encode())


def ids(store: Store, suite: str) -> list[str]:
    """The studies that a suite has, in order; none if it never had any, or if the list cannot be read."""
    try:
        found = json.loads(_list(store, suite).read_bytes())
    except (OSError, ValueError):
        return []
    return [str(study) for study in found] if isinstance(found, list) else []


def add_job(store: Store, entry: Entry) -> None:
    """Keep the job of a candidate with its study.

    Raises:
        StoreError: it cannot be written.
    """
    assert entry.study is not None
    append(_folder(store, entry.study) / "jobs.jsonl", entry.model_dump_json())


def jobs(store: Store, study: str) -> list[Entry]:
    """The jobs of a study's candidates, in the order in which they were named.

    Raises:
        StoreError: a line before the last one cannot be read.
    """
    path = _folder(store, study) / "jobs.jsonl"
    try:
        return [Entry.model_validate_json(line) for line in whole_lines(path)]
    except (ValidationError, OSError) as error:
        raise StoreError(f"{path}: {why_unreadable(path, error)}") from error


def events(store: Store, study: str) -> list[StudyEvent]:
    """A study's log; empty if there is none.

    Raises:
        StoreError: a line before the last one cannot be read.
    """
    path = _folder(store, study) / "trials.jsonl"
    return [_event(path, number, line) for number, line in enumerate(whole_lines(path), 1)]


def studies(store: Store, suite: str) -> list[Study]:
    """The studies that a suite has, in order; unreadable ones are told of in `store.unreadable`."""
    found = []
    for study in ids(store, suite):
        path = _folder(store, study) / "study.json"
        try:
            head = StudyHead.model_validate_json(path.read_bytes())
            found.append(Study(head=head, trials=trials_of(events(store, study))))
        except (ValidationError, OSError) as error:
            store.unreadable[path] = why_unreadable(path, error)
        except StoreError as error:
            store.unreadable[path.with_name("trials.jsonl")] = str(error)
    return found


def _list(store: Store, suite: str) -> Path:
    return store.root / "suites" / suite / "studies.json"


def _folder(store: Store, study: str) -> Path:
    return store.root / "studies" / study


def _event(path: Path, number: int, line: bytes) -> StudyEvent:
    try:
        return StudyEvent.model_validate_json(line)
    except ValidationError as error:
        raise StoreError(f"{path}:{number}: {why_unreadable(path, error)}") from error
