"""What a job's attempt and an invocation look like as MLflow runs: names, params, metrics, tags, files.

A pure translation. Knows nothing of ledgers and clients and does not import mlflow.
"""

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from dlbench.schema.invocation import Invocation
from dlbench.schema.job import Entry
from dlbench.schema.record import Record, Status
from dlbench.store.identity import ATTEMPT, CANDIDATE, INVOCATION, JOB, KIND, STATE, STORE, STUDY, SUITE
from dlbench.store.names import LONGEST_KEY, clean_names, clean_params, cut_tags, flat, word

LONGEST_DIGEST = 36
MOST_POINTS = 1000  # of one curve; all of them are in the attached CSV
AXES = frozenset({"step", "epoch", "elapsed_s"})  # of a curve: MLflow draws over steps and time
MIRRORED_ROLES = frozenset({"curve", "model_card", "samples"})  # the rest stays in the store: it can be large

_STATUS: Mapping[Status, str] = {"ok": "FINISHED", "pruned": "FINISHED", "interrupted": "KILLED"}


class Point(NamedTuple):
    """One value of a metric; `time_ms` since the epoch."""

    name: str
    value: float
    time_ms: int
    step: int


class Input(NamedTuple):
    """The dataset that a run used."""

    name: str
    digest: str
    source: str
    profile: str
    context: str


class Found(NamedTuple):
    """A run that MLflow has.

    Attributes:
        whole: it was written to its end, or deleted by someone who does not want it.
        state: of an invocation or a study: what it shows (`dlbench.store.shelf`).
        deleted: by someone who does not want it; MLflow takes no more of it.
    """

    run_id: str
    whole: bool
    state: str | None
    deleted: bool = False


@dataclass(frozen=True)
class Run:
    """All that MLflow is told of one run.

    Attributes:
        identity: the tags that tell it from every other run.
        status: MLflow's word; None while the run goes on.
        files: files and folders that are attached.
    """

    identity: Mapping[str, str]
    name: str
    status: str | None
    started_ms: int
    ended_ms: int | None
    tags: Mapping[str, str]
    params: Mapping[str, str]
    points: Sequence[Point]
    dataset: Input | None
    files: Sequence[Path]


def of_attempt(
    store: str, suite: str, entry: Entry, record: Record, folder: Path, *, several_models: bool = True
) -> Run:
    """The run of one attempt at a job.

    Args:
        store: id of the store.
        suite: name of the suite in whose experiment the run stands.
        entry: what the suite calls the job.
        record: how the attempt ended.
        folder: the attempt's folder.
        several_models: whether a candidate of a study does not go without saying of which model it is.
    """
    started_ms = _ms(record.started_at)
    ended_ms = _ms(record.started_at + timedelta(seconds=record.duration_s))
    mirrored = [folder / artifact.path for artifact in record.artifacts if artifact.role in MIRRORED_ROLES]
    return Run(
        identity={STORE: store, SUITE: suite, JOB: record.id, ATTEMPT: str(record.attempt)},
        name=_run_name(entry, record, several_models),
        status=_STATUS.get(record.status, "FAILED"),
        started_ms=started_ms,
        ended_ms=ended_ms,
        tags=cut_tags(_tags(entry, record)),
        params=clean_params(_params(entry, record)),
        points=[*_final(record, ended_ms), *_curves(record, folder, started_ms)],
        dataset=_dataset(record),
        files=[path for path in (folder / "record.json", *mirrored) if path.is_file()],
    )


def of_invocation(store: str, invocation: Invocation, status: str | None, state: str) -> Run:
    """The parent run of one invocation.

    Args:
        store: id of the store.
        invocation: its present state.
        status: MLflow's word for how it ended; None while it goes on.
        state: changes whenever the run would.
    """
    ended = invocation.ended_at
    # A report is a few files; a folder that is not there any more says nothing about the run.
    report = [Path(invocation.report)] if invocation.report and status else []
    words = [invocation.description, f"**{invocation.verdict}**" if invocation.verdict else ""]
    tags = {
        STATE: state,
        KIND: "invocation",
        "mlflow.note.content": "\n\n".join(filter(None, words)),
        "dlbench.jobs": str(len(invocation.made)),
        "mlflow.source.name": invocation.command or "dlbench",
        "mlflow.source.type": "LOCAL",
        **_commit(invocation.code),
    }
    metrics = clean_names(invocation.metrics)
    return Run(
        identity={STORE: store, SUITE: invocation.suite, INVOCATION: invocation.id},
        name=f"{invocation.suite} · {invocation.started_at.astimezone():%Y-%m-%d %H:%M:%S}",
        status=status,
        started_ms=_ms(invocation.started_at),
        ended_ms=_ms(ended) if ended else None,
        tags=cut_tags(tags),
        params={},
        points=[
            Point(name, value, _ms(ended or invocation.started_at), 0)
            for name, value in metrics.items()
            if math.isfinite(value)
        ],
        dataset=None,
        files=[path for path in report if path.is_dir()],
    )


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _run_name(entry: Entry, record: Record, several_models: bool) -> str:
    if record.cost is not None:
        what = f"cost b{record.cost.batch_size} round {record.cost.round + 1}"
    else:
        what = f"seed {record.seed}"
    again = f" · attempt {record.attempt}" if record.attempt > 1 else ""
    if entry.candidate is None:
        return f"{entry.label} · {what}{again}"
    label = f"{entry.label} · " if several_models else ""
    return f"{label}#{entry.candidate} · {what}{again}"


