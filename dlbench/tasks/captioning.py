"""Captioning: an image into the name of what it shows, written letter by letter.

The smallest problem in which one vector becomes a sequence (Karpathy 2015, "one to many"): the name is not chosen from
a list but spelled, and can be misspelled. A batch holds `image` (B, channels, height, width), as image classification
has it; `target` (B, T), each name ending with the token 3, 0-padded to the longest of all; `previous` (B, T), the
tokens before those; and `index` (B,). The loss is cross entropy under teacher forcing; scores are exact match without
regard to case, chrF (of which every letter counts) and perplexity.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from dlbench.contracts.batches import Batch, Part
from dlbench.contracts.datasets import Dataset
from dlbench.schema.signature import Image, Signature, Tokens
from dlbench.tasks import _tokenizers, _written
from dlbench.tasks._decoding import END, SPECIALS, UNKNOWN
from dlbench.tasks._image_splits import ImageSplits, image_splits
from dlbench.tasks._sequences import Ragged
from dlbench.tasks._written import REFERENCED, References, Writing, forced

REVISION = 1
DATASETS = ("mnist", "digits")
SCORES = {name: _written.SCORES[name] for name in _written.OF_NAMES}


class Params(_written.DecodingParams):
    """Size of the images, and how answers are found."""

    image_size: int | None = Field(None, ge=1, le=2048, description="side in pixels that images are resized to")


class Captioning(Writing):
    """The task over a dataset, in memory, on one device.

    Args:
        data: images of all splits.
        params: how answers are found.
    """

    def __init__(self, data: ImageSplits, params: Params) -> None:
        self._data = data
        tokenizer = _tokenizers.characters(data.names, SPECIALS)
        names = Ragged(*_tokenizers.encoded(tokenizer, data.names, [END], [UNKNOWN]))
        every = np.arange(len(names))
        self._names_CT, _ = names.padded(every, torch.from_numpy(every))
        labels = {split: images.target.numpy() for split, images in data.splits.items()}
        lengths = {split: names.lengths[rows] for split, rows in labels.items()}
        texts = {split: [data.names[label] for label in labels[split]] for split in REFERENCED}
        references = References(texts, language=True, names=True)
        super().__init__(data.signature, lengths, references, tokenizer.to_str(), params)

    def to(self, device: torch.device) -> None:
        """Move every split to the device."""
        self._names_CT = self._names_CT.to(device)
        for images in self._data.splits.values():
            images.to(device)

    def batches(
        self, split: str, batch_size: int, generator: torch.Generator | None = None, part: Part | None = None
    ) -> Iterator[Batch]:
        """Batches of a split, images in the order of `ResidentImages.batches`."""
        images = self._data.splits[split]
        for batch in images.batches(batch_size, generator, (self._data.normalize,), part=part):
            yield {**batch, **forced(self._names_CT.index_select(0, batch["target"]))}

    def show(self, row: int) -> NDArray[np.uint8]:
        """The test image of that row, (H, W, C); never enlarged."""
        return self._data.picture(row)

    def pieces(self, batch: Batch) -> list[tuple[list[str], list[str]]]:
        """No pieces of an image, and the letters of each name."""
        return [([], letters) for letters in self.target_pieces(batch)]


def outline(params: Params) -> Signature:
    """Images to tokens; other sizes are known once the data is read."""
    return Signature(input=Image(height=params.image_size, width=params.image_size), output=Tokens())


def build(params: Params, dataset: Dataset) -> Captioning:
    """The task over a dataset whose splits are `ImageExamples`; images come from the cache of image classification.

    Raises:
        DataError: the splits do not fit together.
    """
    return Captioning(image_splits(dataset, params.image_size), params)
