"""The record that the parent makes when an attempt ended without one: lost, timed out, interrupted or never begun."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from dlbench.errors import StoreError
from dlbench.jobdir import JobDir
from dlbench.schema.job import Work
from dlbench.schema.record import Record, RecordDataset, RecordPrecision, Status


def made(work: Work, status: Status, reason: str, started_at: datetime, duration_s: float = 0.0) -> Record:
    """A record that says what the job was and how it ended, and measures nothing."""
    job = work.job
    return Record(
        schema=1,
        id=job.id,
        attempt=work.attempt,
        kind=job.kind,
        status=status,
        reason=reason,
        task=job.task,
        dataset=RecordDataset(**job.dataset.model_dump()),
        model=job.model,
        train=job.train.model_dump(mode="json"),
        cost=job.cost,
        precision=RecordPrecision(asked=job.precision),
        device=job.device,
        threads=job.threads,
        seed=job.seed,
        inputs=job.inputs,
        code=work.code,
        command=work.command,
        started_at=started_at,
        duration_s=duration_s,
    )


def close(jobdir: JobDir, status: Status, reason: str) -> Record:
    """The record of an attempt that has ended: its own, or one that is made, written and returned.

    Its events and curve stay where they are; its duration ends with the last of them.

    Raises:
        ValueError: there is no record, and `job.json` is torn, so none can be made.
        StoreError: the folder cannot be read or written.
    """
    with storing(jobdir):
        return _closed(jobdir, status, reason)


@contextmanager
def storing(jobdir: JobDir) -> Iterator[None]:
    """Around what reads and writes an attempt's folder.

    Raises:
        StoreError: the system refused: no room, no permission.
    """
    try:
        yield
    except OSError as error:
        raise StoreError(f"{jobdir.path}: cannot be written: {error.strerror}") from error


def _closed(jobdir: JobDir, status: Status, reason: str) -> Record:
    try:
        record = jobdir.record()
    except ValueError as error:
        status, reason = "lost", f"its record cannot be read: {str(error).partition(chr(10))[0]}"
        record = None
    if record is not None:
        return record
    started = os.path.getmtime(jobdir.path / "job.json")
    ended = max(started, _modified(jobdir.path / "events.jsonl"))
    record = made(jobdir.work(), status, reason, datetime.fromtimestamp(started, UTC), ended - started)
    jobdir.write_record(record)
    return record


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def why_lost(how: str) -> str:
    """The reason of a `lost` record, for a person.

    Args:
        how: what the executor saw.
    """
    if "SIGKILL" in how:
        return f"{how}; perhaps the system ran out of memory"
    return f"the worker ended without a record ({how}); log.txt in its folder may say why"