def _commit(code: Mapping[str, Any]) -> dict[str, str]:
    commit = code.get("git_commit")
    return {"mlflow.source.git.commit": str(commit)} if commit else {}


def _tags(entry: Entry, record: Record) -> dict[str, str]:
    missing = [f"{metric.name}: {metric.reason}" for metric in record.metrics if metric.value is None]
    optional = {
        "dlbench.reason": record.reason,
        "dlbench.flags": ", ".join(record.flags),
        "dlbench.missing": "\n".join(missing),
        "dlbench.fingerprint": record.fingerprint,
        STUDY: entry.study,
        CANDIDATE: None if entry.candidate is None else str(entry.candidate),
    }
    return {
        "dlbench.status": record.status,
        KIND: record.kind,
        "dlbench.label": entry.label,
        "mlflow.source.name": record.command or "dlbench",
        "mlflow.source.type": "LOCAL",
        **_commit(record.code),
        **{key: value for key, value in optional.items() if value},
    }


def _params(entry: Entry, record: Record) -> dict[str, str]:
    values = {
        "label": entry.label,
        "kind": record.kind,
        "task": record.task.name,
        **flat(record.task.params, "task"),
        "dataset": record.dataset.name,
        "dataset.digest": record.dataset.digest,
        "dataset.source": record.dataset.source,
        "dataset.official": record.dataset.official,
        **flat(record.dataset.params, "dataset"),
        "model": record.model.name,
        "model.preset": record.model.preset,
        **flat(record.model.params, "model"),
        **flat(record.train, "train"),
        "precision": record.precision.asked,
        "device": record.device,
        "threads": record.threads,
        "seed": record.seed,
        **flat(record.inputs, "inputs"),
    }
    if record.cost is not None:
        values |= flat(record.cost.model_dump(mode="json"), "cost")
    values = {**entry.varied, **values}  # an axis that names a block, say, is a param of its own
    return {key: word(value) for key, value in values.items() if value is not None}


def _final(record: Record, ended_ms: int) -> Iterator[Point]:
    values = {metric.name: metric.value for metric in record.metrics if metric.value is not None}
    values["duration_s"] = record.duration_s
    for name, value in clean_names(values).items():
        yield Point(name, value, ended_ms, 0)


def _curves(record: Record, folder: Path, started_ms: int) -> Iterator[Point]:
    """Points of the learning curves, named `curve/<column>`, so that a record's own figure keeps its plain name."""
    for artifact in record.artifacts:
        path = folder / artifact.path
        if artifact.role != "curve" or not path.is_file():
            continue
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        columns = [column for column in (rows[0] if rows else ()) if column not in AXES]
        for name, column in clean_names({f"curve/{column}": column for column in columns}).items():
            yield from _curve(rows, column, name, started_ms)


def _curve(rows: Sequence[Mapping[str, str]], column: str, name: str, started_ms: int) -> Iterator[Point]:
    measured = [row for row in rows if row.get(column) and row.get("step")]
    for row in _thinned(measured):
        value = float(row[column])
        if math.isfinite(value):
            elapsed_s = float(row.get("elapsed_s") or 0)
            yield Point(name, value, started_ms + round(elapsed_s * 1000), int(float(row["step"])))


def _thinned(rows: Sequence[Mapping[str, str]]) -> Iterable[Mapping[str, str]]:
    """At most `MOST_POINTS` rows, evenly spread, the first and the last among them."""
    if len(rows) <= MOST_POINTS:
        return rows
    last = len(rows) - 1
    return [rows[round(number * last / (MOST_POINTS - 1))] for number in range(MOST_POINTS)]


def _dataset(record: Record) -> Input:
    used = record.dataset
    sizes = {"train": used.train, "val": used.val, "test": used.test}
    return Input(
        name=used.name[:LONGEST_KEY],
        digest=used.digest.rpartition(":")[2][:LONGEST_DIGEST],
        source=json.dumps({"source": used.source, "official": used.official, "digest": used.digest}),
        profile=json.dumps({split: size for split, size in sizes.items() if size is not None}),
        context=record.kind,
    )
