"""RandAugment in batches: some operations for each image, all of one strength (Cubuk et al. 2019, §3).

The operations are the paper's fourteen (identity, autocontrast, equalize, rotate, solarize, colour, posterize,
contrast, brightness, sharpness, shear and translate along x and y) and, as in the authors' code, invert; that code's
two others are no part: cutout is a step of its own, and solarize-add. Each is equally likely, and one image may get
the same one twice. Grey images have no colour to change.

Magnitude 30 is the largest strength of AutoAugment's ranges; 0 leaves an image as it is, but for the operations that
have no strength, and for solarize, which at 0 spares all but level 255. As in torchvision, the direction of a
strength is random where it has one.

An image's geometric operations are composed and the image is sampled once (bilinear, about its centre), after its
colour operations. Images of a batch that get the same colour operation are worked as one slice, whose length is known
on the host.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from dlbench.tasks import _colour
from dlbench.tasks._augment import Change

STRONGEST = 30

Pointwise = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Images (b, C, H, W) and factors (b,), 1 ± strength, of those that get the operation, in; images out."""

SHEAR = 0.3
TRANSLATE = 150 / 331
"""Of the image's extent."""
ROTATE_DEGREES = 30.0
FACTOR = 0.9
FEWEST_BITS = 4

COLOURS = (
    *("autocontrast", "equalize", "invert", "posterize", "solarize"),
    *("brightness", "contrast", "colour", "sharpness"),
)
GEOMETRY = ("shear_x", "shear_y", "translate_x", "translate_y", "rotate")
OPERATIONS = (*COLOURS, *GEOMETRY, "identity")


@dataclass(frozen=True)
class _Slot:
    """One colour operation for some images of a batch.

    Attributes:
        row_S: the images, those with the same operation side by side.
        factor_S: 1 ± strength.
        counts: how many get each of `COLOURS`.
    """

    row_S: torch.Tensor
    factor_S: torch.Tensor
    counts: list[int]


