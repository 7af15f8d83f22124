"""The mistakes that a classifier was surest of, with what a person sees of the examples."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from dlbench.contracts import Classifier
from dlbench.schema.mistake import MOST, Mistake, Mistakes
from dlbench.worker.png import png

LARGEST = 64
"""Longest side in pixels of a picture that is kept: larger ones are made smaller, so that the file stays small."""


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
    shown = task.show(row)
    return Mistake(
        index=row,
        target=task.classes[target],
        predicted=task.classes[predicted],
        probability=min(probability, 1.0),  # a log-probability can be rounded to just above 0
        text=shown if isinstance(shown, str) else None,
        picture=None if isinstance(shown, str) else png(_small(shown)),
    )


def _small(picture_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture as it is, or, if it is large, as means over areas; its shape is kept."""
    height, width = picture_HWC.shape[:2]
    scale = LARGEST / max(height, width)
    if scale >= 1:
        return picture_HWC
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    picture_CHW = torch.from_numpy(picture_HWC).permute(2, 0, 1).float()
    return functional.adaptive_avg_pool2d(picture_CHW, size).round().byte().permute(1, 2, 0).numpy()
