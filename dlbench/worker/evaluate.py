"""Predictions over a split, and their scores."""

import torch

from dlbench.contracts import Task
from dlbench.errors import Diverged
from dlbench.schema.metric import Metric
from dlbench.worker.precision import Precision, evaluating


def predict(task: Task, model: torch.nn.Module, split: str, batch_size: int, precision: Precision) -> torch.Tensor:
    """Predictions for a whole split, rows in the split's order, on the device.

    Raises:
        Diverged: some are not finite.
    """
    rows: torch.Tensor | None = None
    with evaluating(model, precision):
        for batch in task.batches(split, batch_size):
            answer = task.predict(model, batch)
            if rows is None:
                rows = answer.new_empty((task.sizes[split], *answer.shape[1:]))
            rows[batch["index"]] = answer
    if rows is None:
        raise ValueError(f"the {split} split is empty")
    if rows.is_floating_point() and not torch.isfinite(rows).all():
        raise Diverged(f"predictions on the {split} split are not finite: try a lower train.lr, or train.clip_norm")
    return rows


def prefixed(metrics: list[Metric], prefix: str) -> list[Metric]:
    """The same metrics under `<prefix>_<name>`."""
    return [metric.model_copy(update={"name": f"{prefix}_{metric.name}"}) for metric in metrics]
