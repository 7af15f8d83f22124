"""The form in which image datasets hand over a split; knows no tensor and no file."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Images:
    """Labelled images of one split, all of one size.

    Attributes:
        images: (N, channels, height, width) uint8; 1 channel is grey, 3 are red, green and blue.
        labels: index into `classes`, (N,) int64.
        classes: names of the classes, the same for every split.
        names: what the classes are called in words, in the same order; None: `classes` are words.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.dtype != np.uint8 or self.images.shape[1] not in (1, 3):
            raise ValueError(
                f"images are (N, 1 or 3, height, width) uint8, not {self.images.shape} {self.images.dtype}"
            )
        if len(self.images) != len(self.labels):
            raise ValueError(f"{len(self.images)} images have {len(self.labels)} labels")
        if len(self.labels) and not 0 <= self.labels.min() <= self.labels.max() < len(self.classes):
            raise ValueError(
                f"labels {self.labels.min()}..{self.labels.max()} do not index {len(self.classes)} classes"
            )
        if self.names is not None and len(self.names) != len(self.classes):
            raise ValueError(f"{len(self.classes)} classes have {len(self.names)} names")
