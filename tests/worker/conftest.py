from collections.abc import Callable
from pathlib import Path
from typing import Any

import commands
import pytest

from dlbench.jobdir import JobDir
from dlbench.schema.job import CostPoint, DatasetRef, Job, ModelRef, TaskRef, Work
from dlbench.schema.record import Record
from dlbench.schema.train import TrainSettings

Do = Callable[..., tuple[Record, JobDir]]


@pytest.fixture(autouse=True)
def _childless() -> None:
    """What is measured here is this process with its children."""
    commands.stop()


@pytest.fixture
def make_work(plugins: dict[str, tuple[str, ...]]) -> Callable[..., Work]:
    """Work on blobs with a two-layer perceptron; keywords change it."""

    def make(
        model: str = "two_layer",
        params: dict[str, Any] | None = None,
        cost: CostPoint | None = None,
        data: dict[str, Any] | None = None,
        **fields: Any,
    ) -> Work:
        train = fields.pop("train", {"epochs": 2, "batch_size": 32, "lr": 0.01})
        seed = None if cost else fields.pop("seed", 0)
        job = Job(
            id="0123456789abcdef",
            kind="cost" if cost else "train",
            task=TaskRef(name="vectors"),
            dataset=DatasetRef(name="blobs", params=data or {}, digest="sha256:0", source="built-in", official=True),
            model=ModelRef(name=model, params=params or {}),
            train=TrainSettings(**train),
            cost=cost,
            seed=seed,
            **fields,
        )
        return Work(job=job, attempt=1, label=model, plugins=plugins)

    return make


@pytest.fixture
def do(make_work: Callable[..., Work], tmp_path: Path) -> Do:
    """Do a job in this process and give back its record and folder."""
    from dlbench.worker.work import work

    count = 0

    def run(**fields: Any) -> tuple[Record, JobDir]:
        nonlocal count
        count += 1
        jobdir = JobDir(tmp_path / f"job{count}")
        jobdir.create(make_work(**fields))
        work(jobdir.path)
        record = jobdir.record()
        assert record is not None
        return record, jobdir

    return run
