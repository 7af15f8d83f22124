"""One job, alone in its process: read job.json, do it, write record.json whatever happens."""

import hashlib
import io
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlbench.contracts.batches import Predictions
from dlbench.contracts.tasks import Classifier, Generator
from dlbench.errors import DataError, Diverged, Unsupported
from dlbench.jobdir import JobDir
from dlbench.meters.memory import reset_peak
from dlbench.schema.base import Value
from dlbench.schema.job import Work
from dlbench.schema.metric import Metric
from dlbench.schema.record import Artifact, Record, RecordDataset, RecordPrecision, Status
from dlbench.worker import fitting, question
from dlbench.worker.answer import answer
from dlbench.worker.attention import attention_of
from dlbench.worker.build import Bench, set_up
from dlbench.worker.card import model_card
from dlbench.worker.cost import Costs, measure
from dlbench.worker.dtypes import Ran
from dlbench.worker.evaluate import predict, prefixed
from dlbench.worker.fingerprint import fingerprint
from dlbench.worker.lock import machine_lock
from dlbench.worker.machine import machine, versions
from dlbench.worker.memory_limit import lift_limit
from dlbench.worker.mistakes import mistakes_of
from dlbench.worker.oom import peak_reached, ran_out, reason_of
from dlbench.worker.outputs import outputs_of
from dlbench.worker.rig import memory_in_use
from dlbench.worker.samples import samples_of
from dlbench.worker.seeds import seed_globally
from dlbench.worker.train import Training, evaluation_batch
from dlbench.worker.warm import FOLLOW_UP


@dataclass
class Findings:
    """What a job has found so far; whatever stops it, the record keeps this much."""

    status: Status = "ok"
    reason: str | None = None
    metrics: list[Metric] = field(default_factory=list)
    ran: Ran = field(default_factory=Ran)
    flags: list[str] = field(default_factory=list)
    fingerprint: str | None = None
    outputs: dict[str, Any] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    phase: str = "train"


def work(folder: Path) -> int:
    """Do the job of a folder; its `record.json` exists when this returns.

    Returns:
        The process's exit code: 0, or `FOLLOW_UP` after a lack of memory (`dlbench.worker.fitting.follow_up`).
    """
    jobdir = JobDir(folder)
    todo = jobdir.work()
    jobdir.artifacts.mkdir(exist_ok=True)
    with machine_lock(todo.lock_dir, exclusive=todo.job.exclusive, on_wait=lambda: jobdir.tell("phase", name="wait")):
        started_at, began = datetime.now(UTC), time.perf_counter()
        findings = Findings()
        try:
            with _nondeterminism(findings.flags):
                _do(todo, jobdir, findings)
        finally:
            lift_limit()
        duration_s = time.perf_counter() - began
    jobdir.write_record(_record(todo, jobdir, findings, started_at, duration_s))
    first = todo.job.cost is None or todo.job.cost.round == 0  # later rounds would find the same
    return FOLLOW_UP if findings.status == "oom" and first else 0


def _do(todo: Work, jobdir: JobDir, findings: Findings) -> None:
    """The job itself; every way in which it can end is a status with a reason."""
    try:
        jobdir.tell("phase", name="load")
        if todo.job.table is not None:
            findings.metrics, flag, findings.sizes = answer(todo.job, jobdir)
            findings.flags.append(flag)
            return
        if todo.job.cost is not None and todo.job.cost.largest_batch:
            findings.metrics = [fitting.find(todo, jobdir, phase) for phase in todo.job.cost.phases]
            return
        bench = set_up(todo)
        findings.sizes = dict(bench.task.sizes)
        with _telling_of_memory(bench, findings):
            if todo.job.kind == "train":
                _train(bench, todo, jobdir, findings)
            else:
                _measure(bench, todo, jobdir, findings)
    except fitting.Stopped:
        findings.status, findings.reason = "interrupted", STOPPED
    except Unsupported as error:
        findings.status, findings.reason = "skipped", str(error)
    except Diverged as error:
        findings.status, findings.reason = "diverged", str(error)
    except DataError as error:
        findings.status, findings.reason = "failed", str(error)
    except Exception as error:  # a model, task or plugin can raise anything; the job fails, the run goes on
        findings.status = "oom" if ran_out(error) else "failed"
        findings.reason = reason_of(error) if ran_out(error) else f"{type(error).__name__}: {error}".strip()
        traceback.print_exc()  # into the attempt's log


@contextmanager
def _telling_of_memory(bench: Bench, findings: Findings) -> Iterator[None]:
    """What memory the job had when it was refused more becomes a metric."""
    baseline_bytes = memory_in_use(bench.device)
    reset_peak(bench.device)
    try:
        yield
    except Exception as error:
        if ran_out(error):
            findings.metrics.append(peak_reached(bench.device, findings.phase, baseline_bytes))
        raise


def _measure(bench: Bench, todo: Work, jobdir: JobDir, findings: Findings) -> None:
    """Measure; whatever stops that, what was measured before is kept."""
    costs = Costs()
    try:
        measure(bench, jobdir, costs, todo.calibration)
    finally:
        findings.metrics, findings.ran, findings.phase = costs.metrics, costs.ran, costs.phase
        precision = bench.precision
        findings.flags += [*filter(None, (precision.emulated, precision.missed(costs.ran))), *costs.flags]


