"""Suites of records with known truth, as a store would hand them over: no job is run."""

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dlbench.schema.job import CostPoint, DatasetRef, Entry, Job, ModelRef, TaskRef
from dlbench.schema.metric import Metric
from dlbench.schema.record import Artifact, Record, RecordDataset, RecordPrecision, Result
from dlbench.schema.suite import Suite
from dlbench.schema.train import TrainSettings

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MACHINE = {
    "host": "bench",
    "os": "Linux 6.1",
    "cpu": "Example CPU",
    "cores": 2,
    "memory_bytes": 8_000_000_000,
    "gpus": [],
}
COSTS = {
    "train_throughput": ("samples/s", "higher"),
    "infer_throughput": ("samples/s", "higher"),
    "decode_throughput": ("samples/s", "higher"),
    "infer_latency_p50_ms": ("ms", "lower"),
    "train_peak_memory_bytes": ("bytes", "lower"),
    "infer_peak_memory_bytes": ("bytes", "lower"),
    "parameters": ("count", "lower"),
    "flops_per_sample": ("flop", "lower"),
    "mfu": ("fraction", "higher"),
    "infer_mfu": ("fraction", "higher"),
    "energy_per_sample_j": ("J", "lower"),
    "infer_energy_per_sample_j": ("J", "lower"),
    "train_break_even_steps": ("steps", "lower"),
}
ENDS = {"_bytes": ("bytes", "lower"), "_ms": ("ms", "lower"), "_s": ("s", "lower")}
"""Unit and direction of cost metrics that are not in `COSTS`, by the end of their name."""
GIVEN = ("varied", "skipped", "flags", "ran", "layers", "machine", "started_at")
"""What `quality` and `costs` hand on to `result`; all else is the job's."""


def suite(**fields: Any) -> Suite:
    """A suite of one task, `synthetic` unless named."""
    return Suite.model_validate(
        {"name": "synthetic", "tasks": [{"name": "text_classification"}], "seeds": [0, 1, 2, 3, 4], **fields}
    )


def job(label: str, *, kind: str = "train", number: int = 0, **fields: Any) -> Job:
    """A job of model `label`; `number` is its seed, or its round, and `point` more of a cost point."""
    dataset = {"name": "ag_news", "digest": "sha256:" + "ab" * 32, "source": "mirror", "official": True}
    dataset |= fields.pop("dataset", {})
    batch_size, point = fields.pop("batch_size", 64), fields.pop("point", {})
    values: dict[str, Any] = {
        "kind": kind,
        "task": TaskRef(name=fields.pop("task", "text_classification")),
        "dataset": DatasetRef.model_validate(dataset),
        "model": ModelRef(name=label.split()[0], params=fields.pop("params", {"hidden_size": 64})),
        "train": TrainSettings.model_validate(fields.pop("train", {})),
        **fields,
    }
    if kind == "train":
        values["seed"] = number
    else:
        point = {"phases": ("train", "infer"), **point}
        values["cost"] = CostPoint(batch_size=batch_size, round=number, **point)
    name = json.dumps([label, number, batch_size, {key: str(value) for key, value in values.items()}], sort_keys=True)
    return Job(id=hashlib.sha256(name.encode()).hexdigest()[:16], **values)


def result(
    the_job: Job,
    label: str,
    metrics: Sequence[Metric] = (),
    *,
    status: str | None = "ok",
    reason: str | None = None,
    skipped: str | None = None,
    varied: dict[str, Any] | None = None,
    folder: Path | None = None,
    artifacts: Sequence[Artifact] = (),
    flags: Sequence[str] = (),
    ran: Sequence[str] = ("float32",),
    layers: dict[str, tuple[str, ...]] | None = None,
    machine: dict[str, Any] | None = None,
    started_at: datetime | None = None,
) -> Result:
    """A line of the index with a record of that status; no record for None."""
    entry = Entry(job=the_job, label=label, skipped=skipped, varied=varied or {})
    if status is None or skipped is not None:
        return Result(entry=entry)
    data = the_job.dataset.model_dump()
    record = Record(
        id=the_job.id,
        attempt=1,
        kind=the_job.kind,
        status=status,  # type: ignore[arg-type]
        reason=reason,
        flags=tuple(flags),
        task=the_job.task,
        dataset=RecordDataset(**data, train=19930, val=1048, test=7600),
        model=the_job.model,
        cost=the_job.cost,
        precision=RecordPrecision(asked=the_job.precision, ran=tuple(ran), layers=layers or {}),
        device=the_job.device,
        threads=the_job.threads,
        seed=the_job.seed,
        metrics=tuple(metrics),
        artifacts=tuple(artifacts),
        machine=MACHINE | (machine or {}),
        versions={"python": "3.11.9", "torch": "2.13.0", "dlbench": "0.1.0"},
        code={"git_commit": "0123abc", "git_dirty": False},
        command="dlbench run suites/synthetic.yaml",
        started_at=started_at or START + timedelta(seconds=the_job.seed or 0),
        duration_s=41.2,
    )
    return Result(entry=entry, record=record, folder=str(folder) if folder else None)


def quality(
    label: str, scores: Sequence[float | None], *, name: str = "accuracy", better: str = "higher", **fields: Any
) -> list[Result]:
    """Train results, one a seed; a None is a job that has not run."""
    given = {key: fields.pop(key) for key in GIVEN if key in fields}
    unit = "fraction" if better == "higher" else "nats"
    return [
        result(
            job(label, number=seed, **fields),
            label,
            []
            if score is None
            else [
                Metric(name=f"test_{name}", value=score, unit=unit, better=better, n=7600),  # type: ignore[arg-type]
                Metric(name="train_time_s", value=10.0 + seed, unit="s", better="lower"),
            ],
            status=None if score is None else "ok",
            **given,
        )
        for seed, score in enumerate(scores)
    ]


def cost_metric(name: str, value: float | str) -> Metric:
    """A cost metric of the vocabulary; a text is the reason why it has no value."""
    unit, better = COSTS.get(name) or next(known for end, known in ENDS.items() if name.endswith(end))
    found = {"value": None, "reason": value} if isinstance(value, str) else {"value": value}
    return Metric.model_validate({"name": name, "unit": unit, "better": better, **found})


def costs(
    label: str, values: dict[str, Sequence[float | str]], *, batch_size: int = 64, first: int = 0, **fields: Any
) -> list[Result]:
    """Cost results, one a round, numbered from `first` on."""
    given = {key: fields.pop(key) for key in GIVEN if key in fields}
    rounds = max(len(found) for found in values.values())
    return [
        result(
            job(label, kind="cost", number=first + number, batch_size=batch_size, **fields),
            label,
            [cost_metric(name, found[number]) for name, found in values.items()],
            **given,
        )
        for number in range(rounds)
    ]


def with_artifact(one: Result, folder: Path, role: str, name: str, write: Callable[[Path], None]) -> Result:
    """The same result with a file that `write` made."""
    path = folder / one.entry.job.id / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path)
    assert one.record is not None
    artifact = Artifact(path=name, sha256="0" * 64, role=role)
    record = one.record.model_copy(update={"artifacts": (*one.record.artifacts, artifact)})
    return one.model_copy(update={"record": record, "folder": str(path.parent)})
