"""The loop of a run: what the source asks for is run, read, kept, and told to the source.

It does not know how a job is done (the executor), how folders are laid out (the keep), what is compared (the
source), or how progress looks (the listener).
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Literal, Protocol

from dlbench.contracts.executors import Executor, News, Resources
from dlbench.contracts.sources import Source
from dlbench.jobdir import JobDir
from dlbench.run.budget import Budget
from dlbench.run.estimate import Estimator
from dlbench.run.made import close, made
from dlbench.run.running import Running
from dlbench.schema.base import Json
from dlbench.schema.event import Event
from dlbench.schema.job import Entry, Work
from dlbench.schema.record import AGAIN, DONE, Record

TICK_S = 0.1
"""How often running jobs are looked at."""

QUIET_TICK_S = 0.5
"""The same while a job runs whose clock is a result: looking is work, too."""


class Keep(Protocol):
    """What the loop needs of a store (`dlbench.store.folder.Store`)."""

    def record(self, job_id: str) -> Record | None:
        """The `ok` record of a job, else the latest, else None."""

    def folder(self, job_id: str) -> Path | None:
        """The folder that this record is in."""

    def new_attempt(self, work: Work) -> JobDir:
        """The folder of a new attempt, with `job.json`."""

    def open_attempts(self) -> list[JobDir]:
        """Attempts without a record."""


class Listener(Protocol):
    """Who wants to know what happens; called from the loop, so it must be quick."""

    def on_start(self, entry: Entry, folder: Path) -> None:
        """A job starts."""

    def on_event(self, entry: Entry, events: Sequence[Event]) -> None:
        """A running job told something; at most ten times a second."""

    def on_end(self, entry: Entry, record: Record) -> None:
        """An attempt has ended in this run; not called for records that were there before."""

    def on_note(self, text: str) -> None:
        """A line for the user."""


@dataclass(frozen=True)
class RunOptions:
    """How to run.

    Attributes:
        entries: all that the source may ask for, as far as it is known; the budget needs them.
        slots: how many jobs run side by side.
        gpus: how many GPUs this process sees; each takes one job.
        retry_failed: make failed, diverged, timed-out and out-of-memory jobs again.
        timeout_s: longest running time of one job, waiting for the machine not counted.
        grace_s: between asking a job to stop and killing it.
        budget_s: of the whole run.
        estimator: how long jobs take; learns from every record it meets.
        data_roots: digest of a dataset → folder of its files.
        plugins: shelf → files of the user.
        lock_dir: folder of the machine's lock (`dlbench.worker.lock.lock_dir`); None: no locking.
        calibrations: (device, threads) → what cost jobs there are handed as their calibration.
        command: how the user started the run.
        code: version of dlbench and git commit of the working folder.
    """

    entries: Sequence[Entry] = ()
    slots: int = 1
    gpus: int = 0
    retry_failed: bool = False
    timeout_s: float | None = None
    grace_s: float = 10.0
    budget_s: float | None = None
    estimator: Estimator = field(default_factory=Estimator)
    data_roots: Mapping[str, Path] = field(default_factory=dict)
    plugins: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lock_dir: Path | None = None
    calibrations: Mapping[tuple[str, int], dict[str, Json]] = field(default_factory=dict)
    command: str = ""
    code: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Attributes:
        counts: status → jobs, those from the store and those that the plan skips included.
        wanting: the same for those that a run is there to finish: candidates of studies may fail.
        cached: jobs whose record was there before.
        made: (job id, attempt) of every attempt that ended in this run, in order.
        trimmed: ids of the jobs that the budget left no room for.
        interrupted: the run was told to stop before it was through.
        seconds: how long it took.
    """

    counts: Mapping[str, int]
    wanting: Mapping[str, int]
    cached: int
    made: tuple[tuple[str, int], ...]
    trimmed: tuple[str, ...]
    interrupted: bool
    seconds: float


