"""One model on one device, ready to be stepped through a phase while meters look on."""

import gc
import itertools
import math
import time

import psutil
import torch

from dlbench.contracts import Batch
from dlbench.errors import Unsupported
from dlbench.worker.allocator import give_back_freed_memory
from dlbench.worker.build import Bench
from dlbench.worker.seeds import generator
from dlbench.worker.step import TrainStep

MOST_BATCHES = 32
"""So many real batches are drawn once and cycled through: the data path is no part of a model's cost."""


def memory_in_use(device: torch.device) -> int:
    """Bytes that are in use now: allocated on a CUDA device, resident in this process on the CPU."""
    gc.collect()
    give_back_freed_memory()  # what is free must not count as in use, nor be used again unseen
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return torch.cuda.memory_allocated(device)
    return int(psutil.Process().memory_info().rss)


class PhaseRig:
    """The model in one phase; implements `dlbench.contracts.Rig`.

    Args:
        bench: task, device, precision.
        model: on the device.
        phase: `train`, `infer` or `model`.
        batches: what the steps cycle through.
        baseline_bytes: memory in use before the model was built.
    """

    def __init__(
        self, bench: Bench, model: torch.nn.Module, phase: str, batches: list[Batch], baseline_bytes: int
    ) -> None:
        self.bench, self.model, self.phase = bench, model, phase
        self.batches, self.baseline_bytes = batches, baseline_bytes
        self.device = bench.device
        self.precision = bench.job.precision
        self.limit_s = bench.job.cost.limit_s if bench.job.cost is not None else math.inf
        self.clock = time.perf_counter
        if phase == "train":
            self._take_step = TrainStep(bench.task, model, bench.job.train, bench.precision)
        steps = {"train": self._train, "infer": self._infer, "model": self._nothing}
        if phase not in steps:
            raise Unsupported(f"cost phase {phase!r}: task {bench.job.task.name!r} has no such phase")
        self.step = steps[phase]

    def synchronize(self) -> None:
        """Wait until the device has done all that was asked of it."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def build_on_meta(self) -> torch.nn.Module:
        """The same model on the meta device."""
        return self.bench.model(torch.device("meta"))

    def _train(self, batch: Batch) -> None:
        self._take_step([batch])

    def _infer(self, batch: Batch) -> None:
        with torch.inference_mode(), self.bench.precision.autocast():
            self.bench.task.predict(self.model, batch)

    def _nothing(self, batch: Batch) -> None:
        """The phase `model` has no steps."""


def cost_batches(bench: Bench, batch_size: int) -> list[Batch]:
    """Full batches of real training examples, in a fixed random order."""
    drawn = bench.task.batches("train", batch_size, generator(0, "cost"))
    full = (batch for batch in drawn if batch["index"].shape[0] == batch_size)
    batches = list(itertools.islice(full, MOST_BATCHES))
    if not batches:
        raise ValueError(f"the training split has fewer than {batch_size} examples: no full batch to measure with")
    return batches
