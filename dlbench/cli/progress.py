"""Live progress of a run: bars in a terminal, plain lines elsewhere."""

import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Timer
from types import TracebackType
from typing import Any

from dlbench.analyze.quantities import SPEEDS, format_of, quantity
from dlbench.cli.console import err, say
from dlbench.cli.quantities import duration
from dlbench.run.estimate import Estimator
from dlbench.run.remaining import Remaining
from dlbench.schema.event import Event
from dlbench.schema.job import Entry
from dlbench.schema.metric import Metric
from dlbench.schema.record import Record
from dlbench.schema.space import shown

WAITS_S = 3.0
"""After so long it is worth a line in a log that a job waits."""


def title(entry: Entry) -> str:
    """`lstm · seed 3`, `lstm · cost, batch 64, round 1`, with task settings that vary."""
    beyond = [
        f"{k.partition('.')[2] or k}={shown(v)}"
        for k, v in entry.varied.items()
        if entry.candidate is not None or not k.startswith(("model.", "train."))
    ]
    name = " ".join([entry.label, *beyond])
    cost = entry.job.cost
    if cost is None:
        return f"{name} · seed {entry.job.seed}"
    anchor = ", anchor" if cost.anchor else ""
    return f"{name} · cost, batch {cost.batch_size}, round {cost.round + 1}{anchor}"


def outcome(record: Record, log: Path | None) -> str:
    """`ok · test_accuracy 91.23 % · 12 s`, or status, reason, and where the log is."""
    if record.status == "pruned":
        return " · ".join(["pruned", *map(_figure, record.metrics[:1]), duration(record.duration_s)])
    if record.status != "ok":
        where = f" ({log})" if log is not None and log.exists() and log.stat().st_size else ""
        return f"{record.status}: {record.reason}{where}"
    names = SPEEDS if record.kind == "cost" else ()
    shown = [m for m in record.metrics if m.name in names] or list(record.metrics[:1])
    figures = [_figure(metric) for metric in shown if metric.value is not None]
    return " · ".join(["ok", *figures, duration(record.duration_s)])


def _figure(metric: Metric) -> str:
    digits = 2 if metric.unit == "fraction" else None
    return f"{metric.name} {quantity(metric.value, format_of(metric.unit), digits)}"


class Lines:
    """One plain line for every job that ends; for logs and pipes."""

    def __init__(self, total: int | None) -> None:
        self.total, self.done = total, 0
        self.logs: dict[str, Path] = {}
        self.waiting: dict[str, Timer] = {}

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing to put back."""

    def on_start(self, entry: Entry, folder: Path) -> None:
        """A start is no news in a log; where the attempt's own log is may become news."""
        self.logs[entry.job.id] = folder / "log.txt"

    def on_event(self, entry: Entry, events: Sequence[Event]) -> None:
        """Nor is a step; that a job waits for other runs on this machine is, once that takes a while."""
        self._waits_no_more(entry)
        if events[-1].kind == "phase" and events[-1].name == "wait":
            told = f"{title(entry)}: waiting until other runs on this machine leave it alone"
            timer = self.waiting[entry.job.id] = Timer(WAITS_S, say, [told])
            timer.daemon = True
            timer.start()

    def _waits_no_more(self, entry: Entry) -> None:
        if (timer := self.waiting.pop(entry.job.id, None)) is not None:
            timer.cancel()

    def on_end(self, entry: Entry, record: Record) -> None:
        """A job has ended."""
        self._waits_no_more(entry)
        self.done += 1
        of = "" if self.total is None else f"/{self.total}"
        say(f"[{self.done}{of}] {title(entry)}: {outcome(record, self.logs.get(record.id))}")

    def on_note(self, text: str) -> None:
        """The run has something to say."""
        say(text)


class Bars:
    """A bar for the whole run and a line for every running job."""

    def __init__(self, total: int | None, remaining: Remaining | None) -> None:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self.progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[note]}", markup=False),
            TimeElapsedColumn(),
            console=err(),
            transient=True,
            refresh_per_second=2,
        )
        self.total = self.progress.add_task("all jobs", total=total, note="0" if total is None else f"0/{total}")
        self.count, self.done, self.remaining = total, 0, remaining
        self.running: dict[str, Any] = {}
        self.logs: dict[str, Path] = {}

    def __enter__(self) -> "Bars":
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()

    def on_start(self, entry: Entry, folder: Path) -> None:
        """A line for the job."""
        if self.remaining is not None:
            self.remaining.start(entry)
        self.logs[entry.job.id] = folder / "log.txt"
        self.running[entry.job.id] = self.progress.add_task(f"  {title(entry)}", total=None, note="starting")

    def on_event(self, entry: Entry, events: Sequence[Event]) -> None:
        """Move the job's bar."""
        line = self.running.get(entry.job.id)
        if line is None:
            return
        for event in events:
            if event.kind == "progress":
                self.progress.update(line, total=event.total, completed=event.done or 0)
            elif event.kind == "phase":
                self.progress.update(line, note="waiting for the machine" if event.name == "wait" else event.name or "")
            elif event.kind == "metrics":
                scores = [f"{k} {v:.4f}" for k, v in event.values.items() if k.startswith("val_") and v is not None][:1]
                self.progress.update(line, note=f"epoch {event.epoch:g} {' '.join(scores)}")

    def on_end(self, entry: Entry, record: Record) -> None:
        """Take the job's line away; leave one behind it in the scroll-back."""
        bar = self.running.pop(entry.job.id, None)
        if bar is not None:
            self.progress.remove_task(bar)
        self.done += 1
        note = str(self.done) if self.count is None else f"{self.done}/{self.count}"
        if self.remaining is not None:
            self.remaining.end(entry)
            if (left_s := self.remaining.seconds) is not None:
                note += f", about {duration(left_s)} left"
        self.progress.update(self.total, advance=1, note=note)
        self.progress.console.print(
            f"{title(entry)}: {outcome(record, self.logs.get(record.id))}", markup=False, highlight=False
        )

    def on_note(self, text: str) -> None:
        """The run has something to say."""
        self.progress.console.print(text, markup=False, highlight=False)


def listener(entries: Sequence[Entry] | None, estimator: Estimator, slots: int) -> "Bars | Lines":
    """Bars where stderr is a terminal, lines elsewhere.

    Args:
        entries: jobs to come; None: a search decides as it goes.
        estimator: how long they take.
        slots: how many run side by side.
    """
    total = None if entries is None else len(entries)
    if not sys.stderr.isatty():
        return Lines(total)
    return Bars(total, None if entries is None else Remaining(entries, estimator, slots))