class Loop:
    """One run.

    Args:
        source: decides the next job.
        keep: the store, whose writer the caller is.
        executor: works the folders; is stopped at the end.
        options: how to run.
        listener: hears what happens.
    """

    def __init__(self, source: Source, keep: Keep, executor: Executor, options: RunOptions, listener: Listener) -> None:
        self._source, self._keep, self._executor = source, keep, executor
        self._options, self._listener = options, listener
        self._budget = Budget(options.budget_s, options.entries, options.estimator, options.slots)
        self._began = time.monotonic()
        self._held: dict[int, Entry] = {}  # asked for, not started; keyed by the order of asking
        self._asked = 0
        self._running: dict[Path, Running] = {}
        self._known: dict[str, Record] = {}  # told in this run, by job id
        self._before: dict[str, Record | None] = {}  # what the store held, by job id
        self._curves: dict[str, list[Event]] = {}  # validations of a study's finished jobs, by job id
        self._counts: Counter[str] = Counter()
        self._wanting: Counter[str] = Counter()
        self._cached = 0
        self._made: list[tuple[str, int]] = []
        self._trimmed: list[str] = []
        self._interrupts = 0

    def interrupt(self) -> None:
        """Start nothing more and ask running jobs to stop; called again: kill them. For signal handlers."""
        self._interrupts += 1
        for running in tuple(self._running.values()):
            with suppress(OSError):  # the loop asks again, where an error can be told
                running.jobdir.ask_to_stop()

    def run(self) -> Outcome:
        """Run until the source is finished, or the run is interrupted."""
        for jobdir in self._keep.open_attempts():
            self._abandon(jobdir)
        try:
            while self._fill():
                self._look(self._executor.poll(QUIET_TICK_S if self._alone() else TICK_S))
        finally:
            self._executor.stop()
        return Outcome(
            counts=dict(self._counts),
            wanting=dict(self._wanting),
            cached=self._cached,
            made=tuple(self._made),
            trimmed=tuple(self._trimmed),
            interrupted=self._interrupts > 0,
            seconds=time.monotonic() - self._began,
        )

    def _abandon(self, jobdir: JobDir) -> None:
        """Close an attempt of a run that is no more; one that does not say what it was stays as it is."""
        try:
            close(jobdir, "interrupted", "the run that made this attempt ended before it did")
        except ValueError:
            self._listener.on_note(f"{jobdir.path / 'job.json'} is damaged: this attempt is left out")

    # --- what next --------------------------------------------------------------------------------------------

    def _fill(self) -> bool:
        """Start all that can start now; whether anything runs then."""
        while not self._interrupts:
            number = self._next()
            if number is not None:
                self._start(self._held.pop(number))
            elif self._running:
                break
            elif self._held:  # nothing runs that could still bring their inputs
                for number in tuple(self._held):
                    self._skip(self._held.pop(number), "an input is not part of this run and not in the store")
            elif self._source.finished:
                break
            else:
                raise RuntimeError("the source names no entry, and nothing runs that it could wait for")
        return bool(self._running)

    def _next(self) -> int | None:
        """Number of the held entry to start now; the source is asked only when there is room."""
        if self._alone() or len(self._running) >= self._options.slots:
            return None
        for number, entry in chain(tuple(self._held.items()), self._ask()):
            state = self._state(entry)
            if state == "blocked":
                continue
            if state == "settled":
                del self._held[number]
                continue
            return number if self._fits(entry) else None
        return None

    def _ask(self) -> Iterator[tuple[int, Entry]]:
        while not self._interrupts and (entry := self._source.ask()) is not None:
            self._asked += 1
            if entry.skipped is not None:
                self._counts["skipped"] += 1
                continue
            record = self._record(entry.job.id)
            if record is not None and self._stands(entry, record):
                self._cached += entry.job.id not in self._known
                self._tell(entry, record)
                continue
            self._held[self._asked] = entry
            yield self._asked, entry

    def _record(self, job_id: str) -> Record | None:
        """What is known of a job; the store is read once, as only this run writes it now."""
        if job_id in self._known:
            return self._known[job_id]
        if job_id not in self._before:
            self._before[job_id] = self._keep.record(job_id)
        return self._before[job_id]

    def _stands(self, entry: Entry, record: Record) -> bool:
        """Whether a record is the answer, so that the job is not run.

        A pruned one is an answer only where the entry's own study stops it as well, by what is left of its curve.
        """
        if record.status == "pruned":
            return entry.study is not None and not self._replay(entry)
        if record.status in DONE or entry.job.id in self._known:
            return True
        return record.status not in AGAIN and not self._options.retry_failed

    def _replay(self, entry: Entry) -> bool:
        """Report the validations that the job left in the store; whether it might have gone on after all of them."""
        job_id = entry.job.id
        if job_id not in self._curves:
            folder = self._keep.folder(job_id)
            events = JobDir(folder).events()[0] if folder is not None else []
            self._curves[job_id] = [event for event in events if event.kind == "metrics"]
        go = True
        for event in self._curves[job_id]:
            go = self._source.report(entry, event) and go
        return go

    def _state(self, entry: Entry) -> Literal["ready", "blocked", "settled"]:
        """Whether a held entry can start, must wait for other jobs, or will not run."""
        if entry.job.id in self._known:  # asked for twice
            self._tell(entry, self._known[entry.job.id])
            return "settled"
        if any(running.entry.job.id == entry.job.id for running in self._running.values()):
            return "blocked"
        for role, job_id in entry.job.inputs.items():
            record = self._record(job_id)
            if record is not None and record.status in DONE:
                continue
            if job_id not in self._known:
                return "blocked"
            self._skip(entry, f"input {role!r} (job {job_id[:12]}) {self._known[job_id].status}")
            return "settled"
        fits, note = self._budget.admits(entry, time.monotonic() - self._began)
        if note is not None:
            self._listener.on_note(note)
        if not fits:
            self._trimmed.append(entry.job.id)
            self._tell(entry, made(self._work(entry), "skipped", self._budget.spent, datetime.now(UTC)))
            return "settled"
        return "ready"

    def _alone(self) -> bool:
        return any(running.entry.job.exclusive for running in self._running.values())

    def _fits(self, entry: Entry) -> bool:
        """Whether the machine has room for a job; nothing overtakes one that has to wait for room."""
        if entry.job.exclusive:
            return not self._running
        return not entry.job.device.startswith("cuda") or bool(self._devices(entry))

    def _devices(self, entry: Entry) -> tuple[int, ...]:
        """The GPU that a job would get: the one it names, or a free one; empty if there is none."""
        _, _, named = entry.job.device.partition(":")
        taken = {device for running in self._running.values() for device in running.devices}
        possible = [int(named)] if named else range(max(1, self._options.gpus))
        return tuple(device for device in possible if device not in taken)[:1]

    # --- one job ----------------------------------------------------------------------------------------------

    def _work(self, entry: Entry) -> Work:
        job, options = entry.job, self._options
        found = ((role, self._keep.folder(job_id)) for role, job_id in job.inputs.items())
        return Work(
            job=job,
            attempt=0,
            label=entry.label,
            data_root=options.data_roots.get(job.dataset.digest),
            plugins=dict(options.plugins),
            inputs={role: folder for role, folder in found if folder is not None},
            lock_dir=options.lock_dir,
            asks=entry.study is not None and job.kind == "train",
            calibration=options.calibrations.get((job.device, job.threads)) if job.kind == "cost" else None,
            command=options.command,
            code=dict(options.code),
        )

    def _start(self, entry: Entry) -> None:
        work = self._work(entry)
        jobdir = self._keep.new_attempt(work)
        job = entry.job
        on_gpu = job.device.startswith("cuda")
        devices = self._devices(entry) if on_gpu else ()
        narrow = on_gpu and ":" not in job.device and self._options.gpus > 1
        self._running[jobdir.path] = Running(entry, jobdir, devices)
        self._listener.on_start(entry, jobdir.path)
        resources = Resources(
            gpus=len(devices),
            threads=job.threads,
            exclusive=job.exclusive,
            devices=devices if narrow else (),
            asks=work.asks,
        )
        self._executor.start(jobdir.path, resources)

    def _skip(self, entry: Entry, reason: str) -> None:
        """Keep a record of a job that cannot run, unless the same was kept before."""
        record = self._record(entry.job.id)
        if record is None or record.status != "skipped" or record.reason != reason:
            record = close(self._keep.new_attempt(self._work(entry)), "skipped", reason)
            self._made.append((record.id, record.attempt))
            self._listener.on_end(entry, record)
        self._tell(entry, record)

    def _tell(self, entry: Entry, record: Record) -> None:
        self._known[record.id] = record
        if entry.study is not None and record.kind == "train":
            self._replay(entry)  # those that were reported while it ran only get the same answer
        self._counts[record.status] += 1
        self._wanting[record.status] += entry.study is None
        self._budget.done(entry)
        self._options.estimator.learn(record)
        self._source.tell(entry, record)

    # --- what happens -----------------------------------------------------------------------------------------

    def _look(self, ended: list[News]) -> None:
        """Hear running jobs, end those that have to, take in those that have ended."""
        for running in self._running.values():
            self._hear(running)
        for news in ended:
            if news.asks:
                self._decide(self._running[news.folder])
            else:
                self._finish(self._running.pop(news.folder), news.how)
        for path, running in self._running.items():
            self._hurry(running)
            if running.must_go() or (self._interrupts > 1 and not running.killed):
                running.killed = True
                self._executor.kill(path)

    def _hear(self, running: Running) -> None:
        """Take in what a job has told since it was last heard."""
        events = running.news()
        if not events:
            return
        self._listener.on_event(running.entry, events)
        if running.entry.study is not None:
            for event in events:
                if event.kind == "metrics":
                    running.go = self._source.report(running.entry, event) and running.go

    def _decide(self, running: Running) -> None:
        """A job asks whether to go on after the validation that it has just told."""
        self._hear(running)
        self._executor.answer(running.jobdir.path, go=running.go and running.ending is None)

    def _hurry(self, running: Running) -> None:
        timeout_s, grace_s = self._options.timeout_s, self._options.grace_s
        if running.ending is None and self._interrupts:
            running.end("interrupted", "the run was told to stop; the next run makes this job again", grace_s)
        elif running.overdue(timeout_s):
            running.end("timeout", f"it ran longer than {timeout_s:g} s", grace_s)

    def _finish(self, running: Running, how: str) -> None:
        record = running.close(how)
        self._made.append((record.id, record.attempt))
        self._curves.pop(record.id, None)
        self._tell(running.entry, record)
        self._listener.on_end(running.entry, record)
