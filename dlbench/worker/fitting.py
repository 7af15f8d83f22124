"""The largest batch that fits: a search in which each trial is a process of its own, so that none inherits memory.

It is asked for by a suite (`cost: {largest_batch: true}`), or follows a job that ran out of memory. This process runs
no operator and never touches CUDA: the trials do, after they have been forked.
"""

import itertools
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlbench.errors import Unsupported
from dlbench.jobdir import JobDir
from dlbench.meters.memory import peak_bytes, reset_peak
from dlbench.schema.job import Work
from dlbench.schema.metric import Metric
from dlbench.worker.apart import in_child
from dlbench.worker.build import set_up
from dlbench.worker.lock import machine_lock
from dlbench.worker.oom import ran_out
from dlbench.worker.rig import PhaseRig, cost_batches, memory_in_use

GRAIN = 16
"""The search ends when what fits and what does not are one part in so many apart."""

STEPS = 2
"""The first step of training makes the optimiser's state; the second one's peak has it in."""

OUT_OF_THE_SYSTEM = (-signal.SIGKILL, -signal.SIGBUS)
"""How the system ends a process that it has no memory for."""

RUSAGE_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024
"""Of `ru_maxrss`, getrusage(2)."""

Fits = Callable[[int], int | None]
"""Batch size → peak in bytes; None: it does not fit."""


class Stopped(Exception):
    """The search was told to stop."""


@dataclass
class Search:
    """What has been tried.

    Attributes:
        tried: batch size → peak in bytes, None where it did not fit.
    """

    tried: dict[int, int | None] = field(default_factory=dict)

    @property
    def largest(self) -> int:
        """Largest batch that fitted; 0 if none did."""
        return max((size for size, peak in self.tried.items() if peak is not None), default=0)

    @property
    def smallest_failed(self) -> int | None:
        """Smallest batch that did not fit; None if all did."""
        return min((size for size, peak in self.tried.items() if peak is None), default=None)

    def run(self, fits: Fits, first: int, most: int) -> None:
        """Double from `first` until a batch does not fit, halve until one does, then halve the distance.

        Args:
            fits: is asked once for each size.
            first: where to begin, unless sizes were tried before.
            most: no batch is larger.
        """
        size = min(first, most) if not self.tried else self._next(most)
        while size is not None:
            self.tried[size] = fits(size)
            size = self._next(most)

    def _next(self, most: int) -> int | None:
        low, high = self.largest, self.smallest_failed
        if high is None:
            return None if low >= most else min(2 * low, most)
        if high - low <= max(1, low // GRAIN):
            return None
        return max(1, high // 2) if low == 0 else (low + high) // 2


def find(todo: Work, jobdir: JobDir, phase: str, failed: int | None = None) -> Metric:
    """The largest batch of a phase that fits, as the metric `<phase>_largest_batch` (None if not even one example).

    Args:
        jobdir: hears of each trial; its `stop` ends the search.
        failed: a batch size that is known not to fit.

    Raises:
        Unsupported: the job cannot be done at any batch size, for the trial's own reason.
        Stopped: before the search was through.
    """
    search = Search({} if failed is None else {failed: None})
    known: dict[str, Any] = {}

    def fits(size: int) -> int | None:
        if jobdir.asked_to_stop():
            raise Stopped
        jobdir.tell("phase", name=f"{phase} at batch {size}")
        answer, code = in_child(lambda: _trial(todo, phase, size))
        if answer is None and code not in (
            -signal.SIGKILL,
            -signal.SIGBUS,
        ):  # as the system does that has no memory left
            raise RuntimeError(f"a trial at batch {size} failed; log.txt in the job's folder says why")
        if answer is not None and "unsupported" in answer:
            raise Unsupported(answer["unsupported"])
        known.update({key: value for key, value in (answer or {}).items() if key != "peak_bytes"})
        return None if answer is None else answer["peak_bytes"]

    search.run(fits, todo.job.train.batch_size, max(1, failed or _examples(todo)))
    bounded_by = "examples" if search.smallest_failed is None else "memory"
    tried = [[size, search.tried[size]] for size in sorted(search.tried)]
    return Metric(
        name=f"{phase}_largest_batch",
        value=search.largest or None,
        unit="samples",
        better="higher",
        n=len(tried),
        reason=None if search.largest else "not even one example fits",
        detail={"tried": tried, "bounded_by": bounded_by, **known},
    )


def _examples(todo: Work) -> int:
    """Examples of the training split, of which batches are made."""
    answer, _ = in_child(lambda: set_up(todo).task.sizes["train"])
    if answer is None:
        raise RuntimeError("the job cannot be set up; log.txt in the job's folder says why")
    return int(answer)


def _trial(todo: Work, phase: str, size: int) -> dict[str, Any]:
    """Step one batch of a size; the peak in bytes above what was in use before, None if memory ran out."""
    job = todo.job.model_copy(update={"train": todo.job.train.model_copy(update={"batch_size": size})})
    limit = None
    try:
        bench = set_up(todo.model_copy(update={"job": job}))
        limit = bench.limit_bytes
        batches = cost_batches(bench, size, most=1)
        smallest = cost_batches(bench, 1, most=1)
        PhaseRig(bench, bench.model(), phase, smallest, 0).step(smallest[0])  # kernels set themselves up once
        baseline_bytes = memory_in_use(bench.device)
        reset_peak(bench.device)
        rig = PhaseRig(bench, bench.model(), phase, batches, baseline_bytes)
        for batch in itertools.islice(itertools.cycle(batches), STEPS):
            rig.step(batch)
        rig.synchronize()
    except Unsupported as error:
        return {"unsupported": str(error)}
    except Exception as error:
        if not ran_out(error):
            raise
        return {"peak_bytes": None, "limit_bytes": limit}
    peak = peak_bytes(bench.device)
    if peak is None:  # nobody can reset it: of this process, which did nothing else, it is the largest ever
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RUSAGE_UNIT_BYTES
    return {"peak_bytes": max(0, peak - baseline_bytes), "limit_bytes": limit}


def follow_up(folder: Path) -> None:
    """Add the largest batch that fits to the record of a job that ran out of memory.

    The record stands meanwhile: whatever stops the search, the job has ended.
    """
    jobdir = JobDir(folder)
    todo, record = jobdir.work(), jobdir.record()
    if record is None or record.status != "oom":
        return
    size = todo.job.cost.batch_size if todo.job.cost is not None else todo.job.train.batch_size
    phase = next((m.name.removesuffix("_peak_memory_bytes") for m in reversed(record.metrics) if _reached(m)), "train")
    if jobdir.asked_to_stop():
        return
    try:
        with machine_lock(todo.lock_dir, exclusive=True, on_wait=lambda: jobdir.tell("phase", name="wait")):
            found = find(todo, jobdir, phase, failed=size)
    except (Stopped, Unsupported):  # then the record says what it did
        return
    advice = f"; the largest batch that fits is {found.value:g}" if found.value else f"; {found.reason}"
    reason = (record.reason or "").replace("; try a smaller batch_size", advice)
    jobdir.write_record(record.model_copy(update={"metrics": (*record.metrics, found), "reason": reason}))


def _reached(metric: Metric) -> bool:
    return isinstance(metric.detail, dict) and bool(metric.detail.get("reached"))
