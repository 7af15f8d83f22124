"""What a job's attempt and an invocation look like as MLflow runs: names, params, metrics, tags, files.

    attempt      params (`settings`), the record's metrics under their own names, learning curves (`curves`),
                 record.json, and what of its artifacts is small
    invocation   the suite's description, the verdict and the contenders at a glance as its note (`notes`), means and
                 medians as `<contender>/<metric>`, the report's folder, leaderboard and comparisons as tables

Costs are named as in the record, `<phase>_throughput` in samples/s, `…_ms`, `…_bytes`; an attempt's batch size is its
param `cost.batch_size`, an invocation's stands in the name: `lstm/infer_throughput_b64`.
A pure translation. Knows nothing of ledgers and clients and does not import mlflow.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from dlbench.schema.invocation import Invocation
from dlbench.schema.job import CostPoint, Entry
from dlbench.schema.record import Record, Status
from dlbench.store.curves import Point, points
from dlbench.store.identity import ATTEMPT, CANDIDATE, INVOCATION, JOB, KIND, STATE, STORE, STUDY, SUITE
from dlbench.store.names import LONGEST_KEY, clean_names, clean_params, cut_tags
from dlbench.store.notes import run_note, tables
from dlbench.store.settings import params, told_apart
from dlbench.store.upkeep import NOTE

LONGEST_DIGEST = 36
MIRRORED_ROLES = frozenset({"curve", "model_card", "samples", "mistakes"})  # the rest stays in the store
LARGEST_BYTES = 2**20  # of a mirrored artifact; a larger one stays in the store, too

_STATUS: Mapping[Status, str] = {"ok": "FINISHED", "pruned": "FINISHED", "interrupted": "KILLED"}


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
        texts: more files, by name.
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
    texts: Mapping[str, str] = field(default_factory=dict)


def of_attempt(
    store: str,
    suite: str,
    entry: Entry,
    record: Record,
    folder: Path,
    *,
    several_models: bool = True,
    apart: Sequence[str] = (),
) -> Run:
    """The run of one attempt at a job.

    Args:
        store: id of the store.
        suite: name of the suite in whose experiment the run stands.
        entry: what the suite calls the job.
        record: how the attempt ended.
        folder: the attempt's folder.
        several_models: whether a candidate of a study does not go without saying of which model it is.
        apart: what the label leaves open: `dataset`, `precision`, `device`.
    """
    started_ms = _ms(record.started_at)
    ended_ms = _ms(record.started_at + timedelta(seconds=record.duration_s))
    mirrored = [folder / artifact.path for artifact in record.artifacts if artifact.role in MIRRORED_ROLES]
    files = [folder / "record.json", *(path for path in mirrored if path.is_file() and _small(path))]
    return Run(
        identity={STORE: store, SUITE: suite, JOB: record.id, ATTEMPT: str(record.attempt)},
        name=_run_name(entry, record, several_models, apart),
        status=_STATUS.get(record.status, "FAILED"),
        started_ms=started_ms,
        ended_ms=ended_ms,
        tags=cut_tags(_tags(entry, record)),
        params=clean_params(params(entry, record)),
        points=[*_final(record, ended_ms), *points(record, folder, started_ms)],
        dataset=_dataset(record),
        files=[path for path in files if path.is_file()],
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
    texts = tables(invocation) if status else {}
    tags = {
        STATE: state,
        KIND: "invocation",
        NOTE: run_note(invocation),
        **({"mlflow.loggedArtifacts": _shown_as_tables(texts)} if texts else {}),
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
        texts=texts,
    )


def _shown_as_tables(names: Iterable[str]) -> str:
    """What MLflow's own `log_table` writes: its pages then show these files as tables."""
    return json.dumps([{"path": name, "type": "table"} for name in names])


def _small(path: Path) -> bool:
    return path.stat().st_size <= LARGEST_BYTES


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _run_name(entry: Entry, record: Record, several_models: bool, apart: Sequence[str]) -> str:
    """`lstm · seed 0`, `lstm · ag_news · bf16 · cost b64 round 1`, `#3 · seed 0 · attempt 2`."""
    candidate = [] if entry.candidate is None else [f"#{entry.candidate}"]
    label = [entry.label] if several_models or not candidate else []
    what = _cost_name(record.cost) if record.cost is not None else f"seed {record.seed}"
    again = [f"attempt {record.attempt}"] if record.attempt > 1 else []
    return " · ".join([*label, *candidate, *told_apart(entry, apart), what, *again])


def _cost_name(cost: CostPoint) -> str:
    if cost.largest_batch:
        return f"largest batch to {' and '.join(cost.phases)}"
    return f"cost b{cost.batch_size} {'anchor' if cost.anchor else 'round'} {cost.round + 1}"


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
        "dlbench.data": _data(record),
        "mlflow.source.name": record.command or "dlbench",
        "mlflow.source.type": "LOCAL",
        **_commit(record.code),
        **{key: value for key, value in optional.items() if value},
    }


def _data(record: Record) -> str:
    used = record.dataset
    return f"{used.source}{'' if used.official or used.source == 'built-in' else ', unofficial copy'}"


def _final(record: Record, ended_ms: int) -> Iterator[Point]:
    values = {metric.name: metric.value for metric in record.metrics if metric.value is not None}
    values["duration_s"] = record.duration_s
    for name, value in clean_names(values).items():
        yield Point(name, value, ended_ms, 0)


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
