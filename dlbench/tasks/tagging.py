"""Tagging: one of several classes for each token of a sequence.

A batch holds `tokens` (B, T), 0-padded on the right, with their `lengths` (B,); `target` (B, T), for each token the
index of its class plus one, 0 on padding; and `index` (B,). The loss is cross entropy, a mean over tokens; scores are
the accuracy over tokens, exact match (the share of sequences without a mistake) and the loss. Padding never counts.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from dlbench.contracts.batches import Batch, Part, Predictions
from dlbench.contracts.datasets import Dataset
from dlbench.errors import DataError
from dlbench.schema import base
from dlbench.schema.metric import Direction, Metric
from dlbench.schema.signature import Signature, Tags, Tokens
from dlbench.tasks import _tokens
from dlbench.tasks._predictions import named
from dlbench.tasks._prepared import Arrays, prepared
from dlbench.tasks._sequences import PADDING, Ragged, bucketed

REVISION = 2
DATASETS = ("brackets",)
SCORES: Mapping[str, Direction] = {"accuracy": "higher", "exact_match": "higher", "loss": "lower"}
SPLITS = ("train", "val", "test")


class Params(base.Params):
    """There is nothing to choose: tokens and tags stand as the dataset has them."""


class TaggedExamples(Protocol):
    """What a split of a dataset for this task looks like (`dlbench.datasets._tagged`)."""

    @property
    def texts(self) -> Sequence[str]:
        """One string an example, tokens with spaces between them."""

    @property
    def tags(self) -> Sequence[str]:
        """The tags of each, as many with spaces between them."""

    @property
    def classes(self) -> tuple[str, ...]:
        """All tags that there are."""


class Tagging:
    """The task over a dataset, in memory, on one device.

    Args:
        tokens: split → ids of the sequences.
        targets: split → for each token the index of its class plus one.
        vocabulary: number of token ids.
        classes: how many there are.
    """

    def __init__(
        self, tokens: Mapping[str, Ragged], targets: Mapping[str, Ragged], vocabulary: int, classes: int
    ) -> None:
        self._tokens, self._targets = tokens, targets
        self._device = torch.device("cpu")
        self.scores = SCORES
        self.sizes = {split: len(sequences) for split, sequences in tokens.items()}
        longest = max(sequences.longest for sequences in tokens.values())
        self.signature = Signature(input=Tokens(vocabulary=vocabulary, length=longest), output=Tags(classes=classes))

    def to(self, device: torch.device) -> None:
        """Move every split to the device."""
        self._device = device
        for ragged in (*self._tokens.values(), *self._targets.values()):
            ragged.to(device)

    def batches(
        self, split: str, batch_size: int, generator: torch.Generator | None = None, part: Part | None = None
    ) -> Iterator[Batch]:
        """Batches of similar lengths; see `bucketed`."""
        tokens, targets = self._tokens[split], self._targets[split]
        for rows, index_B in bucketed(tokens.lengths, batch_size, generator, part, self._device):
            tokens_BT, lengths_B = tokens.padded(rows, index_B)
            target_BT, _ = targets.padded(rows, index_B)
            yield {"tokens": tokens_BT, "lengths": lengths_B, "target": target_BT, "index": index_B}

    def loss(self, output: torch.Tensor, batch: Batch, *, label_smoothing: float = 0.0) -> torch.Tensor:
        """Mean cross entropy of logits (B, T, C) over all tokens, in nats."""
        return _cross_entropy(output, batch, reduction="mean", label_smoothing=label_smoothing)

    def predict(self, model: torch.nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """Of each sequence how many tokens are tagged `correct`, and the sum of their `loss` in nats, (B,) each."""
        logits_BTC: torch.Tensor = model(batch)
        target_BT = batch["target"]
        loss_BT = _cross_entropy(logits_BTC, batch, reduction="none").view(target_BT.shape)
        correct_BT = logits_BTC.argmax(2) + 1 == target_BT
        return {"correct": correct_BT.sum(1), "loss": loss_BT.sum(1)}

    def score(self, predictions: Predictions, split: str) -> list[Metric]:
        """Accuracy over tokens, exact match over sequences, and loss per token."""
        columns, loss = self.keep(predictions, split), named(predictions)["loss"]
        tokens, n = int(columns["source_length"].sum()), len(columns["source_length"])
        return [
            _share("accuracy", int(columns["correct"].sum()), tokens),
            _share("exact_match", int(columns["exact"].sum()), n),
            Metric(name="loss", value=float(loss.double().sum()) / tokens, unit="nats", better="lower", n=tokens),
        ]

    def keep(self, predictions: Predictions, split: str) -> dict[str, NDArray[np.generic]]:
        """Of each sequence its `source_length`, how many tokens are tagged `correct`, and whether all are, `exact`."""
        correct_N = named(predictions)["correct"].cpu().numpy().astype(np.int32)
        length_N = self._tokens[split].lengths.astype(np.int32)
        return {"exact": correct_N == length_N, "correct": correct_N, "source_length": length_N}


def outline(params: Params) -> Signature:
    """Tokens to a class each; sizes are known once the data is read."""
    return Signature(input=Tokens(), output=Tags())


def build(params: Params, dataset: Dataset) -> Tagging:
    """The task over a dataset whose splits are `TaggedExamples`; prepared once, then read from the cache.

    Raises:
        DataError: there is not one known tag for each token.
    """
    key = {
        "task": ["tagging", REVISION],
        "dataset": [dataset.name, dataset.source, dataset.digest, dataset.params.model_dump(mode="json")],
    }
    arrays = prepared(key, lambda: _prepare(dataset))

    def ragged(kind: str) -> dict[str, Ragged]:
        return {split: Ragged(arrays[f"{split}_{kind}"], arrays[f"{split}_offsets"]) for split in SPLITS}

    return Tagging(ragged("tokens"), ragged("tags"), int(arrays["vocabulary"]), int(arrays["classes"]))


def _prepare(dataset: Dataset) -> Arrays:
    splits: dict[str, TaggedExamples] = {split: dataset.split(split) for split in SPLITS}
    tokens, vocabulary = _tokens.symbols({split: examples.texts for split, examples in splits.items()})
    classes = splits["train"].classes
    arrays: Arrays = {"vocabulary": np.array(vocabulary), "classes": np.array(len(classes))}
    ids = {name: number for number, name in enumerate(classes, start=1)}
    for split, (values, offsets) in tokens.items():
        tags = [tag.split() for tag in splits[split].tags]
        _require_one_each(dataset.name, split, np.diff(offsets), tags, ids)
        numbers = np.array([ids[name] for sequence in tags for name in sequence], np.int32)
        arrays |= {f"{split}_tokens": values, f"{split}_offsets": offsets, f"{split}_tags": numbers}
    return arrays


def _require_one_each(
    name: str, split: str, length_N: NDArray[np.integer], tags: Sequence[Sequence[str]], known: Mapping[str, int]
) -> None:
    for row, (length, sequence) in enumerate(zip(length_N.tolist(), tags, strict=True)):
        if len(sequence) != length:
            raise DataError(
                f"dataset {name!r}, {split}: example {row} has {len(sequence)} tags for {length} tokens; each token "
                "needs one, with single spaces between them"
            )
        unknown = next((tag for tag in sequence if tag not in known), None)
        if unknown is not None:
            raise DataError(f"dataset {name!r}, {split}: example {row} has the tag {unknown!r}, which is no class")


def _cross_entropy(
    logits_BTC: torch.Tensor, batch: Batch, *, reduction: str, label_smoothing: float = 0.0
) -> torch.Tensor:
    """Of every token; padding adds nothing."""
    return functional.cross_entropy(
        logits_BTC.flatten(0, 1).float(),
        batch["target"].flatten() - 1,
        ignore_index=PADDING - 1,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )


def _share(name: str, right: int, n: int) -> Metric:
    return Metric(name=name, value=right / n, unit="fraction", better="higher", n=n)
