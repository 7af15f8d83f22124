"""How long a person waits for the command line, and a job for its worker.

    python tests/benchmarks/bench_start.py [repeats]

Prints the wall time of `dlbench --help` and `dlbench list models` in processes of their own (aim: 0.25 s), and in a
warm process the time from starting a job that does nothing to its first event (aim: 30 ms). Each as the median with
quartiles, over repeats in one run.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from dlbench.contracts.executors import Resources
from dlbench.executors import local
from dlbench.executors._warm import Warm
from dlbench.jobdir import JobDir
from dlbench.schema.job import DatasetRef, Job, ModelRef, TaskRef, Work
from dlbench.schema.train import TrainSettings

NOTHING = Work(
    job=Job(
        id="0",
        kind="train",
        task=TaskRef(name="none"),
        dataset=DatasetRef(name="none", digest="sha256:0", source="built-in", official=True),
        model=ModelRef(name="none"),
        train=TrainSettings(),
    ),
    attempt=1,
    label="nothing",
)


def work(folder: Path) -> None:
    """What the worker does: tell that it has begun."""
    JobDir(folder).tell("phase", name="begun")


def command(*arguments: str) -> Callable[[], float]:
    """Seconds of a whole command."""

    def run() -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "dlbench", *arguments], check=True, capture_output=True)
        return time.perf_counter() - began

    return run


def job(warm: Warm, folder: Path) -> Callable[[], float]:
    """Seconds from the start of a job to its first event."""
    executor = local.build(warm)
    count = 0

    def run() -> float:
        nonlocal count
        count += 1
        jobdir = JobDir(folder / str(count))
        jobdir.create(NOTHING)
        began = time.time()
        executor.start(jobdir.path, Resources())
        while not executor.poll(5.0):
            pass
        (event,) = jobdir.events()[0]
        return event.t - began

    return run


def report(name: str, run: Callable[[], float], repeats: int, aim_s: float) -> None:
    """Measure, after one run that does not count, and print a line."""
    run()
    low, middle, high = statistics.quantiles([run() for _ in range(repeats)], n=4)
    print(
        f"{name}: {middle * 1e3:.1f} ms (quartiles {low * 1e3:.1f} to {high * 1e3:.1f}, n = {repeats}; "
        f"aim {aim_s * 1e3:.0f} ms)"
    )


def main() -> None:
    """Print a line for each."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    report("dlbench --help", command("--help"), repeats, 0.25)
    report("dlbench list models", command("list", "models"), repeats, 0.25)
    here = str(Path(__file__).parent)
    sys.path.insert(0, here)  # the warm process finds modules where its parent does
    with tempfile.TemporaryDirectory() as folder, Warm(work="bench_start:work") as warm:
        report("worker start", job(warm, Path(folder)), repeats, 0.03)


if __name__ == "__main__":
    main()
