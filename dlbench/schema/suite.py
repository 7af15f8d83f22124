"""A suite after reading: short forms expanded, nothing resolved against the catalog yet."""

from typing import Annotated, Literal

from pydantic import Field

from dlbench.schema.base import Json, Value
from dlbench.schema.search import SearchSettings

Name = Annotated[str, Field(pattern=r"^[a-z0-9_-]+$", max_length=80)]
Phase = Literal["train", "infer", "decode", "sample"]
Precision = Literal["fp32", "tf32", "bf16", "fp16", "bf16_pure", "fp8", "fp8_emulated", "int8"]
AskedPrecision = Literal[Precision, "auto"]
"""`auto`: bf16 where the device has instructions for it, else fp32."""
Device = Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")]


class ModelEntry(Value):
    """A model of a suite: family, preset, parameters over it, and what varies for it alone."""

    name: str
    label: str | None = None
    preset: str | None = None
    params: dict[str, Json] = {}
    vary: dict[str, tuple[Json, ...]] = {}
    train: dict[str, Json] = {}


class DatasetEntry(Value):
    """A dataset with its parameters."""

    name: str
    params: dict[str, Json] = {}


class TaskEntry(Value):
    """A task: its datasets in order of preference (empty: the task's own list), parameters, and overrides."""

    name: str
    dataset: tuple[DatasetEntry, ...] = ()
    params: dict[str, Json] = {}
    models: tuple[ModelEntry, ...] | None = None
    train: dict[str, Json] = {}


class CostSettings(Value):
    """What cost jobs measure: every batch size, in several rounds, in each phase."""

    batch_sizes: tuple[Annotated[int, Field(gt=0, le=2**24)], ...] = Field((1, 64), min_length=1)
    phases: tuple[Phase, ...] = Field(("train", "infer"), min_length=1)
    rounds: int = Field(5, gt=0, le=1000)
    threads: int | None = Field(None, gt=0, le=4096, description="default: all cores")
    limit_s: float = Field(2.0, gt=0, le=3600, description="seconds after which a timing that has not settled ends")
    largest_batch: bool = Field(False, description="also find the largest batch that fits, in one job for each phase")
    memory_gib: float | None = Field(None, gt=0, description="memory that a job may use; default: what the device has")
    decode_length: int = Field(32, gt=0, le=2**20, description="tokens that phase decode writes for each example")


class ReportSettings(Value):
    """What the report declares: the model that others are compared with."""

    baseline: str | None = Field(None, description="label of the contender that all others are compared with")


class Suite(Value):
    """One suite file."""

    schema_: Literal[1] = Field(1, alias="schema")
    name: Name
    description: str = ""
    tasks: tuple[TaskEntry, ...] = Field(min_length=1)
    models: tuple[ModelEntry, ...] = ()
    train: dict[str, Json] = {}
    precision: AskedPrecision = "fp32"
    device: Device = "auto"
    vary: dict[str, tuple[Json, ...]] = {}
    exclude: tuple[dict[str, Json], ...] = ()
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**31)], ...] = (0,)
    cost: CostSettings | None = CostSettings()
    budget_s: float | None = Field(None, gt=0)
    timeout_s: float | None = Field(None, gt=0, description="longest running time of one job")
    search: SearchSettings | None = None
    plugins: dict[str, tuple[str, ...]] = {}
    report: ReportSettings = ReportSettings()
