"""Captioning: an image into the name of what it shows, written letter by letter.

The smallest problem in which one vector becomes a sequence (Karpathy 2015, "one to many"): the name is not chosen from
a list but spelled, and can be misspelled. A batch holds `image` (B, channels, height, width), as image classification
has it; `target` (B, T), each name ending with the token 3, 0-padded to the longest of all; `previous` (B, T), the
tokens before those; and `index` (B,). The loss is cross entropy under teacher forcing; scores are exact match without
regard to case, chrF (of which every letter counts) and perplexity.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from dlbench.contracts import Batch, Dataset, Part, Predictions
from dlbench.schema.metric import Metric
from dlbench.schema.signature import Image, Signature, Tokens
from dlbench.tasks import _tokenizers, _written
from dlbench.tasks._decoding import END, SPECIALS, UNKNOWN
from dlbench.tasks._image_splits import ImageSplits, image_splits
from dlbench.tasks._sequences import Ragged
from dlbench.tasks._written import REFERENCED, References, Written, forced

REVISION = 1
DATASETS = ("mnist", "digits")
SCORES = {name: _written.SCORES[name] for name in _written.OF_NAMES}


class Params(_written.DecodingParams):
    """Size of the images, and how answers are found."""

    image_size: int | None = Field(None, ge=1, le=2048, description="side in pixels that images are resized to")


class Captioning:
    """The task over a dataset, in memory, on one device.

    Args:
        data: images of all splits.
        params: how answers are found.
    """

    def __init__(self, data: ImageSplits, params: Params) -> None:
        tokenizer = _tokenizers.characters(data.names, SPECIALS)
        names = Ragged(*_tokenizers.encoded(tokenizer, data.names, [END], [UNKNOWN]))
        every = np.arange(len(names))
        self._names_CT, _ = names.padded(every, torch.from_numpy(every))
        labels = {split: images.target.numpy() for split, images in data.splits.items()}
        targets = {split: _taken(self._names_CT.numpy(), names.lengths, rows) for split, rows in labels.items()}
        texts = {split: [data.names[label] for label in labels[split]] for split in REFERENCED}
        references = References(texts, language=True, names=True)
        self._data, self._written = data, Written(targets, references, tokenizer.to_str(), params)
        self.sizes = {split: len(images) for split, images in data.splits.items()}
        self.signature = Signature(input=data.signature, output=self._written.signature)

    def to(self, device: torch.device) -> None:
        """Move every split to the device."""
        self._names_CT = self._names_CT.to(device)
        self._written.to(device)
        for images in self._data.splits.values():
            images.to(device)

    def batches(
        self, split: str, batch_size: int, generator: torch.Generator | None = None, part: Part | None = None
    ) -> Iterator[Batch]:
        """Batches of a split, images in the order of `ResidentImages.batches`."""
        images = self._data.splits[split]
        for batch in images.batches(batch_size, generator, (self._data.normalize,), part=part):
            yield {**batch, **forced(self._names_CT.index_select(0, batch["target"]))}

    def loss(self, output: torch.Tensor, batch: Batch, *, label_smoothing: float = 0.0) -> torch.Tensor:
        """Mean cross entropy of logits (B, T, V) over all letters and ends of the names, in nats."""
        return self._written.loss(output, batch, label_smoothing)

    def predict(self, model: torch.nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """`loss`, the negative log-probability of each name under teacher forcing, in nats, (B,)."""
        return self._written.likelihood(model, batch)

    def generate(self, model: torch.nn.Module, batch: Batch, length: int | None = None) -> Mapping[str, torch.Tensor]:
        """`generated`, the captions' ids, (B, longest name)."""
        return self._written.generate(model, batch, length)

    def score(self, predictions: Predictions, split: str) -> list[Metric]:
        """Exact match, chrF and perplexity."""
        return self._written.score(predictions, split)

    def keep(self, predictions: Predictions, split: str) -> dict[str, NDArray[np.generic]]:
        """What `Written.keep` gives."""
        return self._written.keep(predictions, split)

    def show(self, row: int) -> NDArray[np.uint8]:
        """The test image of that row, (H, W, C); never enlarged."""
        return self._data.picture(row)

    def reference(self, row: int) -> str:
        """The name of what the test image of that row shows."""
        return self._written.references.texts["test"][row]

    def written(self, generated_NT: torch.Tensor) -> list[str]:
        """Rows of ids as text."""
        return self._written.written(generated_NT)

    def pieces(self, batch: Batch) -> list[tuple[list[str], list[str]]]:
        """No pieces of an image, and the letters of each name."""
        return [([], self._written.pieces(target)) for target in batch["target"].tolist()]


def outline(params: Params) -> Signature:
    """Images to tokens; other sizes are known once the data is read."""
    return Signature(input=Image(height=params.image_size, width=params.image_size), output=Tokens())


def build(params: Params, dataset: Dataset) -> Captioning:
    """The task over a dataset whose splits are `ImageExamples`; images come from the cache of image classification.

    Raises:
        DataError: the splits do not fit together.
    """
    return Captioning(image_splits(dataset, params.image_size), params)


def _taken(names_CT: NDArray[np.integer], lengths_C: NDArray[np.integer], label_N: NDArray[np.integer]) -> Ragged:
    """The name of each example."""
    lengths_N = lengths_C[label_N]
    rows_NT = names_CT[label_N]
    real_NT = np.arange(rows_NT.shape[1]) < lengths_N[:, None]
    return Ragged(rows_NT[real_NT], np.concatenate([[0], np.cumsum(lengths_N)]))
