"""Tables of trainings that were made once and ship with dlbench: a job that names one is answered instead of trained.

A row is found by everything that makes a training what it is (task, data, model, training settings, precision, seed);
a job that differs in anything finds none. Made by `tests/benchmarks/make_table.py` from records. Knows no strategies.
"""

import gzip
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from dlbench.errors import Unsupported
from dlbench.schema.base import Json
from dlbench.schema.job import Job
from dlbench.schema.record import Record

FOLDER = Path(__file__).parent / "tables"
SUFFIX = ".json.gz"


def names() -> tuple[str, ...]:
    """Every table that ships."""
    return tuple(sorted(path.name.removesuffix(SUFFIX) for path in FOLDER.glob(f"*{SUFFIX}")))


@cache
def read(name: str) -> dict[str, Any]:
    """A table: `about` (who made it, with what), `sizes` of the splits, `rows` by key.

    A row has `metrics` (name → value, unit, better), `curve` (column → values, one a validation) and `parameters`.
    """
    table: dict[str, Any] = json.loads(gzip.decompress((FOLDER / f"{name}{SUFFIX}").read_bytes()))
    return table


def row(job: Job) -> dict[str, Any]:
    """What the job's table has of it.

    Raises:
        Unsupported: nothing; the job is not one of those that the table was made of.
    """
    assert job.table is not None
    found: dict[str, Any] | None = read(job.table)["rows"].get(key(job))
    if found is None:
        raise Unsupported(
            f"the table {job.table!r} holds no such training: task, data, model, train, precision and seed must be "
            f"those of the suite that it was made of ({read(job.table)['about']['suite']})"
        )
    return found


def key(job: Job | Record) -> str:
    """All that makes a training what it is, hashed; revisions and versions are in the table's `about`."""
    train: dict[str, Json] = job.train if isinstance(job, Record) else job.train.model_dump(mode="json")
    precision = job.precision.asked if isinstance(job, Record) else job.precision
    parts = [
        [job.task.name, job.task.params],
        [job.dataset.name, job.dataset.params, job.dataset.digest],
        [job.model.name, job.model.params],
        {name: value for name, value in train.items() if name not in ("threads", "checkpoint")},
        precision,
        job.seed,
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
