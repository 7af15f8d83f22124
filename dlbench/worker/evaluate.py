"""Predictions over a split, and their scores."""

from collections.abc import Mapping

import torch

from dlbench.contracts.batches import Batch, Predictions
from dlbench.contracts.tasks import Generator, Task
from dlbench.errors import Diverged
from dlbench.schema.metric import Metric
from dlbench.worker.precision import Precision, evaluating

ALONE = ""
"""The name of predictions that are a single tensor."""


def predict(task: Task, model: torch.nn.Module, split: str, batch_size: int, precision: Precision) -> Predictions:
    """Predictions for a whole split, rows in the split's order, on the device.

    Raises:
        Diverged: some are not finite.
    """
    rows: dict[str, torch.Tensor] = {}
    with evaluating(model, precision):
        for batch in task.batches(split, batch_size):
            for name, answer in _answers(task, model, batch).items():
                if name not in rows:
                    rows[name] = answer.new_empty((task.sizes[split], *answer.shape[1:]))
                rows[name][batch["index"]] = answer
    if not rows:
        raise ValueError(f"the {split} split is empty")
    for column in rows.values():
        if column.is_floating_point() and not torch.isfinite(column).all():
            raise Diverged(f"predictions on the {split} split are not finite: try a lower train.lr, or train.clip_norm")
    return rows.get(ALONE, rows)


def _answers(task: Task, model: torch.nn.Module, batch: Batch) -> Mapping[str, torch.Tensor]:
    predicted = task.predict(model, batch)
    if isinstance(predicted, torch.Tensor):
        return {ALONE: predicted}
    return {**predicted, **task.generate(model, batch)} if isinstance(task, Generator) else predicted


def prefixed(metrics: list[Metric], prefix: str) -> list[Metric]:
    """The same metrics under `<prefix>_<name>`."""
    return [metric.model_copy(update={"name": f"{prefix}_{metric.name}"}) for metric in metrics]
