"""The files of one attempt at a job: all that parent and worker share.

job.json       what to do, written before the start
events.jsonl   appended by the worker; a torn last line is dropped by the reader
stop           appears when the parent wants the worker to end early
artifacts/     what the worker leaves: curves, predictions, model card
record.json    written last, whole: its existence means that the attempt has ended
"""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dlbench.schema.event import Event
from dlbench.schema.job import Work
from dlbench.schema.record import Record


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it exists whole or not at all, and survives a power cut once this returns."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class JobDir:
    """One attempt's folder.

    Args:
        path: the folder; made by `create`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def artifacts(self) -> Path:
        """Folder of what the worker leaves."""
        return self.path / "artifacts"

    def create(self, work: Work) -> None:
        """Make the folder and write `job.json`."""
        self.artifacts.mkdir(parents=True)
        write_whole(self.path / "job.json", work.model_dump_json(indent=1).encode())

    def work(self) -> Work:
        """Read `job.json`."""
        return Work.model_validate_json((self.path / "job.json").read_bytes())

    def tell(self, kind: str, **fields: Any) -> None:
        """Append one event."""
        event = Event.model_validate({"t": time.time(), "kind": kind, **fields})
        with open(self.path / "events.jsonl", "ab") as file:
            file.write(event.model_dump_json(exclude_defaults=True).encode() + b"\n")

    def events(self, offset: int = 0) -> tuple[list[Event], int]:
        """Events after a byte offset, and the offset to go on from; a torn last line is left for next time."""
        try:
            with open(self.path / "events.jsonl", "rb") as file:
                file.seek(offset)
                data = file.read()
        except FileNotFoundError:
            return [], offset
        whole, _, _ = data.rpartition(b"\n")
        return list(_parse(whole)), offset + (len(whole) + 1 if whole else 0)

    def ask_to_stop(self) -> None:
        """Make `stop` appear."""
        (self.path / "stop").touch()

    def asked_to_stop(self) -> bool:
        """Whether the parent wants the worker to end early."""
        return (self.path / "stop").exists()

    def write_record(self, record: Record) -> None:
        """Write `record.json`, whole; the attempt has ended."""
        write_whole(self.path / "record.json", record.model_dump_json(indent=1, by_alias=True).encode())

    def record(self) -> Record | None:
        """The record, or None while the attempt has not ended."""
        try:
            with open(f"{self.path}/record.json", "rb") as file:
                return Record.model_validate_json(file.read())
        except FileNotFoundError:
            return None


def _parse(lines: bytes) -> Iterator[Event]:
    for line in lines.split(b"\n"):
        try:
            yield Event.model_validate(json.loads(line))
        except ValueError:
            continue  # torn by a kill in the middle of a write, then continued by nobody
