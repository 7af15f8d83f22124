"""Augmentation of whole batches: pad-crop, flip, erased squares and rectangles, mixup. Knows no dataset and no label.

Everything random in an epoch is drawn on the CPU before its first batch and moved to the device at once: a seed means
the same augmentation on every device, and nothing in a step waits for the device. What differs between batches in
number (how many are flipped) is known on the host, so that no mask has to be searched on the device.

Shapes: N examples of an epoch, B of a batch, C channels, H height, W width.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

Change = Callable[[torch.Tensor], torch.Tensor]
"""Images of one batch (B, C, H, W) in, which it may overwrite; images of the same size out."""

Mix = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
"""Images and class indices (B,) of one batch in; images and shares of the classes out."""


class Step(Protocol):
    """One thing that is done to every batch of an epoch."""

    def epoch(self, rng: np.random.Generator, sizes: Sequence[int], device: torch.device) -> Iterator[Change]:
        """What is done to each batch, in turn.

        Args:
            rng: draws all that is random.
            sizes: number of images in each batch; their sum is N.
            device: where the batches will be.
        """


class Normalize:
    """uint8 to float32 of mean 0 and standard deviation 1, by channel.

    Args:
        mean_C: mean of the channels, in levels 0 to 255.
        std_C: their standard deviation; 0 stands for a channel that never changes, which becomes 0.
    """

    def __init__(self, mean_C: torch.Tensor, std_C: torch.Tensor) -> None:
        scale_C = torch.where(std_C > 0, 1 / std_C, 1.0)
        self._scale_C11 = scale_C.float()[:, None, None]
        self._shift_C11 = (-mean_C * scale_C).float()[:, None, None]

    def epoch(self, rng: np.random.Generator, sizes: Sequence[int], device: torch.device) -> Iterator[Change]:
        """The same for every batch."""
        scale_C11, shift_C11 = self._scale_C11.to(device), self._shift_C11.to(device)
        for _ in sizes:
            # Two passes in place were faster than addcmul and than a multiplication that converts.
            yield lambda image_BCHW: image_BCHW.float().mul_(scale_C11).add_(shift_C11)


class Crop:
    """A window of the image's size out of the padded image, each place equally likely (He et al. 2015, §4.2).

    Args:
        padding: pixels on every side.
        colour_C: uint8, what they are filled with.
        height: of the images.
        width: of the images.
    """

    def __init__(self, padding: int, colour_C: torch.Tensor, height: int, width: int) -> None:
        self.padding, self.colour_C = padding, colour_C
        self.height, self.width = height, width

    def epoch(self, rng: np.random.Generator, sizes: Sequence[int], device: torch.device) -> Iterator[Change]:
        """Places of the windows (N, 2), rows down and columns right. The padding is laid once, for all batches."""
        side, height, width = self.padding, self.height, self.width
        tall, wide = height + 2 * side, width + 2 * side
        place_N2 = rng.integers(0, 2 * side + 1, (sum(sizes), 2))
        start_N = torch.from_numpy(place_N2 @ (wide, 1)).to(device)
        colour_C11 = self.colour_C.to(device)[:, None, None]
        padded_BCPQ = colour_C11.expand(max(sizes), len(colour_C11), tall, wide).contiguous()
        inside_BCHW = padded_BCPQ[:, :, side : side + height, side : side + width]
        stretches = padded_BCPQ.as_strided((padded_BCPQ.numel() - width + 1, width), (1, 1))
        plane_BC1 = torch.arange(0, padded_BCPQ.numel(), tall * wide, device=device).view(*padded_BCPQ.shape[:2], 1)
        row_BCH = plane_BC1 + wide * torch.arange(height, device=device)
        for start_B in torch.split(start_N, list(sizes)):
            yield partial(_window, inside_BCHW, stretches, row_BCH, start_B)


def _window(
    inside_BCHW: torch.Tensor,
    stretches: torch.Tensor,
    row_BCH: torch.Tensor,
    start_B: torch.Tensor,
    image_BCHW: torch.Tensor,
) -> torch.Tensor:
    """Windows of padded images, row by row.

    Every row is copied whole, which was eight times as fast as an index for each pixel.

    Args:
        inside_BCHW: where the padded images are not padding.
        stretches: for each pixel of the padded batch, it and those that follow it, as many as a row has.
        row_BCH: the pixel with which each row of the padded images begins, were there no padding above.
        start_B: how many pixels further the window begins.
        image_BCHW: what is padded; the batch may be smaller.
    """
    batch = len(image_BCHW)
    inside_BCHW[:batch].copy_(image_BCHW)
    first_BCH = row_BCH[:batch] + start_B[:, None, None]
    return stretches.index_select(0, first_BCH.view(-1)).view(image_BCHW.shape)


class Flip:
    """Left for right, each image with probability 1/2."""

    def epoch(self, rng: np.random.Generator, sizes: Sequence[int], device: torch.device) -> Iterator[Change]:
        """How many images of each batch; they are its first ones, which is as random as the order of the examples."""
        for count in rng.binomial(sizes, 0.5).tolist():
            yield partial(_flip_first, count)


def _flip_first(count: int, image_BCHW: torch.Tensor) -> torch.Tensor:
    image_BCHW[:count] = image_BCHW[:count].flip(3)
    return image_BCHW


class Erase:
    """A rectangle of 0 in every normalised image, which is the mean colour.

    Args:
        height: of the images.
        width: of the images.
        boxes: draws so many boxes: top, left, bottom, right, (N, 4); the last two are outside. A box may reach
            beyond the image and may be empty.
    """

    def __init__(self, height: int, width: int, boxes: Callable[[np.random.Generator, int], NDArray[np.int64]]) -> None:
        self.height, self.width, self.boxes = height, width, boxes

    def epoch(self, rng: np.random.Generator, sizes: Sequence[int], device: torch.device) -> Iterator[Change]:
        """Which rows and columns of each image lie outside its box, (N, H) and (N, W)."""
        box_4N = torch.from_numpy(self.boxes(rng, sum(sizes))).to(device).T
        top_N1, left_N1, bottom_N1, right_N1 = box_4N[:, :, None]
        row_H = torch.arange(self.height, device=device)
        column_W = torch.arange(self.width, device=device)
        above_or_below_NH = (row_H < top_N1) | (row_H >= bottom_N1)
        beside_NW = (column_W < left_N1) | (column_W >= right_N1)
        pieces = (torch.split(outside, list(sizes)) for outside in (above_or_below_NH, beside_NW))
        for rows_BH, columns_BW in zip(*pieces, strict=True):
            yield partial(_keep, rows_BH, columns_BW)


def _keep(rows_BH: torch.Tensor, columns_BW: torch.Tensor, image_BCHW: torch.Tensor) -> torch.Tensor:
    """Zero what is in none of the rows and columns; a product with floats was ten times as fast as a mask."""
    keep_BHW = torch.maximum(rows_BH.float()[:, :, None], columns_BW.float()[:, None, :])
    return image_BCHW.mul_(keep_BHW[:, None])


def cutout(side: int, height: int, width: int) -> Erase:
    """A square centred on a random pixel, so that a part may lie outside the image (DeVries & Taylor 2017, §3.2)."""

    def boxes(rng: np.random.Generator, count: int) -> NDArray[np.int64]:
        corner_N2 = rng.integers(0, (height, width), (count, 2)) - side // 2
        return np.concatenate([corner_N2, corner_N2 + side], axis=1)

    return Erase(height, width, boxes)


ERASED_SHARE = (0.02, 0.4)
"""Of the image's area, as in all of the paper's experiments."""

ERASED_RATIO = (0.3, 1 / 0.3)
"""Height over width, uniform, as in all of the paper's experiments."""


