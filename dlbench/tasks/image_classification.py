"""Image classification: one of several classes for an image.

A batch holds `image` (B, channels, height, width), float32 of mean 0 and standard deviation 1 over the training
split, by channel; `target` (B,), or with mixup (B, classes), the shares of the classes; and `index` (B,). The loss is
cross entropy; scores are accuracy, macro-F1, the expected calibration error and, with more than ten classes, top-5.

All splits stay on the device as uint8. Training batches are augmented there, in batches, in this order: RandAugment,
pad-crop, flip, cutout, random erasing, mixup. What comes into an image from outside has the training split's mean
colour.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from dlbench.contracts.batches import Batch, Part
from dlbench.contracts.datasets import Dataset
from dlbench.schema import base
from dlbench.schema.signature import Classes, Image, Signature
from dlbench.tasks import _augment, _classification
from dlbench.tasks._image_splits import ImageSplits, image_splits
from dlbench.tasks._images import ResidentImages
from dlbench.tasks._rand_augment import STRONGEST, RandAugment

REVISION = 1
DATASETS = ("mnist", "digits")
SCORES = _classification.SCORES


class Params(base.Params):
    """Size of the images, and how training images are augmented; by default they are used as they are."""

    image_size: int | None = Field(None, ge=1, le=2048, description="side in pixels that images are resized to")
    flip: bool = Field(False, description="mirror half of the images, left for right")
    crop: int = Field(0, ge=0, le=256, description="pixels of padding around the image, out of which a window is cut")
    cutout: int = Field(0, ge=0, le=2048, description="side in pixels of a square that is blanked")
    random_erasing: float = Field(0.0, ge=0, le=1, description="probability that a random rectangle is blanked")
    rand_augment: int = Field(0, ge=0, le=8, description="RandAugment's operations for each image; 0 is none")
    magnitude: int = Field(9, ge=0, le=STRONGEST, description="strength of RandAugment's operations, 0 to 30")
    mixup: float = Field(0.0, ge=0, le=100, description="mixup's α; 0 mixes nothing")


class ImageClassification(_classification.Classification[ResidentImages]):
    """The task over a dataset, in memory, on one device.

    Args:
        data: images of all splits.
        params: what is done to training images.
    """

    def __init__(self, data: ImageSplits, params: Params) -> None:
        super().__init__(data.splits, data.classes, data.signature)
        self._data = data
        self._steps = _steps(params, data)
        self._mixup = _augment.Mixup(params.mixup, len(data.classes)) if params.mixup else None

    def batches(
        self, split: str, batch_size: int, generator: torch.Generator | None = None, part: Part | None = None
    ) -> Iterator[Batch]:
        """Batches of a split; see `ResidentImages.batches`. Shuffled training batches, and no others, are augmented."""
        images = self.splits[split]
        if split == "train" and generator is not None:
            return images.batches(batch_size, generator, self._steps, self._mixup, part)
        return images.batches(batch_size, generator, (self._data.normalize,), part=part)

    def show(self, row: int) -> NDArray[np.uint8]:
        """The test image of that row, (H, W, C); never enlarged."""
        return self._data.picture(row)


def _steps(params: Params, data: ImageSplits) -> Sequence[_augment.Step]:
    """What is done to training images: on uint8 first, which is cheaper, then on normalised floats."""
    colour_C = torch.from_numpy(data.mean.round().astype(np.uint8))
    _, height, width = data.splits["train"].shape
    steps: list[_augment.Step] = []
    if params.rand_augment:
        steps.append(RandAugment(params.rand_augment, params.magnitude, colour_C, height, width))
    if params.crop:
        steps.append(_augment.Crop(params.crop, colour_C, height, width))
    if params.flip:
        steps.append(_augment.Flip())
    steps.append(data.normalize)
    if params.cutout:
        steps.append(_augment.cutout(params.cutout, height, width))
    if params.random_erasing:
        steps.append(_augment.random_erasing(params.random_erasing, height, width))
    return steps


def outline(params: Params) -> Signature:
    """Images to classes; other sizes are known once the data is read."""
    return Signature(input=Image(height=params.image_size, width=params.image_size), output=Classes())


def build(params: Params, dataset: Dataset) -> ImageClassification:
    """The task over a dataset whose splits are `ImageExamples`; prepared once, then read from the cache.

    Raises:
        DataError: the splits do not fit together.
    """
    return ImageClassification(image_splits(dataset, params.image_size), params)
