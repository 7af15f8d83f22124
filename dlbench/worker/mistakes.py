"""The mistakes that a classifier was surest of, with what a person sees of the examples."""

import torch

from dlbench.contracts.tasks import Classifier
from dlbench.schema.mistake import MOST, Mistake, Mistakes
from dlbench.worker.shown import parts


def mistakes_of(task: Classifier, log_probability_NC: torch.Tensor) -> Mistakes:
    """The surest mistakes on the test split, at most `MOST`; equally sure ones in the split's order.

    Args:
        task: whose test split was predicted.
        log_probability_NC: of each class, rows in the split's order, on any device.
    """
    target_N = torch.from_numpy(task.keep(log_probability_NC, "test")["target"])
    sureness_N, predicted_N = log_probability_NC.float().cpu().max(dim=1)
    wrong = torch.nonzero(predicted_N != target_N).flatten()
    rows = wrong[sureness_N[wrong].sort(descending=True, stable=True).indices][:MOST].tolist()
    return Mistakes(
        mistakes=tuple(
            _mistake(task, row, int(target_N[row]), int(predicted_N[row]), float(sureness_N[row].double().exp()))
            for row in rows
        )
    )


def _mistake(task: Classifier, row: int, target: int, predicted: int, probability: float) -> Mistake:
    text, picture = parts(task.show(row))
    return Mistake(
        index=row,
        target=task.classes[target],
        predicted=task.classes[predicted],
        probability=min(probability, 1.0),  # a log-probability can be rounded to just above 0
        text=text,
        picture=picture,
    )
