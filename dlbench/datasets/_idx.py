"""The idx format (LeCun, Cortes & Burges 1998), gzipped: an array of unsigned bytes behind its own shape.

Four bytes (0, 0, 8 for unsigned bytes, number of dimensions), each dimension's size as a big-endian 32-bit integer,
then the values, the last dimension running fastest. Knows nothing of images and labels.
"""

import math
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlbench.datasets._gzip import damaged, gunzipped

UNSIGNED_BYTE = 8


def read_idx(path: Path, shape: tuple[int, ...], dataset: str) -> NDArray[np.uint8]:
    """The array of a file, writable.

    Args:
        path: a gzipped idx file.
        shape: what it must hold; never more than that is expanded.
        dataset: name, for the message.

    Raises:
        DataError: it is damaged, or holds something else.
    """
    size = math.prod(shape)
    with gunzipped(path, dataset) as file:
        header = file.read(4 + 4 * len(shape))
        magic = bytes([0, 0, UNSIGNED_BYTE, len(shape)])
        if header[:4] != magic:
            begun = header[:4].hex(" ") or "nothing"
            raise damaged(path, f"an idx file of this kind begins with {magic.hex(' ')}, not with {begun}", dataset)
        if len(header) < 4 + 4 * len(shape):
            raise damaged(path, "it ends within its header", dataset)
        found = struct.unpack(f">{len(shape)}I", header[4:])
        if found != shape:
            raise damaged(path, f"it holds {_in_words(found)} values, not {_in_words(shape)}", dataset)
        content = file.read(size + 1)
    if len(content) != size:
        held = f"only {len(content):,}" if len(content) < size else "more"
        raise damaged(path, f"it announces {size:,} values and holds {held}", dataset)
    return np.frombuffer(bytearray(content), np.uint8).reshape(shape)


def _in_words(shape: tuple[int, ...]) -> str:
    return " × ".join(f"{size:,}" for size in shape)
