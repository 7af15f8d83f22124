"""Texts that are kept only to be shown to a person: their beginnings, in one buffer. Knows no token and no class."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LONGEST = 600
"""Characters of a text that are kept, the ellipsis of a longer one included: a paragraph."""


class ShownTexts:
    """Texts of one split.

    Args:
        content: UTF-8 of all texts, one after the other.
        offsets: where each begins, and where the last ends, (N + 1,).
    """

    def __init__(self, content: NDArray[np.uint8], offsets: NDArray[np.int64]) -> None:
        self._content, self._offsets = content, offsets

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, row: int) -> str:
        start, end = self._offsets[row : row + 2].tolist()
        return self._content[start:end].tobytes().decode()


def packed(texts: Sequence[str], longest: int | None = LONGEST) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Content and offsets for `ShownTexts`; a text of more than `longest` characters ends with an ellipsis."""
    cut = (text if longest is None or len(text) <= longest else text[: longest - 1] + "…" for text in texts)
    pieces = [text.encode(errors="replace") for text in cut]
    offsets = np.zeros(len(pieces) + 1, np.int64)
    np.cumsum([len(piece) for piece in pieces], out=offsets[1:])
    return np.frombuffer(b"".join(pieces), np.uint8), offsets
