"""How to run, and what a run came to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dlbench.run.estimate import Estimator
from dlbench.schema.base import Json
from dlbench.schema.job import Entry


@dataclass(frozen=True)
class RunOptions:
    """How to run.

    Attributes:
        entries: all that the source may ask for, as far as it is known; the budget needs them.
        slots: how many jobs run side by side.
        gpus: how many GPUs this process sees; each takes one job.
        retry_failed: make failed, diverged, timed-out and out-of-memory jobs again.
        timeout_s: longest running time of one job, waiting for the machine not counted.
        grace_s: between asking a job to stop and killing it.
        budget_s: of the whole run.
        estimator: how long jobs take; learns from every record it meets.
        data_roots: digest of a dataset → folder of its files.
        plugins: shelf → files of the user.
        lock_dir: folder of the machine's lock (`dlbench.worker.lock.lock_dir`); None: no locking.
        command: how the user started the run.
        code: version of dlbench and git commit of the working folder.
    """

    entries: Sequence[Entry] = ()
    slots: int = 1
    gpus: int = 0
    retry_failed: bool = False
    timeout_s: float | None = None
    grace_s: float = 10.0
    budget_s: float | None = None
    estimator: Estimator = field(default_factory=Estimator)
    data_roots: Mapping[str, Path] = field(default_factory=dict)
    plugins: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lock_dir: Path | None = None
    command: str = ""
    code: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Attributes:
        counts: status → jobs, those from the store and those that the plan skips included.
        cached: jobs whose record was there before.
        made: (job id, attempt) of every attempt that ended in this run, in order.
        trimmed: ids of the jobs that the budget left no room for.
        interrupted: the run was told to stop before it was through.
        seconds: how long it took.
    """

    counts: Mapping[str, int]
    cached: int
    made: tuple[tuple[str, int], ...]
    trimmed: tuple[str, ...]
    interrupted: bool
    seconds: float
