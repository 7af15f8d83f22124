"""RandAugment: each image gets its own operations in order, and nobody else's."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from dlbench.tasks import _colour
from dlbench.tasks._rand_augment import COLOURS, GEOMETRY, OPERATIONS, RandAugment, warp

CPU = torch.device("cpu")
SIZES = [40, 40, 7]
GREY = torch.tensor([100, 110, 120], dtype=torch.uint8)


def pictures(count: int = sum(SIZES), height: int = 16, width: int = 12) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randint(0, 256, (count, 3, height // 4, width // 4), generator=generator).double()
    return torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear").round().to(torch.uint8)


def through(step: RandAugment, whole: torch.Tensor, seed: int = 1) -> torch.Tensor:
    changes = step.epoch(np.random.default_rng(seed), SIZES, CPU)
    pieces = whole.clone().split(SIZES)
    return torch.cat([change(piece) for change, piece in zip(changes, pieces, strict=True)])


def one_by_one(step: RandAugment, image: torch.Tensor, names: list[str], signed: list[float]) -> torch.Tensor:
    """The operations of one image, written a second time: colours in turn, then one composed map of places."""
    batch = image[None]
    theta = torch.eye(3, dtype=torch.float64)
    height, width = image.shape[1:]
    for name, strength in zip(names, signed, strict=True):
        factor = torch.tensor([1 + 0.9 * strength])
        if name in ("autocontrast", "equalize", "invert"):
            batch = getattr(_colour, name)(batch)
        elif name == "posterize":
            batch = _colour.posterize(batch, 8 - round(4 * abs(strength)))
        elif name == "solarize":
            batch = _colour.solarize(batch, math.ceil(255 * (1 - abs(strength))))
        elif name in COLOURS:
            batch = getattr(_colour, name)(batch, factor)
        else:
            angle = torch.deg2rad(torch.tensor(30 * strength, dtype=torch.float64))
            pixels = torch.eye(3, dtype=torch.float64)  # where a pixel comes from, in pixels from the centre
            if name == "shear_x":
                pixels[0, 1] = 0.3 * strength
            elif name == "shear_y":
                pixels[1, 0] = 0.3 * strength
            elif name == "translate_x":
                pixels[0, 2] = 150 / 331 * width * strength
            elif name == "translate_y":
                pixels[1, 2] = 150 / 331 * height * strength
            elif name == "rotate":
                pixels[:2, :2] = torch.tensor([[angle.cos(), -angle.sin()], [angle.sin(), angle.cos()]])
            theta = theta @ pixels
    half = torch.diag(torch.tensor([width / 2, height / 2, 1], dtype=torch.float64))
    return warp(batch, (half.inverse() @ theta @ half)[None, :2].float(), GREY[:, None, None].float())[0]


@pytest.mark.parametrize("operations", [1, 2, 3])
@pytest.mark.parametrize("magnitude", [0, 9, 30])
def test_an_epoch_is_every_image_with_its_own_operations(operations: int, magnitude: int) -> None:
    whole = pictures()
    step = RandAugment(operations, magnitude, GREY, 16, 12)
    after = through(step, whole)
    rng = np.random.default_rng(1)
    chosen = rng.integers(0, len(OPERATIONS), (operations, len(whole)))
    signed = rng.choice((-magnitude / 30, magnitude / 30), chosen.shape)
    for row in range(len(whole)):
        names = [OPERATIONS[number] for number in chosen[:, row]]
        expected = one_by_one(step, whole[row], names, signed[:, row].tolist())
        difference = (after[row].int() - expected.int()).abs().max()
        assert difference <= 1, (row, names)  # sampling rounds differently in batches of different size


def test_the_operations_are_those_of_the_paper_and_invert() -> None:
    paper = "identity autocontrast equalize rotate solarize colour posterize contrast brightness sharpness shear_x"
    assert set(OPERATIONS) == {*paper.split(), "shear_y", "translate_x", "translate_y", "invert"}
    assert len(OPERATIONS) == 15 == len(COLOURS) + len(GEOMETRY) + 1


def test_moving_by_nothing_changes_nothing() -> None:
    whole = pictures()
    stay = torch.eye(2, 3).expand(len(whole), 2, 3)
    assert torch.equal(warp(whole, stay, GREY[:, None, None].float()), whole)


def test_a_move_by_whole_pixels_is_exact_and_the_colour_comes_in() -> None:
    whole = pictures()
    theta = torch.eye(2, 3)
    theta[0, 2] = 2 * 3 / 12  # from three pixels to the right
    moved = warp(whole, theta.expand(len(whole), 2, 3), GREY[:, None, None].float())
    assert torch.equal(moved[:, :, :, :-3], whole[:, :, :, 3:])
    assert (moved[:, :, :, -3:] == GREY[:, None, None]).all()


def test_rotation_keeps_its_shape_where_images_are_not_square() -> None:
    step = RandAugment(1, 30, GREY, 16, 12)
    chosen, signed = np.array([OPERATIONS.index("rotate")]), np.array([1.0])
    theta = torch.from_numpy(step._matrices(chosen, signed)[:, :2]).float()
    (image,) = pictures(1)
    after = warp(image[None], theta, GREY[:, None, None].float())[0]
    picture = Image.fromarray(image.permute(1, 2, 0).numpy())
    turned = picture.rotate(30, Image.Resampling.BILINEAR)
    expected = torch.from_numpy(np.array(turned)).permute(2, 0, 1)
    other = torch.from_numpy(np.array(picture.rotate(-30, Image.Resampling.BILINEAR))).permute(2, 0, 1)
    inner = (slice(None), slice(5, -5), slice(4, -4))
    assert min((after[inner].int() - e[inner].int()).abs().max() for e in (expected, other)) <= 2


def test_grey_images_have_no_colour_to_lose() -> None:
    whole = pictures()[:, :1]
    after = through(RandAugment(2, 15, GREY[:1], 16, 12), whole)
    assert after.shape == whole.shape
    assert after.dtype == torch.uint8
