"""What a task shows of an example, as a file keeps it: its text, or its picture as a small PNG file."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from dlbench.contracts.batches import Shown
from dlbench.worker.png import png

LARGEST = 64
"""Longest side in pixels of a picture that is kept: larger ones are made smaller, so that the file stays small."""


def parts(shown: Shown) -> tuple[str | None, bytes | None]:
    """Text and picture; one of them is None."""
    return (shown, None) if isinstance(shown, str) else (None, png(_small(shown)))


def _small(picture_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture as it is, or, if it is large, as means over areas; its shape is kept."""
    height, width = picture_HWC.shape[:2]
    scale = LARGEST / max(height, width)
    if scale >= 1:
        return picture_HWC
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    picture_CHW = torch.from_numpy(picture_HWC).permute(2, 0, 1).float()
    return functional.adaptive_avg_pool2d(picture_CHW, size).round().byte().permute(1, 2, 0).numpy()
