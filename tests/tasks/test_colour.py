"""Colour operations against Pillow, image by image."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from dlbench.tasks import _colour

Operation = Callable[[torch.Tensor], torch.Tensor]
Reference = Callable[[Image.Image], Image.Image]


def images(channels: int) -> torch.Tensor:
    """Noise of several contrasts, ramps, one with few levels, one flat, one of black and white."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (3, channels, 21, 17), generator=generator).double()
    made = [noise[0], noise[1] / 4 + 60, noise[2] ** 2 / 255]
    made.append(torch.linspace(0, 255, 17).expand(channels, 21, 17).double())
    made.append((noise[1] // 64) * 40)
    made.append(torch.full((channels, 21, 17), 90.0, dtype=torch.float64))
    made.append((noise[2] > 200) * 255.0)
    return torch.stack(made).to(torch.uint8)


def enhanced(kind: type, factor: float) -> Reference:
    return lambda image: kind(image).enhance(factor)


FACTORS = (0.1, 0.5, 1.0, 1.45, 1.9)
CASES: list[tuple[str, Operation, Reference, int]] = [
    ("autocontrast", _colour.autocontrast, ImageOps.autocontrast, 1),
    ("equalize", _colour.equalize, ImageOps.equalize, 0),
    ("invert", _colour.invert, ImageOps.invert, 0),
]
for bits in (1, 4, 7, 8):
    CASES.append(
        (f"posterize {bits}", lambda x, b=bits: _colour.posterize(x, b), lambda i, b=bits: ImageOps.posterize(i, b), 0)
    )
for level in (0, 100, 179, 255):
    CASES.append(
        (f"solarize {level}", lambda x, t=level: _colour.solarize(x, t), lambda i, t=level: ImageOps.solarize(i, t), 0)
    )
for factor in FACTORS:
    for name, kind in (
        ("brightness", ImageEnhance.Brightness),
        ("contrast", ImageEnhance.Contrast),
        ("colour", ImageEnhance.Color),
        ("sharpness", ImageEnhance.Sharpness),
    ):
        operation = getattr(_colour, name)
        CASES.append(
            (
                f"{name} {factor}",
                lambda x, o=operation, f=factor: o(x, torch.full((len(x),), f)),
                enhanced(kind, factor),
                2,
            )
        )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("operation", "reference", "levels"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_operations_are_those_of_pillow(operation: Operation, reference: Reference, levels: int, channels: int) -> None:
    whole = images(channels)
    before = whole.clone()
    after = operation(whole)
    assert torch.equal(whole, before)
    assert after.dtype == torch.uint8
    for one, other in zip(whole, after, strict=True):
        picture = Image.fromarray(one[0].numpy() if channels == 1 else one.permute(1, 2, 0).numpy())
        expected = np.asarray(reference(picture)).reshape(21, 17, channels).transpose(2, 0, 1)
        assert np.abs(expected.astype(int) - other.numpy().astype(int)).max() <= levels


@pytest.mark.parametrize("name", ["brightness", "contrast", "colour", "sharpness"])
def test_factor_one_changes_nothing_and_every_image_has_its_own(name: str) -> None:
    whole = images(3)
    operation = getattr(_colour, name)
    assert torch.equal(operation(whole, torch.ones(len(whole))), whole)
    factors = torch.linspace(0.1, 1.9, len(whole))
    together = operation(whole, factors)
    for row, factor in enumerate(factors):
        assert torch.equal(together[row : row + 1], operation(whole[row : row + 1], factor[None]))


def test_images_of_one_or_two_pixels_go_through() -> None:
    for size in ((1, 1), (2, 5)):
        tiny = images(3)[:, :, : size[0], : size[1]]
        for name in ("autocontrast", "equalize"):
            assert getattr(_colour, name)(tiny).shape == tiny.shape
        assert torch.equal(_colour.sharpness(tiny, torch.full((len(tiny),), 1.9)), tiny)
