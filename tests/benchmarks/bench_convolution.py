"""What bf16 and channels-last weights make of a training step of a convolutional network.

    python tests/benchmarks/bench_convolution.py [rounds]

Steps of ResNet-20 on 32×32×3 images, batch 64, one thread, in one process and in turn. Prints the throughput of each
combination of precision and layout over that of fp32 with contiguous weights, as the median over rounds with quartiles,
and whether the processor has AMX, with which the aim for bf16 and channels last together is 1.8.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import statistics
import sys
import time
from collections.abc import Callable

import torch

from dlbench.catalog import Catalog
from dlbench.contracts.tasks import Task
from dlbench.schema.train import TrainSettings
from dlbench.worker.arrange import arrange
from dlbench.worker.data import BoundDataset
from dlbench.worker.precision import Precision, unsupported
from dlbench.worker.step import TrainStep

CPU = torch.device("cpu")
BATCH = 64
STEPS = 4
"""Training steps that are timed at once."""

CASES = {
    f"{precision}, {'channels last' if last else 'contiguous'}": (precision, last)
    for precision in ("fp32", "bf16")
    for last in (False, True)
}


def shapes() -> Task:
    """Drawn shapes, 32×32×3."""
    catalog = Catalog()
    dataset = catalog.load("datasets", "shapes")
    params = dataset.Params(train_size=4 * BATCH, val_size=10, test_size=10)
    module = catalog.load("tasks", "image_classification")
    task: Task = module.build(module.Params(), BoundDataset(dataset, params, None, "sha256:benchmark"))
    return task


def stepper(task: Task, precision: str, channels_last: bool) -> Callable[[], float]:
    """A function that takes some steps and returns how many seconds they took."""
    family = Catalog().load("models", "resnet")
    torch.manual_seed(0)
    model = family.build(family.Params(), task.signature).train()
    settings = TrainSettings(channels_last=channels_last)
    arrange(model, settings, CPU)
    step = TrainStep(task, model, settings, Precision(precision, CPU))
    batches = list(task.batches("train", BATCH, torch.Generator().manual_seed(0)))

    def timed() -> float:
        began = time.perf_counter()
        for number in range(STEPS):
            step([batches[number % len(batches)]])
        return time.perf_counter() - began

    return timed


def main() -> None:
    """Print a line for each case."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 11
    torch.set_num_threads(1)
    print(f"AMX: {'yes' if torch.cpu._is_amx_tile_supported() else 'no'}")
    missing = {case: unsupported(precision, CPU) for case, (precision, _) in CASES.items()}
    for case, reason in missing.items():
        if reason is not None:
            print(f"{case}: skipped: {reason}")
    task = shapes()
    timed = {case: stepper(task, *CASES[case]) for case, reason in missing.items() if reason is None}
    for run in timed.values():
        run()
    times: dict[str, list[float]] = {case: [] for case in timed}
    for number in range(rounds):
        for case in list(timed)[:: 1 if number % 2 else -1]:
            times[case].append(timed[case]())
    base, *others = timed
    rate = STEPS * BATCH / statistics.median(times[base])
    print(f"{base}: {rate:,.0f} samples/s (n = {rounds})")
    for case in others:
        ratios = [one / other for one, other in zip(times[base], times[case], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(f"{case}: {middle:.2f} × (quartiles {low:.2f} to {high:.2f}, n = {rounds})")


if __name__ == "__main__":
    main()
