"""Handwritten digits, 8 × 8 grey pixels, ten classes, as shipped inside scikit-learn (Alpaydin & Kaynak 1998).

Built in. 1,797 images: the test part of the UCI repository's "Optical Recognition of Handwritten Digits", each pixel
the number of ink dots in a 4 × 4 cell (0 to 16), here scaled to 0 to 255. They are shuffled by the seed and cut.
"""

import gzip
import hashlib
import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from dlbench.datasets._cuts import cuts
from dlbench.datasets._images import Images
from dlbench.datasets._numerals import DIGITS, WORDS
from dlbench.errors import DataError
from dlbench.schema import base
from dlbench.schema.data import DataFile

REVISION = 1
TASKS = ("image_classification", "captioning")
FILES: tuple[DataFile, ...] = ()

TOTAL = 1797
INK_DOTS = 16
"""Value of a pixel that is all ink."""

SHA256 = "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"
"""Of the file's plain content, the same in every release of scikit-learn: 65 numbers a line, the last the label."""


class Params(base.Params):
    """Sizes of the splits; 1,797 images are all there are."""

    train_size: int = Field(1297, ge=1, le=TOTAL, description="training images")
    val_size: int = Field(200, ge=1, le=TOTAL, description="validation images")
    test_size: int = Field(300, ge=1, le=TOTAL, description="test images")
    seed: int = Field(0, ge=0, lt=2**32, description="seed of the shuffle")

    @model_validator(mode="after")
    def _enough(self) -> Self:
        asked = self.train_size + self.val_size + self.test_size
        if asked > TOTAL:
            raise ValueError(f"train_size, val_size and test_size ask for {asked:,} images; there are {TOTAL:,}")
        return self


def make(split: str, params: Params) -> Images:
    """Images (N, 1, 8, 8) of a split; validation and test do not depend on the size of what is trained on.

    Raises:
        DataError: scikit-learn is not installed, or ships other digits.
    """
    table = _table()
    test, val, train = cuts(TOTAL, params.test_size, params.val_size, params.train_size, seed=params.seed)
    rows = table[{"train": train, "val": val, "test": test}[split]]
    grey = (rows[:, :-1] * 255 + INK_DOTS // 2) // INK_DOTS
    return Images(grey.astype(np.uint8).reshape(-1, 1, 8, 8), rows[:, -1], DIGITS, WORDS)


@lru_cache(maxsize=1)
def _table() -> NDArray[np.int64]:
    """(1797, 65). Read without importing scikit-learn, which takes 50 times as long."""
    found = importlib.util.find_spec("sklearn")
    if found is None or found.origin is None:
        raise DataError("the digits are part of scikit-learn, which is not installed: pip install scikit-learn")
    path = Path(found.origin).parent / "datasets" / "data" / "digits.csv.gz"
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError) as error:
        raise DataError(f"{path}: {error}. Install scikit-learn again.") from error
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise DataError(f"{path}: not the digits that dlbench knows. Install another release of scikit-learn.")
    return np.loadtxt(content.decode().splitlines(), np.int64, delimiter=",")
