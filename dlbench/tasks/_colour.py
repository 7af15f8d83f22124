"""Colour operations on batches of uint8 images, after Pillow's `ImageOps` and `ImageEnhance`. Knows no randomness.

Each takes images (B, C, H, W) with 1 or 3 channels and leaves them as they are; results differ from Pillow's by a
level at most, since they are rounded where Pillow cuts off. Nothing waits for the device.
"""

import torch
from torch.nn import functional

LEVELS = 256

RED_GREEN_BLUE = (0.299, 0.587, 0.114)
"""Shares of the channels in the grey image (ITU-R BT.601, as in Pillow)."""


def autocontrast(image_BCHW: torch.Tensor) -> torch.Tensor:
    """Stretch every channel so that its darkest pixel is 0 and its brightest 255; a channel of one level stays."""
    low_BC11 = image_BCHW.amin((2, 3), keepdim=True)
    reach_BC11 = image_BCHW.amax((2, 3), keepdim=True) - low_BC11
    flat_BC11 = reach_BC11 == 0
    scale_BC11 = torch.where(flat_BC11, 1.0, (LEVELS - 1) / reach_BC11)
    return _levels((image_BCHW - low_BC11.masked_fill(flat_BC11, 0)) * scale_BC11)


def equalize(image_BCHW: torch.Tensor) -> torch.Tensor:
    """Spread the levels of every channel so that each is about as frequent as any other."""
    batch, channels, height, width = image_BCHW.shape
    level_XP = image_BCHW.reshape(batch * channels, height * width).long()
    count_XL = _histograms(level_XP)
    brightest_X1 = count_XL.gather(1, level_XP.amax(1, keepdim=True))
    step_X1 = (height * width - brightest_X1) // (LEVELS - 1)
    below_XL = count_XL.cumsum(1) - count_XL
    spread_XL = (below_XL + step_X1 // 2) // step_X1.clamp(min=1)
    # With fewer pixels than levels above 0, or one level alone, there is nothing to spread.
    same_L = torch.arange(LEVELS, device=image_BCHW.device)
    table_XL = torch.where(step_X1 == 0, same_L, spread_XL.clamp(max=LEVELS - 1))
    return table_XL.gather(1, level_XP).to(torch.uint8).view(image_BCHW.shape)


def _histograms(level_XP: torch.Tensor) -> torch.Tensor:
    """How often each level occurs in each row, (X, 256). Of the ways to count, `index_add_` alone is
    deterministic on every device and needs no answer from it."""
    rows = len(level_XP)
    bin_XP = level_XP + LEVELS * torch.arange(rows, device=level_XP.device)[:, None]
    count = torch.zeros(rows * LEVELS, dtype=torch.int64, device=level_XP.device)
    return count.index_add_(0, bin_XP.view(-1), torch.ones_like(bin_XP).view(-1)).view(rows, LEVELS)


def invert(image_BCHW: torch.Tensor) -> torch.Tensor:
    """The negative."""
    return image_BCHW.bitwise_not()


def posterize(image_BCHW: torch.Tensor, bits: int) -> torch.Tensor:
    """Keep so many of the 8 bits, the high ones."""
    return image_BCHW & ((LEVELS - 1) << (8 - bits) & (LEVELS - 1))


def solarize(image_BCHW: torch.Tensor, threshold: float) -> torch.Tensor:
    """Invert the pixels that are at least as bright as the threshold."""
    return torch.where(image_BCHW < threshold, image_BCHW, image_BCHW.bitwise_not())


def brightness(image_BCHW: torch.Tensor, factor_B: torch.Tensor) -> torch.Tensor:
    """Away from black: factor 0 is black, 1 changes nothing, 2 is twice as bright."""
    return _levels(image_BCHW * factor_B[:, None, None, None])


def contrast(image_BCHW: torch.Tensor, factor_B: torch.Tensor) -> torch.Tensor:
    """Away from the mean grey of the image: factor 0 is that grey, 1 changes nothing."""
    return _away_from(_grey(image_BCHW).mean((1, 2, 3), keepdim=True).round_(), image_BCHW, factor_B)


def colour(image_BCHW: torch.Tensor, factor_B: torch.Tensor) -> torch.Tensor:
    """Away from the grey image: factor 0 is grey, 1 changes nothing. Grey images stay as they are."""
    if image_BCHW.shape[1] == 1:
        return image_BCHW
    return _away_from(_grey(image_BCHW), image_BCHW, factor_B)


def sharpness(image_BCHW: torch.Tensor, factor_B: torch.Tensor) -> torch.Tensor:
    """Away from the smoothed image: factor 0 is smooth, 1 changes nothing. Pixels of the border stay.

    Smoothing weighs a pixel with 5 and its eight neighbours with 1.
    """
    if min(image_BCHW.shape[2:]) < 3:  # nothing but border
        return image_BCHW
    smooth_BCHW = image_BCHW.float()
    inner = smooth_BCHW[:, :, 1:-1, 1:-1]
    inner.copy_(((9 * functional.avg_pool2d(smooth_BCHW, 3, stride=1) + 4 * inner) / 13).round_())
    return _away_from(smooth_BCHW, image_BCHW, factor_B)


def _grey(image_BCHW: torch.Tensor) -> torch.Tensor:
    """The grey image, (B, 1, H, W) float32, whole levels."""
    if image_BCHW.shape[1] == 1:
        return image_BCHW.float()
    channels = zip(RED_GREEN_BLUE, torch.split(image_BCHW, 1, dim=1), strict=True)
    return torch.stack([share * channel for share, channel in channels]).sum(0).round_()


def _away_from(base: torch.Tensor, image_BCHW: torch.Tensor, factor_B: torch.Tensor) -> torch.Tensor:
    return _levels(base + (image_BCHW - base) * factor_B[:, None, None, None])


def _levels(image_BCHW: torch.Tensor) -> torch.Tensor:
    return image_BCHW.round_().clamp_(0, LEVELS - 1).to(torch.uint8)
