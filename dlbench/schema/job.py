"""A job: one fully resolved unit of work, and its line in a suite's index."""

from pathlib import Path
from typing import Literal

from dlbench.schema.base import Json, Value
from dlbench.schema.suite import Phase
from dlbench.schema.train import TrainSettings

Kind = Literal["train", "cost"]


class TaskRef(Value):
    """A task with all its parameters, defaults included."""

    name: str
    params: dict[str, Json] = {}


class DatasetRef(Value):
    """A dataset with all its parameters and what is known of the copy that is used."""

    name: str
    params: dict[str, Json] = {}
    digest: str
    source: str
    official: bool


class ModelRef(Value):
    """A model with all its parameters, defaults included."""

    name: str
    preset: str | None = None
    params: dict[str, Json] = {}


class CostPoint(Value):
    """What one cost job measures: one round at one batch size, or how large a batch can be.

    Attributes:
        anchor: the round repeats what was measured before, to show whether the machine has drifted since.
        limit_s: seconds after which a timing that has not settled ends.
        largest_batch: look for the largest batch that fits, from `batch_size` on, instead of measuring at `batch_size`.
        memory_gib: memory that the job may use; None: what the device has.
        decode_length: tokens that the phase `decode` writes for each example.
    """

    batch_size: int
    phases: tuple[Phase, ...]
    round: int
    anchor: bool = False
    limit_s: float = 2.0
    largest_batch: bool = False
    memory_gib: float | None = None
    decode_length: int = 32


class Job(Value):
    """One fully resolved unit of work.

    Attributes:
        id: hash of everything that can change the result (`dlbench.plan.identity`).
        seed: of a train job; a cost job has none.
        splits: what is scored: `("val", "test")`, or `("val",)` for a candidate of a study.
        inputs: role → id of a job whose output this one builds on.
        table: name of a table of earlier trainings, which answers instead of training.
    """

    id: str
    kind: Kind
    task: TaskRef
    dataset: DatasetRef
    model: ModelRef
    train: TrainSettings
    cost: CostPoint | None = None
    precision: str = "fp32"
    device: str = "cpu"
    threads: int = 1
    seed: int | None = None
    splits: tuple[str, ...] = ("val", "test")
    inputs: dict[str, str] = {}
    table: str | None = None

    @property
    def exclusive(self) -> bool:
        """Whether the job must run alone on the machine because a clock is part of its result."""
        return self.kind == "cost" or self.train.clocked


class Entry(Value):
    """A line of a suite's index: a job, what this suite calls it, and whether this plan skips it.

    Attributes:
        label: the contender's name in this suite, unique together with task, dataset, precision and device.
        varied: what the suite varies, `{"train.lr": 0.001, "precision": "bf16"}`.
        skipped: why the plan does not run the job; None if it does.
        study: id of the study that asked for the job.
        candidate: number of the study's candidate that the job is for.
    """

    job: Job
    label: str
    varied: dict[str, Json] = {}
    skipped: str | None = None
    study: str | None = None
    candidate: int | None = None


class Work(Value):
    """The content of `job.json`: a job and all that a worker needs to do it here.

    Attributes:
        data_root: folder with the dataset's files; None for a built-in dataset.
        plugins: shelf → files of the user, absolute paths.
        inputs: role → folder of the finished attempt that this job builds on.
        lock_dir: folder of the machine's lock files; None: no locking (a test, an inline run).
        asks: whether the worker is to ask after each validation if it should go on.
        calibration: what this machine can do at best (`dlbench.worker.calibrate`), for a cost job; None: not known.
        command: how the user started the run.
        code: `{"version": …, "git_commit": …, "git_dirty": …}` of the working folder.
    """

    job: Job
    attempt: int
    label: str
    data_root: Path | None = None
    plugins: dict[str, tuple[str, ...]] = {}
    inputs: dict[str, Path] = {}
    lock_dir: Path | None = None
    asks: bool = False
    calibration: dict[str, Json] | None = None
    command: str = ""
    code: dict[str, Json] = {}
