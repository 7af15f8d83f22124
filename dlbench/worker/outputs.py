"""What a trained model has found for later jobs: its own outputs, and the scores of the models that it holds."""

import torch

from dlbench.contracts.tasks import Task
from dlbench.errors import Diverged
from dlbench.schema.base import Json
from dlbench.worker.evaluate import predict
from dlbench.worker.precision import Precision


def outputs_of(task: Task, model: torch.nn.Module, batch_size: int, precision: Precision) -> dict[str, Json]:
    """The model's `outputs()`, and as `shared` a row for each of its `alternatives()`; empty where it has neither.

    A row is the alternative's name with its `score`: the task's own on the validation split, None if it has none.
    """
    found: dict[str, Json] = dict(model.outputs()) if hasattr(model, "outputs") else {}  # type: ignore[operator]
    if not hasattr(model, "alternatives"):
        return found
    rows = []
    for name, being_it in model.alternatives():  # type: ignore[operator]
        try:
            with being_it:
                predictions = predict(task, model, "val", batch_size, precision)
            score = task.score(predictions, "val")[0].value
        except Diverged:  # the weights were trained for another mixture
            score = None
        rows.append({**name, "score": score})
    return {**found, "shared": rows}
