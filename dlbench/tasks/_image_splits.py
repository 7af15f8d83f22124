"""All splits of a dataset of images, prepared once and kept in the cache: what every task that reads images shares.

Shapes: N images of a split, C channels, H height, W width.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from dlbench.contracts.datasets import Dataset
from dlbench.errors import DataError
from dlbench.schema.signature import Image
from dlbench.tasks._augment import Normalize
from dlbench.tasks._images import ResidentImages, resized, statistics
from dlbench.tasks._prepared import Arrays, prepared

SPLITS = ("train", "val", "test")
REVISION = 1
"""Raised when a change here changes what is kept."""


class ImageExamples(Protocol):
    """What a split of a dataset of images looks like (`dlbench.datasets._images`).

    It may also have `names`: what its classes are called in words, if `classes` are none.
    """

    @property
    def images(self) -> NDArray[np.uint8]:
        """(N, channels, height, width)."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """Index into `classes`, (N,)."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""


class ImageSplits:
    """Resident images of all splits.

    Args:
        arrays: as they were prepared.

    Attributes:
        splits: split → images with their classes.
        signature: channels, height and width of every image.
        classes: names of the classes.
        names: what the classes are called in words.
        mean: of the training split's channels, in levels 0 to 255, (C,).
        normalize: uint8 to floats of mean 0 and standard deviation 1 over the training split, by channel.
    """

    def __init__(self, arrays: Arrays) -> None:
        self.splits = {split: ResidentImages(arrays[f"{split}_images"], arrays[f"{split}_target"]) for split in SPLITS}
        channels, height, width = self.splits["train"].shape
        self.signature = Image(channels=channels, height=height, width=width)
        self.classes: tuple[str, ...] = tuple(arrays["classes"].tolist())
        self.names: tuple[str, ...] = tuple(arrays["names"].tolist())
        self.mean: NDArray[np.float64] = arrays["mean"]
        self.normalize = Normalize(torch.from_numpy(arrays["mean"]), torch.from_numpy(arrays["std"]))
        self._originals: NDArray[np.uint8] | None = arrays.get("test_originals")

    def picture(self, row: int) -> NDArray[np.uint8]:
        """The test image of that row, (H, W, C); never enlarged."""
        if self._originals is None:
            return self.splits["test"].picture(row)
        original_CHW: NDArray[np.uint8] = self._originals[row]
        return original_CHW.transpose(1, 2, 0)


def image_splits(dataset: Dataset, image_size: int | None) -> ImageSplits:
    """The dataset's splits, `ImageExamples`, prepared or from the cache.

    Args:
        dataset: of images.
        image_size: side in pixels that they are resized to; None: as they are.

    Raises:
        DataError: the splits do not fit together.
    """
    key = {
        "images": [REVISION, image_size],
        "dataset": [dataset.name, dataset.source, dataset.digest, dataset.params.model_dump(mode="json")],
        "torch": torch.__version__ if image_size is not None else None,
    }
    return ImageSplits(prepared(key, lambda: _prepare(dataset, image_size)))


def _prepare(dataset: Dataset, image_size: int | None) -> Arrays:
    splits: dict[str, ImageExamples] = {split: dataset.split(split) for split in SPLITS}
    _require_one_kind(dataset.name, splits)
    classes = splits["train"].classes
    names = getattr(splits["train"], "names", None) or classes
    arrays: dict[str, NDArray[Any]] = {"classes": np.array(classes), "names": np.array(names)}
    for split, examples in splits.items():
        # Read-only arrays (a mapped file, a buffer) would make tensors that torch warns of.
        images = np.require(examples.images, requirements=["C", "W"])
        if image_size is not None:
            if split == "test" and image_size > min(images.shape[2:]):
                arrays["test_originals"] = images
            images = resized(images, image_size)
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
