"""Images in memory on one device as uint8, and their batches as normalised floats. Knows no task.

Shapes: N images of a split, B of a batch, C channels, H height, W width.
"""

from collections.abc import Iterator, Sequence
from itertools import repeat

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from dlbench.contracts.batches import Batch, Part
from dlbench.tasks._augment import Mixup, Step
from dlbench.tasks._parts import part_rows

CHUNK = 4096
"""Images that are resized at once; the intermediate is larger than they."""

LEVELS = 256


class ResidentImages:
    """Images of one split with their classes.

    Args:
        images: uint8, (N, C, H, W).
        target: class index, (N,).
    """

    def __init__(self, images: NDArray[np.uint8], target: NDArray[np.int64]) -> None:
        self._images = torch.from_numpy(images)
        self.target = torch.from_numpy(target)

    def __len__(self) -> int:
        return len(self.target)

    @property
    def shape(self) -> tuple[int, int, int]:
        """C, H and W of every image."""
        channels, height, width = self._images.shape[1:]
        return channels, height, width

    def picture(self, row: int) -> NDArray[np.uint8]:
        """The image of that row, (H, W, C)."""
        return self._images[row].permute(1, 2, 0).cpu().numpy()

    def to(self, device: torch.device) -> None:
        """Move images and classes to the device."""
        self._images = self._images.to(device)
        self.target = self.target.to(device)

    def batches(
        self,
        batch_size: int,
        generator: torch.Generator | None,
        steps: Sequence[Step],
        mixup: Mixup | None = None,
        part: Part | None = None,
    ) -> Iterator[Batch]:
        """`image` (B, C, H, W) float32, `target` (B,) int64 or, mixed, (B, classes) float32, `index` (B,).

        Args:
            batch_size: B; the last batch is smaller when it does not divide N.
            generator: draws the order of the examples, and then, once an epoch, a seed of which all augmentation
                comes: the order is the same with and without it. Without one the order is that of the split.
            steps: what is done to the uint8 images, one step after another; one of them makes them floats.
            mixup: the last step, which changes classes too.
            part: of the split, whose examples alone are served; None: all.
        """
        device = self.target.device
        rows = None if part is None else torch.from_numpy(part_rows(len(self), part))
        count = len(self) if rows is None else len(rows)
        order_N = torch.arange(count) if generator is None else torch.randperm(count, generator=generator)
        if rows is not None:
            order_N = rows[order_N]
        seed = 0 if generator is None else int(torch.randint(2**63 - 1, (), generator=generator))
        rng = np.random.default_rng(seed)
        index_N = order_N.to(device)
        target_N = self.target.index_select(0, index_N)
        indices, targets = torch.split(index_N, batch_size), torch.split(target_N, batch_size)
        sizes = [len(index_B) for index_B in indices]
        changes = zip(*(step.epoch(rng, sizes, device) for step in steps), strict=True)
        mixes = repeat(None) if mixup is None else mixup.epoch(rng, sizes, device)
        for index_B, target_B, change, mix in zip(indices, targets, changes, mixes, strict=False):
            image = self._images.index_select(0, index_B)
            for apply in change:
                image = apply(image)
            target = target_B
            if mix is not None:
                image, target = mix(image, target_B)
            yield {"image": image, "target": target, "index": index_B}


def statistics(images: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each channel, (C,), in levels 0 to 255; exact, from counts of the levels."""
    channels = range(images.shape[1])
    count_CL = np.stack([_levels(images[:, channel]) for channel in channels])
    share_CL = count_CL / count_CL.sum(axis=1, keepdims=True)
    level_L = np.arange(LEVELS)
    mean_C = share_CL @ level_L
    return mean_C, np.sqrt((share_CL * (level_L - mean_C[:, None]) ** 2).sum(axis=1))


def _levels(plane_NHW: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How often each level occurs."""
    counts = np.zeros(LEVELS, np.int64)
    for chunk in np.array_split(plane_NHW, -(-len(plane_NHW) // CHUNK)):  # counting makes 8 bytes of each
        counts += np.bincount(chunk.ravel(), minlength=LEVELS)
    return counts


def resized(images: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Squares of a side, (N, C, side, side): bilinear, over a wider area where images shrink (antialiased)."""
    chunks = torch.split(torch.from_numpy(images), CHUNK)
    squares = [
        functional.interpolate(chunk, size=(side, side), mode="bilinear", antialias=True, align_corners=False)
        for chunk in chunks
    ]
    return torch.cat(squares).contiguous().numpy()
