"""The four files in which MNIST and its drop-in replacements are published, read into splits.

The 60,000 training images lose 5,000, drawn by a fixed permutation, to the validation split; the 10,000 test images
are the test split.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlbench.datasets._cuts import cuts
from dlbench.datasets._gzip import damaged, stamp
from dlbench.datasets._idx import read_idx
from dlbench.datasets._images import Images
from dlbench.schema.data import DataFile

NAMES = tuple(f"{prefix}-{kind}-ubyte.gz" for prefix in ("train", "t10k") for kind in ("images-idx3", "labels-idx1"))
TRAIN, VALIDATION, TEST = 55_000, 5_000, 10_000
SIZE_PX = 28


def published(folder: str, base: str, digests: Sequence[tuple[str, str, int]]) -> tuple[DataFile, ...]:
    """The four files of a dataset.

    Args:
        folder: the dataset's.
        base: official address of the folder, with its last slash.
        digests: SHA-256, MD5 and bytes of training images, training labels, test images, test labels.
    """
    return tuple(
        DataFile(folder=folder, name=name, url=base + name, sha256=sha256, md5=md5, size=size)
        for name, (sha256, md5, size) in zip(NAMES, digests, strict=True)
    )


def read(
    split: str, root: Path, classes: tuple[str, ...], dataset: str, names: tuple[str, ...] | None = None
) -> Images:
    """Images (N, 1, 28, 28) and labels of a split.

    Args:
        split: `train`, `val` or `test`.
        root: folder of the four files.
        classes: names of the ten classes.
        dataset: name, for messages.
        names: what the classes are called, where `classes` are not words.

    Raises:
        DataError: a file is damaged, or not the one that its name says.
    """
    if split == "test":
        images, labels = _read_pair(root, "t10k", TEST, classes, dataset)
        return Images(images, labels, classes, names)
    stamps = tuple(stamp(path) for path in _paths(root, "train"))
    return _training(root, stamps, classes, dataset, names)[split]


# Train and validation come from the same files, which take longer to expand than all else.
@lru_cache(maxsize=1)
def _training(
    root: Path, stamps: object, classes: tuple[str, ...], dataset: str, names: tuple[str, ...] | None
) -> dict[str, Images]:
    images, labels = _read_pair(root, "train", TRAIN + VALIDATION, classes, dataset)
    val, train = cuts(len(images), VALIDATION, TRAIN)
    cut = {"train": train, "val": val}
    return {split: Images(images[rows], labels[rows], classes, names) for split, rows in cut.items()}


def _paths(root: Path, prefix: str) -> tuple[Path, Path]:
    return root / f"{prefix}-images-idx3-ubyte.gz", root / f"{prefix}-labels-idx1-ubyte.gz"


def _read_pair(
    root: Path, prefix: str, count: int, classes: tuple[str, ...], dataset: str
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    images_path, labels_path = _paths(root, prefix)
    images = read_idx(images_path, (count, SIZE_PX, SIZE_PX), dataset)
    labels = read_idx(labels_path, (count,), dataset)
    if labels.max() >= len(classes):
        row = int(np.argmax(labels >= len(classes)))
        raise damaged(labels_path, f"label {row:,} is {labels[row]}, which is none of 0 to {len(classes) - 1}", dataset)
    return images[:, None], labels.astype(np.int64)
