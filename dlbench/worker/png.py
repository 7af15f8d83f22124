"""A picture as a PNG file (PNG specification, 3rd edition, 2025: §5 chunks, §11.2 IHDR, §9 no filter)."""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from dlbench.schema.picture import PNG

COLOUR_TYPES = {1: 0, 3: 2}
"""Channels → the number that the format has for grey, and for red, green and blue."""


def png(picture_HWC: NDArray[np.uint8]) -> bytes:
    """The file; the same pixels give the same bytes.

    Args:
        picture_HWC: 1 channel is grey, 3 are red, green and blue.
    """
    height, width, channels = picture_HWC.shape
    header = struct.pack(">IIBBBBB", width, height, 8, COLOUR_TYPES[channels], 0, 0, 0)
    lines = np.zeros((height, 1 + width * channels), np.uint8)  # each starts with its filter: 0, none
    lines[:, 1:] = picture_HWC.reshape(height, -1)
    return PNG + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)) + _chunk(b"IEND", b"")


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
