"""What every classification task shares: loss, predictions, scores, what of the answers is kept. Knows no input.

Shapes: N examples, B of a batch, C classes.
"""

from collections.abc import Mapping, Sequence
from typing import Generic, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from dlbench.contracts.batches import Batch
from dlbench.schema.metric import Direction, Metric
from dlbench.schema.signature import Classes, Input, Signature

BINS = 15
"""Bins of equal width for the expected calibration error, as in Guo et al. 2017."""

TOP = 5

MOST_WITHOUT_TOP = 10
"""With ten classes or fewer, guessing already finds half of the targets among its top 5, and a trained model finds
nearly all: the score would not tell models apart."""


class Labelled(Protocol):
    """Examples of one split, in memory, each with its class."""

    target: torch.Tensor

    def __len__(self) -> int: ...

    def to(self, device: torch.device) -> None:
        """Move everything to the device."""


SCORES: Mapping[str, Direction] = {
    "accuracy": "higher",
    "f1_macro": "higher",
    "ece": "lower",
    "loss": "lower",
    "top5": "higher",
}
"""All that `scores` can give, with which way is better."""

Split = TypeVar("Split", bound=Labelled)


class Classification(Generic[Split]):
    """A task over labelled splits, but for how their batches are made.

    Args:
        splits: split → examples.
        classes: names of the classes.
        input: what a model reads, all sizes known.
    """

    def __init__(self, splits: Mapping[str, Split], classes: tuple[str, ...], input: Input) -> None:
        self.splits = splits
        self.classes = classes
        meaningless = () if len(classes) > MOST_WITHOUT_TOP else ("top5",)
        self.scores = {name: better for name, better in SCORES.items() if name not in meaningless}
        self.sizes = {split: len(examples) for split, examples in splits.items()}
        self.signature = Signature(input=input, output=Classes(classes=len(classes)))

    def to(self, device: torch.device) -> None:
        """Move every split to the device."""
        for examples in self.splits.values():
            examples.to(device)

    def loss(self, output: torch.Tensor, batch: Batch, *, label_smoothing: float = 0.0) -> torch.Tensor:
        """Mean cross entropy of logits (B, C), in nats; the target is an index (B,) or shares (B, C)."""
        return functional.cross_entropy(output.float(), batch["target"], label_smoothing=label_smoothing)

    def predict(self, model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        """Log-probabilities, (B, C) float32."""
        logits_BC: torch.Tensor = model(batch)
        return functional.log_softmax(logits_BC.float(), dim=1)

    def score(self, predictions: torch.Tensor, split: str) -> list[Metric]:
        """Accuracy, macro-F1, calibration error, loss and perhaps top-5 of log-probabilities (N, C)."""
        return scores(predictions, self.splits[split].target, self.classes)

    def keep(self, predictions: torch.Tensor, split: str) -> dict[str, NDArray[np.generic]]:
        """Columns `target`, `predicted` and `probability`."""
        return kept(predictions, self.splits[split].target)


def scores(log_probability_NC: torch.Tensor, target_N: torch.Tensor, classes: Sequence[str]) -> list[Metric]:
    """Accuracy (with the confusion matrix: rows are targets, columns predictions), macro-F1, calibration error, loss.

    The loss is the mean negative log-likelihood, in nats, without label smoothing.
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
        Metric(
            name="loss", value=negative_log_likelihood(log_probability_NC, target_N), unit="nats", better="lower", n=n
        ),
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


def negative_log_likelihood(log_probability_NC: torch.Tensor, target_N: torch.Tensor) -> float:
    """Mean of -log p(target), in nats."""
    return float(-log_probability_NC.double().gather(1, target_N[:, None]).mean())


def kept(log_probability_NC: torch.Tensor, target_N: torch.Tensor) -> dict[str, NDArray[np.generic]]:
    """One row an example: `target`, `predicted`, and `probability` of the predicted class (float16)."""
    log_probability_N, predicted_N = log_probability_NC.float().max(dim=1)
    return {
        "target": target_N.cpu().numpy(),
        "predicted": predicted_N.cpu().numpy(),
        "probability": log_probability_N.exp().half().cpu().numpy(),
    }
