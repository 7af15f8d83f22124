"""Stores that look as if a suite had been run, made in a moment: records without any work behind them."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from dlbench.cli.planning import Flags, planned
from dlbench.run.made import made
from dlbench.schema.job import Entry, Work
from dlbench.schema.metric import Metric
from dlbench.schema.record import Record, Status
from dlbench.store.folder import Store


def fill(
    suite: Path,
    store: Path,
    *,
    overrides: Sequence[str] = (),
    status: Callable[[Entry], Status | None] = lambda entry: "ok",
) -> list[Entry]:
    """Give the jobs that a run of the suite would do a record.

    Args:
        suite: the suite's file.
        store: the store's folder, made if need be.
        overrides: as on the command line.
        status: of each record; None: none, as if the run had ended before.

    Returns:
        The entries that were given one.
    """
    folder = Store.open(store, create=True)
    filled = []
    with folder.writer(), planned(Flags(suite, tuple(overrides)), folder) as todo:
        folder.write_suite(todo.plan.suite, todo.plan.entries)
        folder.keep_choices(todo.plan.suite.name, todo.plan.choices)
        here = todo.describe([{"what": "machine"}])[0]
        for entry in todo.waiting:
            word = status(entry)
            if word is None:
                continue
            jobdir = folder.new_attempt(Work(job=entry.job, attempt=0, label=entry.label))
            jobdir.write_record(
                _record(jobdir.work(), word).model_copy(
                    update={"machine": here["machine"], "versions": here["versions"]}
                )
            )
            filled.append(entry)
    return filled


def _record(work: Work, status: Status) -> Record:
    bare = made(work, status, "" if status == "ok" else "as the test wants it", datetime.now(UTC), 1.0)
    if status != "ok":
        return bare
    name, unit = ("test_accuracy", "fraction") if work.job.kind == "train" else ("infer_throughput", "samples/s")
    return bare.model_copy(
        update={"reason": None, "metrics": (Metric(name=name, value=0.5, unit=unit, better="higher", n=64),)}
    )
