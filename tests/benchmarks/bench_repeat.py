"""Whether a cost job can be trusted: the same one again and again, and a run against itself.

    python tests/benchmarks/bench_repeat.py repeat [jobs]         # coefficient of variation of the same cost job
    python tests/benchmarks/bench_repeat.py aa [comparisons]      # even rounds against odd ones of one configuration
    python tests/benchmarks/bench_repeat.py busy [jobs]           # the same beside a busy neighbour: flagged?

`repeat` wants 3 % or less on a quiet machine, `aa` *indistinguishable* in at least 89 of 100 comparisons. Rounds are
whole jobs in processes of their own, made by the warm process as `dlbench run` has it made. Jobs in which something
else ran are counted; where there are any, `repeat` also prints what the quiet ones say.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dlbench.analyze.compare import compare_cost
from dlbench.executors._warm import Warm
from dlbench.jobdir import JobDir
from dlbench.schema.job import CostPoint, DatasetRef, Job, ModelRef, TaskRef, Work
from dlbench.schema.record import Record
from dlbench.schema.train import TrainSettings
from dlbench.worker.lock import lock_dir

NAMES = ("train_throughput", "infer_throughput", "infer_latency_p50_ms")
ROUNDS = 10
"""Of each comparison: five even against five odd ones."""


def job(number: int, limit_s: float) -> Job:
    """A small Transformer on sequences, with all cores, as one round."""
    return Job(
        id=f"{number:016x}",
        kind="cost",
        task=TaskRef(name="text_classification"),
        dataset=DatasetRef(
            name="temporal_order",
            params={"length": 30, "train_size": 640, "val_size": 64, "test_size": 64},
            digest="sha256:benchmark",
            source="built-in",
            official=True,
        ),
        model=ModelRef(name="transformer"),
        train=TrainSettings(batch_size=64),
        cost=CostPoint(batch_size=64, phases=("train", "infer"), round=number, limit_s=limit_s),
        threads=THREADS,
    )


def rounds(count: int, limit_s: float, folder: Path) -> Iterator[Record]:
    """Records of so many rounds, one after the other."""
    with Warm() as warm:
        for number in range(count):
            jobdir = JobDir(folder / str(number))
            jobdir.create(Work(job=job(number, limit_s), attempt=1, label="transformer", lock_dir=lock_dir()))
            warm.start(jobdir.path, {})
            while not warm.poll(60):
                pass
            record = jobdir.record()
            assert record is not None
            assert record.status == "ok", record.reason
            yield record


def value(record: Record, name: str) -> float:
    """A metric of a record."""
    found = record.metric(name)
    assert found is not None
    assert found.value is not None
    return found.value


def spread(values: list[float]) -> str:
    """Mean and coefficient of variation."""
    mean = statistics.fmean(values)
    return f"{mean:,.5g}, coefficient of variation {statistics.stdev(values) / mean:.2%} (n = {len(values)})"


def repeat(count: int) -> None:
    """The same cost job again and again."""
    with tempfile.TemporaryDirectory() as folder:
        records = list(rounds(count, 2.0, Path(folder)))
    quiet = [record for record in records if not record.flags]
    print(f"{count} jobs, {count - len(quiet)} of them disturbed")
    for name in NAMES:
        print(f"  {name:22} {spread([value(r, name) for r in records])}", end="")
        if 2 < len(quiet) < count:
            print(f"; quiet ones {spread([value(r, name) for r in quiet])}", end="")
        print()


def aa(comparisons: int) -> None:
    """Even against odd rounds of one configuration."""
    same: Mapping[str, list[bool]] = {name: [] for name in NAMES}
    disturbed = 0
    for number in range(comparisons):
        with tempfile.TemporaryDirectory() as folder:
            records = list(rounds(ROUNDS, 0.15, Path(folder)))
        disturbed += sum(bool(record.flags) for record in records)
        for name in NAMES:
            even, odd = ({k: value(r, name) for k, r in enumerate(records[first::2])} for first in (0, 1))
            ratio = compare_cost(even, odd)
            assert ratio is not None
            same[name].append(not ratio.clear)
        if (number + 1) % 10 == 0 or number + 1 == comparisons:
            told = ", ".join(f"{name} {sum(found)}" for name, found in same.items())
            made = (number + 1) * ROUNDS
            print(f"indistinguishable of {number + 1}: {told}; {disturbed} of {made} rounds disturbed", flush=True)


@contextmanager
def neighbour() -> Iterator[None]:
    """Something that keeps one core busy."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def busy(count: int) -> None:
    """How many jobs beside a busy neighbour are flagged."""
    with tempfile.TemporaryDirectory() as folder, neighbour():
        records = list(rounds(count, 0.5, Path(folder)))
    flagged = [record for record in records if any("other processes" in flag for flag in record.flags)]
    print(f"beside a busy neighbour {len(flagged)} of {count} jobs are flagged, such as: {records[0].flags}")
    for name in NAMES:
        print(f"  {name:22} {spread([value(r, name) for r in records])}")


if __name__ == "__main__":
    import os

    THREADS = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("repeat", "aa", "busy"))
    parser.add_argument("count", type=int, nargs="?")
    given = parser.parse_args()
    {"repeat": repeat, "aa": aa, "busy": busy}[given.what](
        given.count or {"repeat": 10, "aa": 100, "busy": 5}[given.what]
    )
