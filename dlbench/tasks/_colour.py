"""Colour operations on batches of uint8 images, after Pillow's `ImageOps` and `ImageEnhance`. Knows no randomness.

Each takes images (B, C, H, W) with 1 or 3 channels and leaves them as they are; results differ from Pillow's by a
level at most, since they are rounded where Pillow cuts off. Nothing waits for the device.
"""

import torch

LEVELS = 256

RED_GREEN_BLUE = (0.299, 0.587, 0.114)
"""Shares of the channels in the grey image (ITU-R BT.601, as in Pillow)."""


def autocontrast(image_BCHW: torch.Tensor) -> torch.Tensor:
    """Stretch every channel so that its darkest pixel is 0 and its brightest 255; a channel of one level stays."""
    low_BC11 = image_BCHW.amin((2, 3), keepdim=True)
    reach_BC11 = image_BCHW.amax((2, 3), keepdim=True) - low_BC11
    flat_BC11 = reach_BC11 == 0
    scale_BC11 = torch.where(flat_BC11, 1.0, (LEVELS - 1) / reach_BC11)
    return as_levels(image_BCHW.float().sub_(low_BC11.masked_fill(flat_BC11, 0)).mul_(scale_BC11))


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


def solarize(image_BCHW: torch.Tensor, threshold: int) -> torch.Tensor:
    """Invert the pixels that are at least as bright as the threshold."""
    return torch.where(image_BCHW < threshold, image_BCHW, image_BCHW.bitwise_not())


def brightness(image_BCHW: torch.Tensor, factor_B: torch.Tensor) -> torch.Tensor:
    """Away from black: factor 0 is black, 1 changes nothing, 2 is twice as bright."""
    return as_levels(image_BCHW.float().mul_(factor_B[:, None, None, None]))


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
    inside = smooth_BCHW[:, :, 1:-1, 1:-1]
    # Sums of three rows, then of three columns: on a CPU seven times as fast as pooling.
    column = smooth_BCHW[:, :, :-2] + smooth_BCHW[:, :, 1:-1] + smooth_BCHW[:, :, 2:]
    square = column[..., :-2] + column[..., 1:-1] + column[..., 2:]
    inside.copy_(square.add_(inside, alpha=4).div_(13).round_())
    return _away_from(smooth_BCHW, image_BCHW, factor_B)


def _grey(image_BCHW: torch.Tensor) -> torch.Tensor:
    """The grey image, (B, 1, H, W) float32, whole levels."""
    if image_BCHW.shape[1] == 1:
        return image_BCHW.float()
    red, green, blue = RED_GREEN_BLUE
    channels = image_BCHW.float()
    grey_B1HW = channels[:, :1] * red
    return grey_B1HW.add_(channels[:, 1:2], alpha=green).add_(channels[:, 2:], alpha=blue).round_()


def _away_from(base: torch.Tensor, image_BCHW: torch.Tensor, factor_B: torch.Tensor) -> torch.Tensor:
    return as_levels(image_BCHW.float().sub_(base).mul_(factor_B[:, None, None, None]).add_(base))


def as_levels(image_BCHW: torch.Tensor) -> torch.Tensor:
    """Floats rounded and cut off to uint8, in place where possible; by way of int16, which is four times as fast."""
    return image_BCHW.round_().clamp_(0, LEVELS - 1).short().to(torch.uint8)
