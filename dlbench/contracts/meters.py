"""What a file in `meters/` must look like, and what its meters are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from dlbench.contracts.batches import Batch
from dlbench.schema.metric import Metric

if TYPE_CHECKING:
    import torch


class Rig(Protocol):
    """What a meter is given: one model in one phase on one device, ready to step.

    Attributes:
        phase: `train`, `infer`, `decode`, `sample`; or `model`, in which nothing is stepped.
        baseline_bytes: memory of the process (CPU) or of the device (CUDA) before the model was built.
        batches: the batches that the steps cycle through.
        limit_s: seconds after which a timing that has not settled ends.
        mark: called in a step at the end of each of its parts, with the part's name: `forward`, and in training
            `backward` and `optimizer`, as often as the step has such a part. A meter sets it, and puts it back.
        compiled: whether the model runs through torch.compile.
        first_step_s: how long the phase's very first step took in this process, compilation included.
        recomputed: modules whose inputs alone are kept for the backward pass.
    """

    phase: str
    device: torch.device
    model: torch.nn.Module
    batches: list[Batch]
    baseline_bytes: int
    limit_s: float
    precision: str
    mark: Callable[[str], None]
    compiled: bool
    first_step_s: float | None
    recomputed: Sequence[torch.nn.Module]

    def clock(self) -> float:
        """Seconds, monotonic."""

    def synchronize(self) -> None:
        """Wait until the device has done all that was asked of it."""

    def step(self, batch: Batch) -> None:
        """One step of the phase."""

    def draw(self) -> Batch:
        """The next full batch, made as training makes it, wherever the task keeps its data."""

    def optimizer_state(self) -> list[torch.Tensor]:
        """What the optimisers remember, on any device; empty outside training and before its first step."""

    def trim(self) -> None:
        """Hand freed memory back to the system or the device, so that it does not count as in use."""

    def eager(self) -> Rig:
        """The same phase of an equal model without torch.compile."""

    def build_on_meta(self) -> torch.nn.Module:
        """The same model on the meta device."""


class Meter(Protocol):
    """Measures one thing over a region of steps."""

    def __enter__(self) -> Any:
        """The region begins."""

    def __exit__(self, *exc: object) -> None:
        """The region has ended."""

    def step(self, samples: int) -> bool:
        """A step over so many samples has ended; whether the meter wants another."""

    def read(self) -> list[Metric]:
        """What was measured; names without the phase."""


class MeterModule(Protocol):
    """A file in `meters/`.

    Attributes:
        PHASES: the phases it measures; `model` for what needs no step.
        CLOCKED: whether it measures time or what depends on it. Then it steps through all batches, and a region that
            something disturbed is measured again; else it steps the largest batch over and over.
    """

    REVISION: int
    PHASES: tuple[str, ...]
    CLOCKED: bool

    def build(self, rig: Rig) -> Meter | None:
        """A meter for one phase; None where there is nothing to measure."""
