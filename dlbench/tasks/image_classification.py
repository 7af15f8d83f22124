"""Image classification: one of several classes for an image.

A batch holds `image` (B, channels, height, width), float32 of mean 0 and standard deviation 1 over the training
split, by channel; `target` (B,), or with mixup (B, classes), the shares of the classes; and `index` (B,). The loss is
cross entropy; scores are accuracy, macro-F1, the expected calibration error and, with more than ten classes, top-5.

All splits stay on the device as uint8. Training batches are augmented there, in batches, in this order: RandAugment,
pad-crop, flip, cutout, random erasing, mixup. What comes into an image from outside has the training split's mean
colour.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from dlbench.contracts import Batch, Dataset, Part
from dlbench.errors import DataError
from dlbench.schema import base
from dlbench.schema.signature import Classes, Image, Signature
from dlbench.tasks import _augment, _classification
from dlbench.tasks._images import ResidentImages, resized, statistics
from dlbench.tasks._prepared import Arrays, prepared
from dlbench.tasks._rand_augment import STRONGEST, RandAugment

REVISION = 1
DATASETS = ("mnist", "digits")
SCORES = _classification.SCORES
SPLITS = ("train", "val", "test")


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


class ImageExamples(Protocol):
    """What a split of a dataset for this task looks like (`dlbench.datasets._images`)."""

    @property
    def images(self) -> NDArray[np.uint8]:
        """(N, channels, height, width)."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """Index into `classes`, (N,)."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""


class ImageClassification(_classification.Classification[ResidentImages]):
    """The task over a dataset, in memory, on one device.

    Args:
        splits: split → images.
        shape: channels, height and width of every image.
        classes: names of the classes.
        mean: of the training split's channels, in levels 0 to 255, (C,).
        std: their standard deviation, (C,).
        params: what is done to training images.
        originals: the test images as they were before they were enlarged, (N, channels, height, width); None: as they
            are in `splits`.
    """

    def __init__(
        self,
        splits: Mapping[str, ResidentImages],
        shape: tuple[int, int, int],
        classes: tuple[str, ...],
        mean: NDArray[np.float64],
        std: NDArray[np.float64],
        params: Params,
        originals: NDArray[np.uint8] | None = None,
    ) -> None:
        channels, height, width = shape
        super().__init__(splits, classes, Image(channels=channels, height=height, width=width))
        self._normalize = _augment.Normalize(torch.from_numpy(mean), torch.from_numpy(std))
        self._steps = _steps(params, self._normalize, torch.from_numpy(mean.round().astype(np.uint8)), height, width)
        self._mixup = _augment.Mixup(params.mixup, len(classes)) if params.mixup else None
        self._originals = originals

    def batches(
        self, split: str, batch_size: int, generator: torch.Generator | None = None, part: Part | None = None
    ) -> Iterator[Batch]:
        """Batches of a split; see `ResidentImages.batches`. Shuffled training batches, and no others, are augmented."""
        images = self.splits[split]
        if split == "train" and generator is not None:
            return images.batches(batch_size, generator, self._steps, self._mixup, part)
        return images.batches(batch_size, generator, (self._normalize,), part=part)

    def show(self, row: int) -> NDArray[np.uint8]:
        """The test image of that row, (H, W, C); never enlarged."""
        if self._originals is None:
            return self.splits["test"].picture(row)
        original_CHW: NDArray[np.uint8] = self._originals[row]
        return original_CHW.transpose(1, 2, 0)


def _steps(
    params: Params, normalize: _augment.Normalize, colour_C: torch.Tensor, height: int, width: int
) -> Sequence[_augment.Step]:
    """What is done to training images: on uint8 first, which is cheaper, then on normalised floats."""
    steps: list[_augment.Step] = []
    if params.rand_augment:
        steps.append(RandAugment(params.rand_augment, params.magnitude, colour_C, height, width))
    if params.crop:
        steps.append(_augment.Crop(params.crop, colour_C, height, width))
    if params.flip:
        steps.append(_augment.Flip())
    steps.append(normalize)
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
    key = {
        "task": ["image_classification", REVISION, params.image_size],
        "dataset": [dataset.name, dataset.source, dataset.digest, dataset.params.model_dump(mode="json")],
        "torch": torch.__version__ if params.image_size is not None else None,
        "originals": params.image_size is not None,
    }
    arrays = prepared(key, lambda: _prepare(params, dataset))
    splits = {split: ResidentImages(arrays[f"{split}_images"], arrays[f"{split}_target"]) for split in SPLITS}
    shape = arrays["train_images"].shape[1:]
    classes = tuple(arrays["classes"].tolist())
    return ImageClassification(
        splits, shape, classes, arrays["mean"], arrays["std"], params, arrays.get("test_originals")
    )


def _prepare(params: Params, dataset: Dataset) -> Arrays:
    splits: dict[str, ImageExamples] = {split: dataset.split(split) for split in SPLITS}
    _require_one_kind(dataset.name, splits)
    arrays: dict[str, NDArray[Any]] = {"classes": np.array(splits["train"].classes)}
    for split, examples in splits.items():
        # Read-only arrays (a mapped file, a buffer) would make tensors that torch warns of.
        images = np.require(examples.images, requirements=["C", "W"])
        if params.image_size is not None:
            if split == "test" and params.image_size > min(images.shape[2:]):
                arrays["test_originals"] = images
            images = resized(images, params.image_size)
        arrays |= {f"{split}_images": images, f"{split}_target": np.require(examples.labels, np.int64, ["C", "W"])}
    arrays["mean"], arrays["std"] = statistics(arrays["train_images"])
    return arrays


def _require_one_kind(name: str, splits: Mapping[str, ImageExamples]) -> None:
    empty = [split for split, examples in splits.items() if not len(examples.labels)]
    if empty:
        raise DataError(f"dataset {name!r}: no images in its split {' and '.join(empty)}")
    if len({(examples.images.shape[1:], examples.classes) for examples in splits.values()}) > 1:
        forms = "; ".join(f"{split} has {_form(examples)}" for split, examples in splits.items())
        raise DataError(
            f"dataset {name!r}: its splits do not fit together: {forms}. Channels, size and classes must be the same."
        )


def _form(examples: ImageExamples) -> str:
    """`3 × 32 × 32 images of 10 classes (cat, dog, …)`."""
    size = " × ".join(map(str, examples.images.shape[1:]))
    names = ", ".join(examples.classes[:3]) + (", …" if len(examples.classes) > 3 else "")
    return f"{size} images of {len(examples.classes)} classes ({names})"
