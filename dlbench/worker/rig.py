"""One model on one device, ready to be stepped through a phase while meters look on."""

import gc
import itertools
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property

import psutil
import torch

from dlbench.contracts.batches import Batch
from dlbench.contracts.tasks import Generator
from dlbench.errors import Unsupported
from dlbench.worker.allocator import give_back_freed_memory
from dlbench.worker.build import Bench
from dlbench.worker.seeds import generator
from dlbench.worker.step import TrainStep, unmarked

MOST_BATCHES = 32
"""So many real batches are drawn once and cycled through: the data path is no part of a model's cost."""


def trim(device: torch.device) -> None:
    """Hand freed memory back, so that it neither counts as in use nor is used again unseen."""
    gc.collect()
    give_back_freed_memory()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.empty_cache()


def memory_in_use(device: torch.device) -> int:
    """Bytes that are in use now: allocated on a CUDA device, resident in this process on the CPU."""
    trim(device)
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    return int(psutil.Process().memory_info().rss)


class PhaseRig:
    """The model in one phase; implements `dlbench.contracts.Rig`.

    Args:
        bench: task, device, precision.
        model: on the device; as it is for training, whatever the phase.
        phase: `train`, `infer`, `decode` or `model`.
        batches: what the steps cycle through.
        baseline_bytes: memory in use before the model was built.
        first_step_s: how long the phase's first step in this process took, if it was taken.

    Raises:
        Unsupported: the task has no such phase, or the precision none for this model.
    """

    def __init__(
        self,
        bench: Bench,
        model: torch.nn.Module,
        phase: str,
        batches: list[Batch],
        baseline_bytes: int,
        first_step_s: float | None = None,
    ) -> None:
        self.bench, self.phase = bench, phase
        self.batches, self.baseline_bytes, self.first_step_s = batches, baseline_bytes, first_step_s
        self.device = bench.device
        self.precision = bench.job.precision
        self.limit_s = bench.job.cost.limit_s if bench.job.cost is not None else math.inf
        self.clock = time.perf_counter
        self.mark = unmarked
        self.compiled = bench.job.train.compile
        self.recomputed: Sequence[torch.nn.Module] = tuple(model.blocks) if bench.job.train.grad_checkpointing else ()  # type: ignore[arg-type]
        self._take_step: TrainStep | None = None
        self.model = model.train(phase == "train")
        if phase == "train":
            settings = bench.job.train
            self._take_step = TrainStep(bench.task, model, settings, bench.precision, mark=lambda part: self.mark(part))
        elif phase != "model":
            self.model = bench.precision.for_inference(model).eval()
        steps = {"train": self._train, "infer": self._infer, "decode": self._decode, "model": self._nothing}
        if (reason := impossible(bench, phase)) is not None:
            raise Unsupported(f"cost phase {phase!r}: {reason}")
        self.step = steps[phase]

    @property
    def largest(self) -> Batch:
        """The batch with the most values: sequences in it are the longest."""
        return max(self.batches, key=lambda batch: sum(tensor.numel() for tensor in batch.values()))

    def synchronize(self) -> None:
        """Wait until the device has done all that was asked of it."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def draw(self) -> Batch:
        """The next full batch of training examples, in an order of its own."""
        return next(self._drawn)

    @cached_property
    def _drawn(self) -> Iterator[Batch]:
        size, order = self.batches[0]["index"].shape[0], generator(0, "cost")
        epochs = (full_batches(self.bench, size, order) for _ in itertools.repeat(None))
        return itertools.chain.from_iterable(epochs)

    def optimizer_state(self) -> list[torch.Tensor]:
        """What the optimisers remember; empty outside training."""
        return [] if self._take_step is None else self._take_step.optimizer_state()

    def trim(self) -> None:
        """Hand freed memory back to the system or the device, with the epoch that was drawn from."""
        self.__dict__.pop("_drawn", None)  # the next `draw` begins another
        trim(self.device)

    def eager(self) -> "PhaseRig":
        """The same phase of an equal model without torch.compile."""
        settings = self.bench.job.train.model_copy(update={"compile": False})
        bench = replace(self.bench, job=self.bench.job.model_copy(update={"train": settings}))
        return PhaseRig(bench, bench.model(), self.phase, self.batches, self.baseline_bytes)

    def build_on_meta(self) -> torch.nn.Module:
        """The same model on the meta device."""
        return self.bench.model(torch.device("meta"))

    def _train(self, batch: Batch) -> None:
        assert self._take_step is not None
        self._take_step([batch])

    def _infer(self, batch: Batch) -> None:
        with torch.inference_mode(), self.bench.precision.autocast():
            self.bench.task.predict(self.model, batch)
        self.mark("forward")

    def _decode(self, batch: Batch) -> None:
        task, point = self.bench.task, self.bench.job.cost
        assert isinstance(task, Generator)
        assert point is not None
        with torch.inference_mode(), self.bench.precision.autocast():
            task.generate(self.model, batch, point.decode_length)
        self.mark("forward")

    def _nothing(self, batch: Batch) -> None:
        """The phase `model` has no steps."""


def impossible(bench: Bench, phase: str) -> str | None:
    """Why a job has no such phase; None if it has it."""
    if phase == "train" and bench.job.precision == "int8":
        return "int8 is for inference; such a model is trained in fp32"
    if phase == "sample" or (phase == "decode" and not isinstance(bench.task, Generator)):
        return f"task {bench.job.task.name!r} has no such phase"
    return None


def full_batches(bench: Bench, batch_size: int, order: torch.Generator) -> Iterator[Batch]:
    """One pass over the training examples in full batches; what is left at the end is dropped."""
    for batch in bench.task.batches("train", batch_size, order):
        if batch["index"].shape[0] == batch_size:
            yield batch


def cost_batches(bench: Bench, batch_size: int, most: int = MOST_BATCHES) -> list[Batch]:
    """Full batches of real training examples, in a fixed random order.

    Raises:
        ValueError: there are not enough examples for one.
    """
    batches = list(itertools.islice(full_batches(bench, batch_size, generator(0, "cost")), most))
    if not batches:
        raise ValueError(f"the training split has fewer than {batch_size} examples: no full batch to measure with")
    return batches
