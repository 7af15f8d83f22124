"""Scores of a classifier, and what of its answers is kept; knows no input.

Shapes: N examples, C classes.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from dlbench.schema.metric import Metric

BINS = 15
"""Bins of equal width for the expected calibration error, as in Guo et al. 2017."""

TOP = 5

MOST_WITHOUT_TOP = 10
"""With ten classes or fewer, guessing already finds half of the targets among its top 5, and a trained model finds
nearly all: the score would not tell models apart."""


def scores(log_probability_NC: torch.Tensor, target_N: torch.Tensor, classes: Sequence[str]) -> list[Metric]:
    """Accuracy (with the confusion matrix: rows are targets, columns predictions), macro-F1, calibration error.

    With more than ten classes also `top5`: the share of examples whose target is among the five likeliest.
    """
    # On the CPU: counting is not deterministic on every device, and there is little to count.
    log_probability_NC = log_probability_NC.cpu()
    confidence_N, predicted_N = log_probability_NC.double().exp().max(dim=1)
    target_N = target_N.cpu()
    size = len(classes)
    pairs = torch.bincount(target_N * size + predicted_N, minlength=size * size)
    confusion = pairs.reshape(size, size).numpy()
    n = len(target_N)
    detail = {"classes": list(classes), "confusion": confusion.tolist()}
    accuracy = float(np.trace(confusion) / n)
    error = calibration_error(confidence_N, predicted_N == target_N)
    metrics = [
        Metric(name="accuracy", value=accuracy, unit="fraction", better="higher", n=n, detail=detail),
        Metric(name="f1_macro", value=f1_macro(confusion), unit="fraction", better="higher", n=n),
        Metric(name="ece", value=error, unit="fraction", better="lower", n=n),
    ]
    if size > MOST_WITHOUT_TOP:
        top_N5 = log_probability_NC.topk(TOP, dim=1).indices
        among = float((top_N5 == target_N[:, None]).any(dim=1).double().mean())
        metrics.append(Metric(name="top5", value=among, unit="fraction", better="higher", n=n))
    return metrics


def f1_macro(confusion: NDArray[np.integer]) -> float:
    """Mean F1 over the classes that occur among targets or predictions.

    Args:
        confusion: counts, (C, C), rows are targets.
    """
    hits = np.diag(confusion)
    occurrences = confusion.sum(axis=0) + confusion.sum(axis=1)
    occurs = occurrences > 0
    return float(np.mean(2 * hits[occurs] / occurrences[occurs]))


def calibration_error(confidence_N: torch.Tensor, right_N: torch.Tensor) -> float:
    """Expected calibration error (Guo et al. 2017, equation 3).

    The mean over examples of |accuracy - confidence| of the bin in which the example's confidence lies.
    """
    bin_N = ((confidence_N * BINS).ceil().long() - 1).clamp(0, BINS - 1)
    gap = torch.zeros(BINS, dtype=torch.float64)
    gap.index_add_(0, bin_N, right_N.double() - confidence_N.double())
    return float(gap.abs().sum() / len(confidence_N))


def kept(log_probability_NC: torch.Tensor, target_N: torch.Tensor) -> dict[str, NDArray[np.generic]]:
    """One row an example: `target`, `predicted`, and `probability` of the predicted class (float16)."""
    log_probability_N, predicted_N = log_probability_NC.float().max(dim=1)
    return {
        "target": target_N.cpu().numpy(),
        "predicted": predicted_N.cpu().numpy(),
        "probability": log_probability_N.exp().half().cpu().numpy(),
    }
