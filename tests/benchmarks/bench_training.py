"""Training throughput of the harness against a bare hand-written loop over the same model and tensors.

    python tests/benchmarks/bench_training.py [pairs]

Prints the ratio harness / bare for a 784-64-10 perceptron, for an LSTM on equal-length sequences and for a
convolutional network, as the median of pairs measured in turn in one process, with one thread. The aim is 0.97 or more.
The bare loop indexes images that are normalised already; the harness normalises every batch.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from dlbench.catalog import Catalog
from dlbench.contracts.tasks import Task
from dlbench.jobdir import JobDir
from dlbench.schema.train import TrainSettings
from dlbench.worker.bare import BareStep
from dlbench.worker.data import BoundDataset
from dlbench.worker.precision import Precision
from dlbench.worker.train import Training

ROOT = Path(__file__).resolve().parent.parent / "plugins"
PLUGINS = {shelf.name: [str(p) for p in shelf.glob("*.py")] for shelf in ROOT.iterdir() if shelf.is_dir()}
CASES = {
    "784-64-10 perceptron, batch 128": (
        ("vectors", {}),
        ("blobs", {"size": 784, "classes": 10, "train_size": 25_600, "val_size": 64, "test_size": 64}),
        ("two_layer", {"hidden": 64}),
        128,
        800,
    ),
    "LSTM, hidden 64, length 30, batch 64": (
        ("text_classification", {}),
        ("temporal_order", {"length": 30, "train_size": 4096, "val_size": 64, "test_size": 64}),
        ("lstm", {"embedding_size": 32, "hidden_size": 64, "layers": 1}),
        64,
        128,
    ),
    "convolutional network, 28×28 images, batch 128": (
        ("image_classification", {"image_size": 28}),
        ("digits", {"train_size": 1280, "val_size": 64, "test_size": 64}),
        ("cnn", {}),
        128,
        40,
    ),
}


def build(case: str) -> tuple[Task, Callable[[], torch.nn.Module], TrainSettings]:
    """Task, maker of equal models, settings."""
    (task_name, task_params), (data_name, data_params), (model_name, model_params), batch, steps = CASES[case]
    catalog = Catalog(PLUGINS)
    dataset = catalog.load("datasets", data_name)
    bound = BoundDataset(dataset, dataset.Params(**data_params), None, "sha256:benchmark")
    module = catalog.load("tasks", task_name)
    task = module.build(module.Params(**task_params), bound)
    family = catalog.load("models", model_name)

    def model() -> torch.nn.Module:
        torch.manual_seed(0)
        return family.build(family.Params(**model_params), task.signature).train()

    return task, model, TrainSettings(steps=steps, batch_size=batch, evaluate_every=steps, keep="last")


def harness(task: Task, model: torch.nn.Module, settings: TrainSettings) -> float:
    """Seconds of the harness's loop, its final validation included."""
    with tempfile.TemporaryDirectory() as folder:
        jobdir = JobDir(Path(folder))
        jobdir.artifacts.mkdir()
        training = Training(task, model, settings, Precision("fp32", torch.device("cpu")), 0, jobdir)
        began = time.perf_counter()
        training.run()
        return time.perf_counter() - began


def bare(task: Task, model: torch.nn.Module, settings: TrainSettings) -> float:
    """Seconds of what one would write by hand: tensors indexed in place, and bare steps."""
    whole = next(task.batches("train", task.sizes["train"]))
    names = [name for name in whole if name != "index"]
    step = BareStep(model, settings.lr)
    generator = torch.Generator().manual_seed(0)
    steps = settings.steps or 0
    began = time.perf_counter()
    while steps:
        for index in torch.randperm(task.sizes["train"], generator=generator).split(settings.batch_size):
            step({name: whole[name][index] for name in names})
            steps -= 1
            if not steps:
                break
    return time.perf_counter() - began


def main() -> None:
    """Print a line for each case."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    torch.set_num_threads(1)
    for case in CASES:
        task, model, settings = build(case)
        harness(task, model(), settings), bare(task, model(), settings)
        ratios, rates = [], []
        for number in range(pairs):
            order = [harness, bare] if number % 2 else [bare, harness]
            times = {run.__name__: run(task, model(), settings) for run in order}
            ratios.append(times["bare"] / times["harness"])
            rates.append((settings.steps or 0) * settings.batch_size / times["harness"])
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(
            f"{case}: harness/bare throughput {middle:.3f} (quartiles {low:.3f} to {high:.3f}, n = {pairs}); "
            f"{statistics.median(rates):,.0f} samples/s"
        )


if __name__ == "__main__":
    main()