def random_erasing(probability: float, height: int, width: int) -> Erase:
    """A rectangle of random area and shape in some of the images (Zhong et al. 2017, algorithm 1).

    The paper fills it with random values or with the mean colour; this is the latter.
    """

    def boxes(rng: np.random.Generator, count: int) -> NDArray[np.int64]:
        box_N4 = np.zeros((count, 4), np.int64)
        missing = np.flatnonzero(rng.random(count) < probability)
        while len(missing):  # the paper draws again until the rectangle lies inside
            area = rng.uniform(*ERASED_SHARE, len(missing)) * height * width
            ratio = rng.uniform(*ERASED_RATIO, len(missing))
            extent_N2 = np.sqrt([area * ratio, area / ratio]).T.round().astype(np.int64).clip(1)
            corner_N2 = rng.integers(0, (height, width), (len(missing), 2))
            box_N4[missing] = np.concatenate([corner_N2, corner_N2 + extent_N2], axis=1)
            missing = missing[(box_N4[missing, 2:] > (height, width)).any(axis=1)]
        return box_N4

    return Erase(height, width, boxes)


class Mixup:
    """λ of every image and 1 - λ of another of its batch, and of their classes (Zhang et al. 2017, §2).

    As in the authors' code, λ ~ Beta(α, α) is drawn once for a batch.

    Args:
        alpha: α; near 0 images stay nearly as they are, 1 makes every share equally likely.
        classes: number of classes.
    """

    def __init__(self, alpha: float, classes: int) -> None:
        self.alpha, self.classes = alpha, classes

    def epoch(self, rng: np.random.Generator, sizes: Sequence[int], device: torch.device) -> Iterator[Mix]:
        """λ of each batch, and the partner of each image, a permutation of the batch."""
        shares = rng.beta(self.alpha, self.alpha, len(sizes)).tolist()
        partner_N = torch.from_numpy(np.concatenate([rng.permutation(size) for size in sizes])).to(device)
        class_C = torch.arange(self.classes, device=device)
        for share, partner_B in zip(shares, torch.split(partner_N, list(sizes)), strict=True):
            yield partial(_mix, share, partner_B, class_C)


def _mix(
    share: float, partner_B: torch.Tensor, class_C: torch.Tensor, image_BCHW: torch.Tensor, target_B: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    target_BC = (target_B[:, None] == class_C).float()
    mixed = [whole.lerp(whole.index_select(0, partner_B), 1 - share) for whole in (image_BCHW, target_BC)]
    return mixed[0], mixed[1]
