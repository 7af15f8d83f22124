"""What a file in `tasks/` must look like, and the task that it builds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from dlbench.contracts.batches import Batch, Part, Predictions, Shown
from dlbench.contracts.datasets import Dataset
from dlbench.schema.base import Params
from dlbench.schema.metric import Direction, Metric
from dlbench.schema.signature import Signature

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray


class Task(Protocol):
    """A built task: examples in memory, on one device.

    Attributes:
        signature: what a model reads and gives, all sizes known.
        sizes: split → examples.
        scores: name and direction of every metric that `score` gives, in its order, the task's own first: what a
            search looks for when it is not told, and what target, early stopping and leaderboard go by.
    """

    signature: Signature
    sizes: Mapping[str, int]
    scores: Mapping[str, Direction]

    def to(self, device: torch.device) -> None:
        """Move every split to the device."""

    def batches(
        self, split: str, batch_size: int, generator: torch.Generator | None = None, part: Part | None = None
    ) -> Iterator[Batch]:
        """Batches of a split, ceil(size / batch_size) of them, each example once.

        With a generator (on the CPU) the order is drawn from it; without one it is fixed and similar lengths may
        share a batch. Every batch has `index`, the rows of its examples in the split, (B,).

        With a part (k, n) only its examples come, ceil((size - k) / n) of them; the n parts are fixed, disjoint and
        together the split.
        """

    def loss(self, output: Any, batch: Batch, *, label_smoothing: float = 0.0) -> torch.Tensor:
        """Mean loss of the model's forward output over the batch, a scalar."""

    def predict(self, model: torch.nn.Module, batch: Batch) -> Predictions:
        """What is scored of one forward pass, one row an example."""

    def score(self, predictions: Predictions, split: str) -> list[Metric]:
        """Metrics of a split's predictions (rows in the split's order), the task's own first, names unprefixed."""

    def keep(self, predictions: Predictions, split: str) -> dict[str, NDArray[np.generic]]:
        """Columns of the per-example file, one row an example; of classes at least `target` and `predicted`."""


@runtime_checkable
class Classifier(Task, Protocol):
    """A task that finds the class of things which a person can look at; its worst mistakes are kept and reported.

    Its `predict` gives log-probabilities of the classes, (B, C); a task without `classes` or `show` is just a task.
    """

    classes: tuple[str, ...]

    def show(self, row: int) -> Shown:
        """The test example of that row as it was before the task made it fit for a model; long texts are cut."""


@runtime_checkable
class Generator(Task, Protocol):
    """A task whose answers are written token by token by a `Writer`; samples of them are kept and reported.

    Its `predict` gives several tensors under their names; `score` and `keep` get them with those of `generate`.
    """

    def generate(self, model: torch.nn.Module, batch: Batch, length: int | None = None) -> Mapping[str, torch.Tensor]:
        """What the model writes for each example: `generated`, ids (B, longest answer), 0 behind the end.

        Args:
            model: a `Writer`.
            batch: what it reads.
            length: write so many tokens, whatever they are, one after the other (for measuring); None: until each
                sequence ends, searching as the task's parameters say.
        """

    def show(self, row: int) -> Shown:
        """What is read in the test example of that row, as it was before it was made fit for a model."""

    def reference(self, row: int) -> str:
        """What should be written in the test example of that row."""

    def written(self, generated_NT: torch.Tensor) -> list[str]:
        """Rows of ids as text."""

    def pieces(self, batch: Batch) -> list[tuple[list[str], list[str]]]:
        """The tokens of each example of a batch as a person reads them: of the input (or none), and of the target."""


class TaskModule(Protocol):
    """A file in `tasks/`: a kind of learning problem.

    Attributes:
        DATASETS: datasets used when a suite names none, in order of preference; the last is built in.
        SCORES: name and direction of every metric that `score` can give, whatever the data: what a search can be told
            to look for.
    """

    REVISION: int
    Params: type[Params]
    DATASETS: tuple[str, ...]
    SCORES: Mapping[str, Direction]

    def outline(self, params: Any) -> Signature:
        """The signature as far as it is known before any data is read."""

    def build(self, params: Any, dataset: Dataset) -> Task:
        """The task over a dataset."""
