"""What a trained generator wrote for examples that are spread evenly over the test split."""

from collections.abc import Mapping

import torch

from dlbench.contracts.tasks import Generator
from dlbench.schema.sample import MOST, Sample, Samples
from dlbench.worker.shown import parts


def samples_of(task: Generator, predictions: Mapping[str, torch.Tensor]) -> Samples:
    """Of the same rows for every model and every seed.

    Args:
        task: whose test split was predicted.
        predictions: `generated` (N, L) are ids, rows in the split's order, on any device.
    """
    generated_NL = predictions["generated"]
    rows = _spread(len(generated_NL))
    outputs = task.written(generated_NL[rows])
    return Samples(
        samples=tuple(_sample(task, row, output) for row, output in zip(rows, outputs, strict=True)),
    )


def _sample(task: Generator, row: int, output: str) -> Sample:
    text, picture = parts(task.show(row))
    return Sample(index=row, text=text, picture=picture, reference=task.reference(row), output=output)


def _spread(size: int) -> list[int]:
    """The middles of `MOST` equal parts of a split; all rows of one that is no larger."""
    count = min(size, MOST)
    return [(2 * part + 1) * size // (2 * count) for part in range(count)]