class RandAugment:
    """The step for one size of image.

    Args:
        operations: of each image.
        magnitude: their strength, 0 to 30.
        colour_C: uint8; what comes into the image from outside.
        height: of the images.
        width: of the images.
    """

    def __init__(self, operations: int, magnitude: int, colour_C: torch.Tensor, height: int, width: int) -> None:
        self.operations, self.colour_C = operations, colour_C
        self.height, self.width = height, width
        self.strength = magnitude / STRONGEST
        bits = 8 - round(self.strength * (8 - FEWEST_BITS))
        threshold = (_colour.LEVELS - 1) * (1 - self.strength)
        self._colours: tuple[Pointwise, ...] = (
            lambda image, _: _colour.autocontrast(image),
            lambda image, _: _colour.equalize(image),
            lambda image, _: _colour.invert(image),
            lambda image, _: _colour.posterize(image, bits),
            lambda image, _: _colour.solarize(image, threshold),
            _colour.brightness,
            _colour.contrast,
            _colour.colour,
            _colour.sharpness,
        )

    def epoch(self, rng: np.random.Generator, sizes: Sequence[int], device: torch.device) -> Iterator[Change]:
        """An operation and a direction for each image, as often as each image gets one."""
        shape = (self.operations, sum(sizes))
        chosen_ON = rng.integers(0, len(OPERATIONS), shape)
        signed_ON = rng.choice((-self.strength, self.strength), shape)
        slots = zip(*map(partial(_slots, sizes=sizes, device=device), chosen_ON, signed_ON), strict=True)
        warps = self._warps(chosen_ON, signed_ON, sizes, device)
        colour_C11 = self.colour_C.to(device)[:, None, None].float()
        for slot, (row_S, theta_S23) in zip(slots, warps, strict=True):
            yield partial(self._apply, slot, row_S, theta_S23, colour_C11)

    def _apply(
        self,
        slots: tuple[_Slot, ...],
        row_S: torch.Tensor,
        theta_S23: torch.Tensor,
        colour_C11: torch.Tensor,
        image_BCHW: torch.Tensor,
    ) -> torch.Tensor:
        for slot in slots:
            some_SCHW = image_BCHW.index_select(0, slot.row_S)
            pieces = zip(
                *(torch.split(whole, slot.counts) for whole in (some_SCHW, slot.factor_S)), self._colours, strict=True
            )
            for piece_sCHW, factor_s, operation in pieces:
                if len(piece_sCHW):
                    piece_sCHW.copy_(operation(piece_sCHW, factor_s))
            image_BCHW.index_copy_(0, slot.row_S, some_SCHW)
        if len(row_S):
            moved_SCHW = warp(image_BCHW.index_select(0, row_S), theta_S23, colour_C11)
            image_BCHW.index_copy_(0, row_S, moved_SCHW)
        return image_BCHW

    def _warps(
        self,
        chosen_ON: NDArray[np.int64],
        signed_ON: NDArray[np.float64],
        sizes: Sequence[int],
        device: torch.device,
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Which images of each batch are moved, and how: (S,) and (S, 2, 3)."""
        moved_N = np.isin(chosen_ON, [OPERATIONS.index(name) for name in GEOMETRY]).any(axis=0)
        composed_N33 = np.eye(3)
        for chosen_N, signed_N in zip(chosen_ON[:, moved_N], signed_ON[:, moved_N], strict=True):
            # A later operation says where in the image before it a pixel comes from.
            composed_N33 = composed_N33 @ self._matrices(chosen_N, signed_N)
        theta_N23 = np.broadcast_to(composed_N33, (moved_N.sum(), 3, 3))[:, :2].astype(np.float32)
        row_N, batch_N = _places(sizes)
        counts = np.bincount(batch_N[moved_N], minlength=len(sizes)).tolist()
        whole = (torch.from_numpy(array).to(device) for array in (row_N[moved_N], theta_N23))
        return zip(*(torch.split(tensor, counts) for tensor in whole), strict=True)

    def _matrices(self, chosen_N: NDArray[np.int64], signed_N: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where a pixel comes from, (N, 3, 3), in units of half the image's extent from its centre.

        An operation that is not geometric has the matrix of identity.
        """
        matrix_N33 = np.tile(np.eye(3), (len(chosen_N), 1, 1))
        aspect = self.height / self.width
        entries = {
            "shear_x": (0, 1, SHEAR * aspect),
            "shear_y": (1, 0, SHEAR / aspect),
            "translate_x": (0, 2, 2 * TRANSLATE),
            "translate_y": (1, 2, 2 * TRANSLATE),
        }
        for name, (row, column, most) in entries.items():
            which = chosen_N == OPERATIONS.index(name)
            matrix_N33[which, row, column] = most * signed_N[which]
        which = chosen_N == OPERATIONS.index("rotate")
        angle = np.deg2rad(ROTATE_DEGREES * signed_N[which])
        matrix_N33[which, 0, 0] = matrix_N33[which, 1, 1] = np.cos(angle)
        matrix_N33[which, 0, 1] = -np.sin(angle) * aspect
        matrix_N33[which, 1, 0] = np.sin(angle) / aspect
        return matrix_N33


def warp(image_BCHW: torch.Tensor, theta_B23: torch.Tensor, colour_C11: torch.Tensor) -> torch.Tensor:
    """Images whose pixels come from elsewhere, bilinear between four; uint8.

    Args:
        image_BCHW: uint8.
        theta_B23: affine map of a pixel's place to where it comes from, in units of half the image's extent from
            its centre.
        colour_C11: what lies outside.
    """
    centred = image_BCHW.float().sub_(colour_C11)  # what lies outside is 0 for `grid_sample`
    grid_BHW2 = _grid(theta_B23, *image_BCHW.shape[2:])
    moved = functional.grid_sample(centred, grid_BHW2, mode="bilinear", padding_mode="zeros", align_corners=False)
    return moved.add_(colour_C11).round_().to(torch.uint8)


def _grid(theta_B23: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Where each pixel comes from, (B, H, W, 2); `affine_grid` took twenty times as long."""
    y_H, x_W = ((2 * torch.arange(extent, device=theta_B23.device) + 1) / extent - 1 for extent in (height, width))
    from_column_B2W = theta_B23[:, :, 0, None] * x_W
    from_row_B2H = theta_B23[:, :, 1, None] * y_H + theta_B23[:, :, 2, None]
    return (from_row_B2H[..., None] + from_column_B2W[:, :, None]).permute(0, 2, 3, 1)


def _slots(
    chosen_N: NDArray[np.int64], signed_N: NDArray[np.float64], sizes: Sequence[int], device: torch.device
) -> Iterator[_Slot]:
    """For each batch, the images that get a colour operation, grouped by it."""
    row_N, batch_N = _places(sizes)
    some = np.flatnonzero(chosen_N < len(COLOURS))
    some = some[np.lexsort((chosen_N[some], batch_N[some]))]
    pairs = np.bincount(batch_N[some] * len(COLOURS) + chosen_N[some], minlength=len(sizes) * len(COLOURS))
    counts = pairs.reshape(len(sizes), len(COLOURS))
    of_batch = counts.sum(axis=1).tolist()
    factor_S = (1 + FACTOR * signed_N[some]).astype(np.float32)
    whole = (torch.from_numpy(array).to(device) for array in (row_N[some], factor_S))
    return map(_Slot, *(torch.split(tensor, of_batch) for tensor in whole), counts.tolist())


def _places(sizes: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row within its batch, and number of the batch, of each example of an epoch."""
    batch_N = np.repeat(np.arange(len(sizes)), sizes)
    first = np.cumsum(sizes) - np.asarray(sizes)
    return np.arange(len(batch_N)) - first[batch_N], batch_N
