"""The record of an attempt: what it left behind. Immutable, versioned JSON."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from dlbench.schema.base import Json, Value
from dlbench.schema.job import CostPoint, Entry, Kind, ModelRef, TaskRef
from dlbench.schema.metric import Metric

Status = Literal["ok", "failed", "oom", "diverged", "timeout", "pruned", "skipped", "interrupted", "lost"]

DONE: frozenset[Status] = frozenset({"ok"})
"""Only these count as done."""

AGAIN: frozenset[Status] = frozenset({"interrupted", "lost", "skipped"})
"""The next run makes these again by itself; the others wait for `--retry-failed`."""

WHILE_MEASURED = " while this was measured: "
"""In a flag of a cost job: between the disturbance and the regions (`train throughput, infer latency`)."""


class RecordDataset(Value):
    """The dataset as it was used."""

    name: str
    params: dict[str, Json] = {}
    digest: str
    source: str
    official: bool
    train: int | None = None
    val: int | None = None
    test: int | None = None


class RecordPrecision(Value):
    """The precision that was asked for, and the dtypes that ran.

    Attributes:
        ran: dtypes of all matrix operators, sorted.
        layers: the same layer by layer: qualified name of the module (`""`: the model itself) → dtypes.
    """

    asked: str
    ran: tuple[str, ...] = ()
    layers: dict[str, tuple[str, ...]] = {}


class Artifact(Value):
    """A file that an attempt left, its path relative to the attempt's folder.

    Roles: `curve` (CSV), `predictions` (npz), `mistakes` (JSON, `dlbench.schema.mistake`), `model_card` (Markdown),
    `checkpoint`, `samples`.
    """

    path: str
    sha256: str
    role: str


class Record(Value):
    """What an attempt at a job left behind."""

    schema_: Literal[1] = Field(1, alias="schema")
    id: str
    attempt: int
    kind: Kind
    status: Status
    reason: str | None = None
    flags: tuple[str, ...] = ()
    task: TaskRef
    dataset: RecordDataset
    model: ModelRef
    train: dict[str, Json] = {}
    cost: CostPoint | None = None
    outputs: dict[str, Json] = {}
    precision: RecordPrecision
    device: str
    threads: int
    seed: int | None = None
    inputs: dict[str, str] = {}
    metrics: tuple[Metric, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    fingerprint: str | None = None
    machine: dict[str, Json] = {}
    versions: dict[str, str] = {}
    code: dict[str, Json] = {}
    command: str = ""
    started_at: datetime
    duration_s: float

    def metric(self, name: str) -> Metric | None:
        """The metric of that name, or None."""
        return next((metric for metric in self.metrics if metric.name == name), None)


class Result(Value):
    """A line of a suite's index joined with the latest record of its job, if there is one."""

    entry: Entry
    record: Record | None = None
    folder: str | None = None

    @property
    def status(self) -> str:
        """The record's status; `skipped` if this plan skips the job; `missing` if nothing ran yet."""
        if self.entry.skipped is not None:
            return "skipped"
        return self.record.status if self.record is not None else "missing"
