"""RandAugment in batches: some operations for each image, all of one strength (Cubuk et al. 2019, §3).

The operations are the paper's fourteen (identity, autocontrast, equalize, rotate, solarize, colour, posterize,
contrast, brightness, sharpness, shear and translate along x and y) and invert, which the authors' code adds. Of that
code's two other additions, solarize-add does not exist here and cutout is a step of its own. Every operation is
equally likely, and an image may get one twice. Grey images have no colour to change.

Magnitude 30 is the end of AutoAugment's ranges, as in torchvision, and a strength that has a direction gets a random
one. Magnitude 0 leaves images as they are, but for operations without strength, and for solarize, which inverts level
255 even then.

The geometric operations of an image are composed and it is sampled once (bilinear, about its centre), after its
colour operations. Images of a batch that get the same operation stand side by side while it is applied, and how many
they are is known on the host.
"""

import math
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

Operation = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""The images (b, C, H, W) that get the operation, and what it is told of each, (b, …), in; images out."""

# The ends of AutoAugment's ranges (Cubuk et al. 2018, appendix), whose images are 331 pixels wide.
SHEAR = 0.3
TRANSLATE = 150 / 331
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
class _Stage:
    """Operations on the images of one batch, each image at most one.

    Attributes:
        operations: for each kind of image what is done to it; nothing to the kind that is left over.
        order_B: the images by kind.
        back_B: the reverse of that order.
        counts: how many there are of each kind, the one that is left over included.
        given_B: what operations are told of each image, by kind.
    """

    operations: Sequence[Operation]
    order_B: torch.Tensor
    back_B: torch.Tensor
    counts: list[int]
    given_B: torch.Tensor


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
        threshold = math.ceil((_colour.LEVELS - 1) * (1 - self.strength))
        # Those that have a direction are told 1 ± strength.
        self._colours: tuple[Operation, ...] = (
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
        theta_N23 = np.tile(np.eye(3), (sum(sizes), 1, 1))
        for chosen_N, signed_N in zip(chosen_ON, signed_ON, strict=True):
            # A later operation says where in the image before it a pixel comes from.
            theta_N23 = theta_N23 @ self._matrices(chosen_N, signed_N)
        moved_N = np.isin(chosen_ON, [OPERATIONS.index(name) for name in GEOMETRY]).any(axis=0)
        warping = partial(warp, colour_C11=self.colour_C.to(device)[:, None, None].float())
        stages = [
            _stages(self._colours, chosen_N, 1 + FACTOR * signed_N, sizes, device)
            for chosen_N, signed_N in zip(chosen_ON, signed_ON, strict=True)
        ]
        stages.append(_stages((warping,), np.where(moved_N, 0, 1), theta_N23[:, :2], sizes, device))
        for of_batch in zip(*stages, strict=True):
            yield partial(_apply, of_batch)

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
    return _colour.as_levels(moved.add_(colour_C11))


def _grid(theta_B23: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Where each pixel comes from, (B, H, W, 2); `affine_grid` took twenty times as long."""
    y_H, x_W = ((2 * torch.arange(extent, device=theta_B23.device) + 1) / extent - 1 for extent in (height, width))
    from_column_B2W = theta_B23[:, :, 0, None] * x_W
    from_row_B2H = theta_B23[:, :, 1, None] * y_H + theta_B23[:, :, 2, None]
    return (from_row_B2H[..., None] + from_column_B2W[:, :, None]).permute(0, 2, 3, 1)


def _stages(
    operations: Sequence[Operation],
    kind_N: NDArray[np.int64],
    given_N: NDArray[np.float64],
    sizes: Sequence[int],
    device: torch.device,
) -> Iterator[_Stage]:
    """For each batch, its images in the order of their kinds; a kind that has no operation is left over."""
    kinds = len(operations) + 1
    kind_N = np.minimum(kind_N, kinds - 1)
    batch_N = np.repeat(np.arange(len(sizes)), sizes)
    first_N = (np.cumsum(sizes) - np.asarray(sizes))[batch_N]
    by_kind_N = np.lexsort((kind_N, batch_N))
    back_N = np.argsort(by_kind_N)
    counts = np.bincount(batch_N * kinds + kind_N, minlength=len(sizes) * kinds).reshape(len(sizes), kinds)
    columns = (by_kind_N - first_N, back_N - first_N, given_N[by_kind_N].astype(np.float32))
    order, back, given = (torch.split(torch.from_numpy(column).to(device), list(sizes)) for column in columns)
    return map(partial(_Stage, operations), order, back, counts.tolist(), given)


def _apply(stages: Sequence[_Stage], image_BCHW: torch.Tensor) -> torch.Tensor:
    """Two copies of the whole batch for each stage, which is faster than to put some images back in their places."""
    for stage in stages:
        image_BCHW = image_BCHW.index_select(0, stage.order_B)
        pieces = (torch.split(whole, stage.counts) for whole in (image_BCHW, stage.given_B))
        for piece, given, operation in zip(*pieces, stage.operations, strict=False):
            if len(piece):
                piece.copy_(operation(piece, given))
        image_BCHW = image_BCHW.index_select(0, stage.back_B)
    return image_BCHW
