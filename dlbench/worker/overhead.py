"""What a training step of the harness costs: `TrainStep` against the same step written by hand, in turn.

The model is so small that what surrounds its kernels shows; of a larger one it is a smaller part. Data, validation and
records are not in it: `tests/benchmarks/bench_training.py` times the whole loop.
"""

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime

import torch

from dlbench.catalog import Catalog
from dlbench.contracts.batches import Batch
from dlbench.schema.calibration import Overhead
from dlbench.schema.train import TrainSettings
from dlbench.worker.bare import BareStep
from dlbench.worker.data import BoundDataset
from dlbench.worker.precision import Precision
from dlbench.worker.step import TrainStep

BATCH, BATCHES = 64, 8
HIDDEN = 64
WHAT = f"perceptron 64-{HIDDEN}-10 on handwritten digits, batch {BATCH}, fp32"
PAIRS = 15
WINDOW_S = 0.15
"""One half of a pair takes about so long."""


def step_overhead(device: torch.device, pairs: int = PAIRS, window_s: float = WINDOW_S) -> Overhead:
    """Throughput of the harness's step over that of the bare one, over pairs that are timed in turn.

    Args:
        pairs: at least 2.
        window_s: seconds for each half of a pair, roughly.
    """
    batches, harness, bare = _steps(device)
    steps = max(1, round(window_s / (_seconds(bare, batches, device, 4 * BATCHES) / (4 * BATCHES))))
    _seconds(harness, batches, device, 4 * BATCHES)
    ratios = []
    for number in range(pairs):
        order = (bare, harness) if number % 2 else (harness, bare)
        seconds = {id(step): _seconds(step, batches, device, steps) for step in order}
        ratios.append(seconds[id(bare)] / seconds[id(harness)])
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return Overhead(measured_at=datetime.now(UTC), ratio=middle, quartiles=(low, high), n=pairs, what=WHAT)


def _steps(device: torch.device) -> tuple[list[Batch], Callable[[Batch], None], Callable[[Batch], None]]:
    """Batches on the device, and the two steps, each with a model of its own with the same weights."""
    catalog = Catalog()
    digits = catalog.load("datasets", "digits")
    sizes = digits.Params(train_size=BATCHES * BATCH, val_size=10, test_size=10)
    module = catalog.load("tasks", "image_classification")
    task = module.build(module.Params(), BoundDataset(digits, sizes, None, "sha256:calibration"))
    task.to(device)
    family = catalog.load("models", "mlp")

    def model() -> torch.nn.Module:
        torch.manual_seed(0)
        built: torch.nn.Module = family.build(family.Params(hidden_sizes=[HIDDEN]), task.signature)
        return built.to(device).train()

    settings = TrainSettings()
    step = TrainStep(task, model(), settings, Precision("fp32", device))
    return list(task.batches("train", BATCH)), lambda batch: step([batch]), BareStep(model(), settings.lr)


def _seconds(step: Callable[[Batch], None], batches: list[Batch], device: torch.device, steps: int) -> float:
    """Seconds of so many steps, synchronised at both ends."""
    _wait_for(device)
    began = time.perf_counter()
    for number in range(steps):
        step(batches[number % len(batches)])
    _wait_for(device)
    return time.perf_counter() - began


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
