"""Jobs that take a moment and need no torch: their entries, what works them, and a source that lists them.

What a job does is said by its model's parameters, such as `{"do": "sleep", "seconds": 1}`; see `work`.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dlbench.errors import DataError, UsageError
from dlbench.jobdir import JobDir
from dlbench.schema.event import Event
from dlbench.schema.job import CostPoint, DatasetRef, Entry, Job, ModelRef, TaskRef, Work
from dlbench.schema.metric import Metric
from dlbench.schema.record import Record, RecordDataset, RecordPrecision, Status
from dlbench.schema.train import TrainSettings
from dlbench.worker import question
from dlbench.worker.lock import machine_lock

TINY = {"work": "tiny_jobs:work", "describe": "tiny_jobs:describe", "check": "tiny_jobs:check"}
"""What the warm process calls instead of the real thing."""


def entry(do: str = "ok", *, seed: int | None = 0, round: int | None = None, **changes: Any) -> Entry:
    """An entry of a job; keywords of `Job` change it, all others are parameters."""
    fields = {key: changes.pop(key) for key in tuple(changes) if key in Job.model_fields or key == "skipped"}
    skipped = fields.pop("skipped", None)
    params = {"do": do, **changes}
    said = json.dumps([params, seed, round, fields], default=str, sort_keys=True)
    job = Job(
        **{
            "id": hashlib.sha256(said.encode()).hexdigest()[:16],
            "kind": "train" if round is None else "cost",
            "task": TaskRef(name="tiny"),
            "dataset": DatasetRef(name="none", digest="sha256:0", source="built-in", official=True),
            "model": ModelRef(name="tiny", params=params),
            "train": TrainSettings(epochs=1),
            "cost": None if round is None else CostPoint(batch_size=1, phases=("infer",), round=round),
            "seed": seed if round is None else None,
            **fields,
        }
    )
    return Entry(job=job, label=do, skipped=skipped)


def record(job: Job, attempt: int = 1, status: Status = "ok", duration_s: float = 1.0, **changes: Any) -> Record:
    """A record of a job."""
    fields: dict[str, Any] = {
        "id": job.id,
        "attempt": attempt,
        "kind": job.kind,
        "status": status,
        "reason": None if status == "ok" else "because",
        "task": job.task,
        "dataset": RecordDataset(**job.dataset.model_dump()),
        "model": job.model,
        "train": job.train.model_dump(mode="json"),
        "cost": job.cost,
        "precision": RecordPrecision(asked=job.precision),
        "device": job.device,
        "threads": job.threads,
        "seed": job.seed,
        "inputs": job.inputs,
        "metrics": (Metric(name="test_accuracy", value=0.5, unit="fraction", better="higher"),),
        "started_at": datetime.now(UTC),
        "duration_s": duration_s,
    }
    return Record(**{**fields, **changes})


def work_of(job: Job, **changes: Any) -> Work:
    """What a worker would be given."""
    return Work(**{"job": job, "attempt": 0, "label": "tiny", **changes})


class Listed:
    """A source that lists entries."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = list(entries)
        self._left = list(reversed(self._entries))
        self.told: list[tuple[str, str]] = []

    def ask(self) -> Entry | None:
        return self._left.pop() if self._left else None

    def report(self, entry: Entry, event: Event) -> bool:
        return True

    def tell(self, entry: Entry, record: Record) -> None:
        self.told.append((entry.job.id, record.status))

    @property
    def finished(self) -> bool:
        return not self._left

    def statuses(self) -> list[str]:
        """Statuses told, in the order of the list."""
        told = dict(self.told)
        return [told.get(entry.job.id, "untold") for entry in self._entries]


class Heard:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.events: list[Event] = []
        self.ended: list[Record] = []
        self.notes: list[str] = []

    def on_start(self, entry: Entry, folder: Path) -> None:
        self.started.append(entry.label)

    def on_event(self, entry: Entry, events: Sequence[Event]) -> None:
        self.events.extend(events)

    def on_end(self, entry: Entry, record: Record) -> None:
        self.ended.append(record)

    def on_note(self, text: str) -> None:
        self.notes.append(text)


# --- in the child of the warm process ------------------------------------------------------------------------------


def work(folder: Path) -> None:
    """Do what the job's parameters say, and write what the real worker would."""
    jobdir = JobDir(folder)
    todo = jobdir.work()
    with machine_lock(todo.lock_dir, exclusive=todo.job.exclusive, on_wait=lambda: jobdir.tell("phase", name="wait")):
        jobdir.tell("phase", name="train")
        began = time.time()
        status = _do(jobdir, **todo.job.model.params)
        (folder / "times.json").write_text(json.dumps([began, time.time()]))
    jobdir.write_record(record(todo.job, todo.attempt, status))


def _do(jobdir: JobDir, do: str, seconds: float = 60.0, **rest: Any) -> Status:
    if do == "sleep":  # as a training loop does: look for the stop file now and then
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if jobdir.asked_to_stop():
                return "interrupted"
            time.sleep(0.02)
    elif do == "stubborn":
        time.sleep(seconds)
    elif do == "spin":  # a long call that never lets another thread run
        sum(range(10**11))
    elif do == "flock":
        with machine_lock(Path(rest["lock_dir"]), exclusive=True):
            raise AssertionError("somebody else should hold it")
    elif do == "children":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        (jobdir.path / "child").write_text(str(child.pid))
        time.sleep(seconds)
    elif do == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif do == "leave":
        sys.exit(3)
    elif do == "raise":
        raise ValueError("out of luck")
    elif do == "validate":
        for epoch in range(1, rest["epochs"] + 1):
            jobdir.tell("metrics", step=10 * epoch, epoch=epoch, values={"val_loss": 1 / epoch})
            if jobdir.work().asks and epoch < rest["epochs"] and question.ask() is False:
                return "interrupted" if jobdir.asked_to_stop() else "pruned"
    elif do == "environment":
        (jobdir.path / "environment.json").write_text(json.dumps(dict(os.environ)))
    return "failed" if do == "fail" else "ok"


def describe(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Answer each request with itself, or go wrong as the first one says."""
    wrong = requests[0].get("wrong") if requests else None
    if wrong == "data":
        raise DataError("no copy of it")
    if wrong == "usage":
        raise UsageError("no such thing")
    if wrong == "bug":
        raise KeyError("oops")
    if wrong == "crash":
        os._exit(7)
    return requests


def check(works: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Whether the jobs' parameters let them be built."""
    works_ok = [Work.model_validate(work).job.model.params["do"] != "unbuildable" for work in works]
    return [
        {"ok": True, "parameters": 7} if ok else {"ok": False, "status": "failed", "reason": "too big"}
        for ok in works_ok
    ]
