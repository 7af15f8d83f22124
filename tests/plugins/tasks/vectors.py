"""Classification of feature vectors, the smallest task that there is."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.nn import functional as F

from dlbench.schema.base import Params as Base
from dlbench.schema.metric import Metric
from dlbench.schema.signature import Classes, Signature, Vector

REVISION = 1
DATASETS = ("blobs",)
SCORES = {"accuracy": "higher", "loss": "lower"}


class Params(Base):
    """Nothing varies."""


def outline(params: Params) -> Signature:
    """Vectors of any size, any number of classes."""
    return Signature(input=Vector(), output=Classes())


def build(params: Params, dataset: Any) -> "Vectors":
    """The task over a dataset."""
    return Vectors({split: dataset.split(split) for split in ("train", "val", "test")})


class Vectors:
    """Vectors and labels on one device."""

    def __init__(self, splits: dict[str, dict[str, Any]]) -> None:
        self.vectors = {name: torch.from_numpy(split["vectors"]) for name, split in splits.items()}
        self.labels = {name: torch.from_numpy(split["labels"]) for name, split in splits.items()}
        self.sizes = {name: len(labels) for name, labels in self.labels.items()}
        self.scores = SCORES
        classes = splits["train"]["classes"]
        self.signature = Signature(input=Vector(size=self.vectors["train"].shape[1]), output=Classes(classes=classes))

    def to(self, device: torch.device) -> None:
        """Move every split."""
        self.vectors = {name: v.to(device) for name, v in self.vectors.items()}
        self.labels = {name: v.to(device) for name, v in self.labels.items()}

    def batches(
        self,
        split: str,
        batch_size: int,
        generator: torch.Generator | None = None,
        part: tuple[int, int] | None = None,
    ) -> Iterator[dict[str, torch.Tensor]]:
        """Shuffled with a generator, in order without one; part k of n is every n-th row from k on."""
        rows = torch.arange(self.sizes[split])[slice(None) if part is None else slice(part[0], None, part[1])]
        size = len(rows)
        order = torch.arange(size) if generator is None else torch.randperm(size, generator=generator)
        vectors, labels = self.vectors[split], self.labels[split]
        for index in rows[order].to(labels.device).split(batch_size):
            yield {"vector": vectors[index], "target": labels[index], "index": index}

    def loss(
        self, output: torch.Tensor, batch: dict[str, torch.Tensor], *, label_smoothing: float = 0.0
    ) -> torch.Tensor:
        """Cross-entropy."""
        return F.cross_entropy(output, batch["target"], label_smoothing=label_smoothing)

    def predict(self, model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Logits, (B, classes)."""
        return model(batch).float()

    def score(self, predictions: torch.Tensor, split: str) -> list[Metric]:
        """Accuracy, then mean cross-entropy."""
        labels = self.labels[split]
        right = (predictions.argmax(1) == labels).float().mean().item()
        loss = F.cross_entropy(predictions, labels).item()
        return [
            Metric(name="accuracy", value=right, unit="fraction", better="higher", n=len(labels)),
            Metric(name="loss", value=loss, unit="nats", better="lower", n=len(labels)),
        ]

    def keep(self, predictions: torch.Tensor, split: str) -> dict[str, Any]:
        """Target and prediction."""
        return {"target": self.labels[split].cpu().numpy(), "predicted": predictions.argmax(1).cpu().numpy()}
