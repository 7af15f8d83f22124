"""What measuring costs: the training step in the windows of the throughput meter against the same step unmeasured.

    python tests/benchmarks/bench_meters.py [pairs]

Every meter of the shelf is on, as in a cost job; the bare figure is a plain loop over the same rig's steps, without
meters, marks and watches. 0.98 or more is wanted. Pairs are measured in turn in one process, with one thread.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import itertools
import statistics
import sys
import tempfile
import time
from pathlib import Path

from dlbench.jobdir import JobDir
from dlbench.schema.job import CostPoint, DatasetRef, Job, ModelRef, TaskRef, Work
from dlbench.schema.train import TrainSettings
from dlbench.worker.build import Bench, set_up
from dlbench.worker.cost import Costs, measure
from dlbench.worker.rig import PhaseRig, cost_batches

CASES = {
    "linear on sequences, batch 64": ("text_classification", "temporal_order", "linear", {}),
    "Transformer on sequences, batch 64": ("text_classification", "temporal_order", "transformer", {}),
    "perceptron on digits, batch 64": ("image_classification", "digits", "mlp", {}),
}
BARE_S = 1.0


def bench_of(task: str, dataset: str, model: str, params: dict[str, int]) -> Bench:
    """What a cost job of training works on."""
    job = Job(
        id="0" * 16,
        kind="cost",
        task=TaskRef(name=task),
        dataset=DatasetRef(name=dataset, digest="sha256:benchmark", source="built-in", official=True),
        model=ModelRef(name=model, params=params),
        train=TrainSettings(batch_size=64),
        cost=CostPoint(batch_size=64, phases=("train",), round=0, limit_s=1.0),
    )
    return set_up(Work(job=job, attempt=1, label=model))


def measured(bench: Bench) -> float:
    """Samples a second, as a cost job says with every meter on."""
    costs = Costs()
    with tempfile.TemporaryDirectory() as folder:
        jobdir = JobDir(Path(folder))
        jobdir.artifacts.mkdir()
        measure(bench, jobdir, costs)
    return next(m.value for m in costs.metrics if m.name == "train_throughput" and m.value is not None)


def bare(bench: Bench) -> float:
    """Samples a second of the same steps, in a plain loop: the median over windows of a tenth of a second."""
    batches = cost_batches(bench, 64)
    rig = PhaseRig(bench, bench.model(), "train", batches, 0)
    windows = []
    began = time.perf_counter()
    while time.perf_counter() - began < BARE_S:
        samples, window = 0, time.perf_counter()
        for batch in itertools.cycle(batches):
            rig._take_step([batch])  # type: ignore[misc]
            samples += 64
            if time.perf_counter() - window >= 0.1:
                break
        windows.append(samples / (time.perf_counter() - window))
    return statistics.median(windows[1:])


def main() -> None:
    """Print a line for each case."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    for name, case in CASES.items():
        bench = bench_of(*case)
        measured(bench), bare(bench)
        ratios = []
        for number in range(pairs):
            order = [measured, bare] if number % 2 else [bare, measured]
            speeds = {run.__name__: run(bench) for run in order}
            ratios.append(speeds["measured"] / speeds["bare"])
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(f"{name}: measured/bare {middle:.3f} (quartiles {low:.3f} to {high:.3f}, n = {pairs})", flush=True)


if __name__ == "__main__":
    main()