@contextmanager
def _nondeterminism(flags: list[str]) -> Iterator[None]:
    """Torch's warnings of kernels that are not deterministic become flags; all others go to the attempt's log."""
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        show = warnings.showwarning

        def told(message: Warning | str, category: type[Warning], *place: Any, **rest: Any) -> None:
            if "deterministic" in str(message):
                flags.append(f"not deterministic: {str(message).partition(' does not have')[0]}")
            else:
                show(message, category, *place, **rest)

        warnings.showwarning = told
        yield


def _train(bench: Bench, todo: Work, jobdir: JobDir, findings: Findings) -> None:
    """Train, then score the splits that the job names, then keep what belongs to the result."""
    job = bench.job
    assert job.seed is not None
    model = bench.model()
    seed_globally(job.seed, "dropout")  # and whatever else draws from the global generator
    first = next(bench.task.batches("train", min(job.train.batch_size, bench.task.sizes["train"])))
    findings.ran = bench.precision.ran(model, first)
    findings.flags += filter(None, (bench.precision.emulated, bench.precision.missed(findings.ran)))
    jobdir.tell("phase", name="train")
    ask = question.ask if todo.asks else None
    trained = Training(bench.task, model, job.train, bench.precision, job.seed, jobdir, ask=ask).run()
    if trained.stopped:
        findings.status, findings.reason = "interrupted", STOPPED
        return
    if trained.pruned:
        findings.status, findings.reason = "pruned", "its study's pruner saw no promise in it"
        findings.metrics = trained.metrics
        return
    jobdir.tell("phase", name="test")
    answers = bench.precision.for_inference(model)
    scores: dict[str, list[Metric]] = {}
    for split in job.splits:
        predictions = predict(bench.task, answers, split, evaluation_batch(job.train), bench.precision)
        scores[split] = prefixed(bench.task.score(predictions, split), split)
        if split == job.splits[-1]:
            columns = bench.task.keep(predictions, split)
            np.savez_compressed(jobdir.artifacts / "predictions.npz", **columns)  # type: ignore[arg-type]
        if split == "test":
            _show(bench, answers, predictions, jobdir)
    findings.metrics = [metric for split in reversed(job.splits) for metric in scores[split]] + trained.metrics
    findings.fingerprint = fingerprint(model)
    findings.outputs = outputs_of(bench.task, model, evaluation_batch(job.train), bench.precision)
    card = model_card(todo, model, findings.metrics, findings.sizes)
    (jobdir.artifacts / "model_card.md").write_text(card, encoding="utf-8")
    if job.train.checkpoint:
        weights = io.BytesIO()  # torch hides why a file cannot be written, such as that the disk is full
        torch.save(model.state_dict(), weights)
        (jobdir.path / "checkpoint.pt").write_bytes(weights.getbuffer())


def _show(bench: Bench, model: torch.nn.Module, predictions: Predictions, jobdir: JobDir) -> None:
    """Leave what a person looks at: mistakes of a classifier, samples and attention of a generator."""
    shown: dict[str, Value | None] = {}
    if isinstance(predictions, torch.Tensor):
        if isinstance(bench.task, Classifier):
            shown["mistakes"] = mistakes_of(bench.task, predictions)
    elif isinstance(bench.task, Generator):
        shown["samples"] = samples_of(bench.task, predictions)
        shown["attention"] = attention_of(bench.task, model, bench.precision)
    for role, found in shown.items():
        if found is not None:
            text = found.model_dump_json(by_alias=True, exclude_none=True)
            (jobdir.artifacts / f"{role}.json").write_text(text, encoding="utf-8")


STOPPED = "the run was told to stop; the next run makes this job again"

ROLES = {
    "curve.csv": "curve",
    "predictions.npz": "predictions",
    "model_card.md": "model_card",
    "checkpoint.pt": "checkpoint",
    "windows.jsonl": "windows",
}


def _artifacts(jobdir: JobDir) -> tuple[Artifact, ...]:
    return tuple(
        Artifact(
            path=str(path.relative_to(jobdir.path)),
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            role=ROLES.get(path.name, path.stem),
        )
        for path in sorted([*jobdir.artifacts.rglob("*"), *jobdir.path.glob("checkpoint*")])
        if path.is_file()
    )


def _record(todo: Work, jobdir: JobDir, findings: Findings, started_at: datetime, duration_s: float) -> Record:
    job = todo.job
    sizes: dict[str, Any] = {split: findings.sizes.get(split) for split in ("train", "val", "test")}
    return Record(
        schema=1,
        id=job.id,
        attempt=todo.attempt,
        kind=job.kind,
        status=findings.status,
        reason=findings.reason,
        flags=tuple(findings.flags),
        task=job.task,
        dataset=RecordDataset(**job.dataset.model_dump(), **sizes),
        model=job.model,
        train=job.train.model_dump(mode="json"),
        cost=job.cost,
        outputs=findings.outputs,
        precision=RecordPrecision(asked=job.precision, ran=findings.ran.dtypes, layers=findings.ran.layers),
        device=job.device,
        threads=job.threads,
        seed=job.seed,
        inputs=job.inputs,
        metrics=tuple(findings.metrics),
        artifacts=_artifacts(jobdir),
        fingerprint=findings.fingerprint,
        machine=machine() | ({} if todo.calibration is None else {"calibration": todo.calibration}),
        versions=versions(),
        code=todo.code,
        command=todo.command,
        started_at=started_at,
        duration_s=duration_s,
    )
