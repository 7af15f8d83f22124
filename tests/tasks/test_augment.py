"""Augmentation against plain loops over single images, with the same draws."""

import numpy as np
import pytest
import torch

from dlbench.tasks._augment import ERASED_SHARE, Crop, Flip, Mixup, Normalize, Step, cutout, random_erasing

CPU = torch.device("cpu")
SIZES = [16, 16, 5]
COLOUR = torch.tensor([10, 20, 30], dtype=torch.uint8)


def images(count: int = sum(SIZES), channels: int = 3, height: int = 12, width: int = 9) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, channels, height, width), dtype=torch.uint8, generator=generator)


def through(step: Step, whole: torch.Tensor, seed: int = 3) -> torch.Tensor:
    """A step over all batches of an epoch."""
    changes = step.epoch(np.random.default_rng(seed), SIZES, CPU)
    pieces = whole.clone().split(SIZES)
    return torch.cat([change(piece) for change, piece in zip(changes, pieces, strict=True)])


@pytest.mark.parametrize("padding", [1, 4, 20])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_crop_is_a_window_of_the_padded_image(padding: int, channels: int) -> None:
    whole, colour = images(channels=channels), COLOUR[:channels]
    cropped = through(Crop(padding, colour, 12, 9), whole)
    places = np.random.default_rng(3).integers(0, 2 * padding + 1, (len(whole), 2))
    for image, window, (down, right) in zip(whole, cropped, places, strict=True):
        padded = colour[:, None, None].repeat(1, 12 + 2 * padding, 9 + 2 * padding)
        padded[:, padding : padding + 12, padding : padding + 9] = image
        assert torch.equal(window, padded[:, down : down + 12, right : right + 9])


def test_every_place_of_a_crop_is_as_likely() -> None:
    marked = torch.zeros(sum(SIZES), 1, 3, 3, dtype=torch.uint8)
    marked[:, 0, 1, 1] = 1
    step = Crop(1, COLOUR[:1] * 0, 3, 3)
    seen = sum(through(step, marked, seed).sum(0) for seed in range(100))[0].double()
    torch.testing.assert_close(seen / seen.sum(), torch.full((3, 3), 1 / 9, dtype=torch.float64), atol=0.02, rtol=0)


def test_half_of_the_images_are_mirrored_and_no_other_pixel_changes() -> None:
    whole = images()
    counts = np.random.default_rng(3).binomial(SIZES, 0.5)
    flipped = through(Flip(), whole)
    pieces = zip(counts, whole.split(SIZES), flipped.split(SIZES), strict=True)
    for count, before, after in pieces:
        for row, (one, other) in enumerate(zip(before, after, strict=True)):
            assert torch.equal(other, torch.flip(one, [2]) if row < count else one)
    drawn = np.concatenate([np.random.default_rng(seed).binomial(SIZES, 0.5) for seed in range(300)])
    assert drawn.sum() / (300 * sum(SIZES)) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("side", [1, 4, 7, 40])
def test_cutout_blanks_a_square_around_its_centre(side: int) -> None:
    whole = images().float() + 1
    centres = np.random.default_rng(3).integers(0, (12, 9), (len(whole), 2))
    for before, after, (row, column) in zip(whole, through(cutout(side, 12, 9), whole), centres, strict=True):
        expected = before.clone()
        top, left = row - side // 2, column - side // 2
        expected[:, max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)] = 0
        assert torch.equal(after, expected)


@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
def test_random_erasing_blanks_rectangles_of_the_papers_area_and_shape(probability: float) -> None:
    whole = torch.ones(sum(SIZES), 3, 64, 64)
    step = random_erasing(probability, 64, 64)
    after = torch.cat([through(step, whole, seed) for seed in range(20)])[:, 0] == 0
    shares = after.double().mean((1, 2))
    erased = shares > 0
    assert float(erased.double().mean()) == pytest.approx(probability, abs=0.06)
    rows, columns = after.any(2).sum(1), after.any(1).sum(1)
    assert torch.equal(rows * columns, after.sum((1, 2)))  # rectangles
    if probability:
        low, high = ERASED_SHARE
        assert low * 0.8 < shares[erased].min() < shares[erased].max() < high * 1.05
        ratio = rows[erased] / columns[erased]
        assert 0.25 < ratio.min() < 0.6 < 2 < ratio.max() < 4


def test_random_erasing_ends_on_the_smallest_image() -> None:
    assert (through(random_erasing(1.0, 1, 1), torch.ones(sum(SIZES), 1, 1, 1)) == 0).all()


def test_normalising_leaves_mean_zero_and_deviation_one_and_a_constant_channel_at_zero() -> None:
    whole = images()
    whole[:, 2] = 7
    mean, std = whole.double().mean((0, 2, 3)), whole.double().std((0, 2, 3), correction=0)
    after = through(Normalize(mean, std), whole)
    assert after.dtype == torch.float32
    assert after.is_contiguous()
    torch.testing.assert_close(after[:, :2].mean((0, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(after[:, :2].std((0, 2, 3), correction=0), torch.ones(2), atol=1e-5, rtol=0)
    assert (after[:, 2] == 0).all()


def test_mixup_adds_up_two_images_and_their_classes_with_the_same_share() -> None:
    whole = images().float()
    target = torch.arange(sum(SIZES)) % 7
    mixes = list(Mixup(0.4, 7).epoch(np.random.default_rng(3), SIZES, CPU))
    rng = np.random.default_rng(3)
    shares = rng.beta(0.4, 0.4, len(SIZES))
    for mix, share, before, label in zip(mixes, shares, whole.split(SIZES), target.split(SIZES), strict=True):
        kept = before.clone()
        partner = rng.permutation(len(before))
        image, mixed = mix(before, label)
        assert torch.equal(before, kept)
        torch.testing.assert_close(image, share * kept + (1 - share) * kept[partner], atol=1e-3, rtol=1e-5)
        torch.testing.assert_close(mixed.sum(1), torch.ones(len(before)))
        for row, (own, other) in enumerate(zip(label, label[partner], strict=True)):
            expected = torch.zeros(7)
            expected[own] += share
            expected[other] += 1 - share
            torch.testing.assert_close(mixed[row], expected)
