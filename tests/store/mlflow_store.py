"""Small stores made by hand, for the tests of the mirror."""

import csv
import hashlib
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dlbench.schema.invocation import Invocation
from dlbench.schema.job import CostPoint, DatasetRef, Entry, Job, ModelRef, TaskRef, Work
from dlbench.schema.metric import Metric
from dlbench.schema.record import Artifact, Record, RecordDataset, RecordPrecision
from dlbench.schema.suite import Suite, TaskEntry
from dlbench.schema.train import TrainSettings
from dlbench.store.folder import Store
from dlbench.store.sync import QUIET

STARTED = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
DIGEST = "sha256:" + "ab" * 32


def entry(label: str, seed: int = 0, *, cost: int | None = None, **changes: Any) -> Entry:
    """A train job with a seed, or round `cost` of a cost job; what changes is of its line in the index."""
    job = Job(
        id=hashlib.sha256(f"{label} {seed} {cost}".encode()).hexdigest()[:16],
        kind="train" if cost is None else "cost",
        task=TaskRef(name="text_classification", params={"max_length": 64}),
        dataset=DatasetRef(name="ag_news", digest=DIGEST, source="mirror", official=False),
        model=ModelRef(name="lstm", params={"hidden_size": 128, "pooling": {"kind": "mean"}, "kernels": [3, 5]}),
        train=TrainSettings(lr=0.002, epochs=4),
        cost=None if cost is None else CostPoint(batch_size=64, phases=("train",), round=cost),
        seed=seed if cost is None else None,
    )
    return Entry(job=job, label=label, **changes)


def end(store: Store, line: Entry, status: str = "ok", **changes: Any) -> tuple[str, int]:
    """Make an attempt at a job with a curve, a card and a record."""
    jobdir = store.new_attempt(Work(job=line.job, attempt=1, label=line.label))
    _write_curve(jobdir.artifacts / "curve.csv")
    (jobdir.artifacts / "model_card.md").write_text("# lstm\n")
    (jobdir.artifacts / "predictions.npz").write_bytes(b"large")
    job = line.job
    attempt = int(jobdir.path.name)
    fields: Mapping[str, Any] = {
        "reason": None if status == "ok" else "it broke",
        "metrics": (
            Metric(name="test_accuracy", value=0.91, unit="fraction", better="higher", n=7600),
            Metric(name="mfu", value=None, unit="fraction", better="higher", reason="no ceiling was measured"),
        ),
        "artifacts": tuple(
            Artifact(path=f"artifacts/{name}", sha256="0" * 64, role=role)
            for name, role in (
                ("curve.csv", "curve"),
                ("model_card.md", "model_card"),
                ("predictions.npz", "predictions"),
            )
        ),
        **changes,
    }
    record = Record(
        id=job.id,
        attempt=attempt,
        kind=job.kind,
        status=status,  # type: ignore[arg-type]
        task=job.task,
        dataset=RecordDataset(name="ag_news", digest=DIGEST, source="mirror", official=False, train=19930, test=7600),
        model=job.model,
        train=job.train.model_dump(mode="json"),
        cost=job.cost,
        precision=RecordPrecision(asked="fp32", ran=("float32",)),
        device="cpu",
        threads=1,
        seed=job.seed,
        code={"git_commit": "c0ffee"},
        command="dlbench run s.yaml",
        started_at=STARTED,
        duration_s=12.5,
        **fields,
    )
    jobdir.write_record(record)
    return job.id, attempt


def invocation(store: Store, made: list[tuple[str, int]], number: int = 1, **changes: Any) -> Invocation:
    """Write an ended invocation of suite `s` that made these."""
    fields: dict[str, Any] = {
        "ended_at": STARTED + timedelta(minutes=number, seconds=40),
        "verdict": "lstm wins.",
        "metrics": {"lstm/test_accuracy_mean": 0.91},
        **changes,
    }
    account = Invocation(
        id=f"2026030{number}",
        suite="s",
        description="Which one?",
        started_at=STARTED + timedelta(minutes=number),
        made=tuple(made),
        **fields,
    )
    store.write_invocation(account)
    return account


def store_with(root: Path, lines: list[Entry], suite: str = "s") -> Store:
    """A store that holds one suite and no attempts yet."""
    store = Store.open(root, create=True)
    store.write_suite(
        Suite(name=suite, description="Which one?", tasks=(TaskEntry(name="text_classification"),)), lines
    )
    return store


def child_env() -> dict[str, str]:
    """Environment of processes that import this dlbench and mlflow."""
    return {**os.environ, **QUIET, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}


def _write_curve(path: Path) -> None:
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["step", "epoch", "elapsed_s", "lr", "train_loss", "val_accuracy"])
        writer.writerow([100, 1.0, 2.0, 0.002, 0.7, 0.8])
        writer.writerow([150, 1.5, 3.0, 0.002, 0.6, ""])
        writer.writerow([200, 2.0, 4.0, 0.002, 0.5, 0.9])
