"""CIFAR-10: small colour photographs, 32 × 32 pixels, ten classes (Krizhevsky 2009).

50,000 training images, of which a fixed 5,000 are the validation split, and the 10,000 test images. A mirror's copy
may have every training image exact and its test images not; `test: held_out` then scores on another fixed 5,000 of
the training images, which are not trained on. Such scores compare with each other, not with published test figures.

Read is the "binary version", straight from its archive: five batches and a test batch, each of 10,000 records of a
label and the red, green and blue planes.
"""

import tarfile
from functools import lru_cache
from gzip import GzipFile
from io import BufferedReader
from pathlib import Path
from typing import IO, Literal, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dlbench.datasets._cuts import cuts
from dlbench.datasets._gzip import damaged, gunzipped, stamp
from dlbench.datasets._images import Images
from dlbench.schema import base
from dlbench.schema.data import DataFile

REVISION = 1
TASKS = ("image_classification",)
FILES = (
    DataFile(
        folder="cifar10",
        name="cifar-10-binary.tar.gz",
        url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        md5="c32a1d4ab5d03f1284b67883e8d87530",
        size=170_052_171,
    ),
)

BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")
NAMES = "cifar-10-batches-bin/batches.meta.txt"
BATCH, CLASSES = 10_000, 10
RECORD_BYTES = 1 + 3 * 32 * 32
TRAIN, VALIDATION, HELD_OUT = 40_000, 5_000, 5_000

LIMIT_BYTES = (len(BATCHES) + 1) * BATCH * RECORD_BYTES
"""No more is expanded: the batches, and room for the archive's other, small members."""


class Params(base.Params):
    """Which images are the test split."""

    test: Literal["official", "held_out"] = Field(
        "official", description="the 10,000 test images, or 5,000 training images that are kept apart"
    )


def load(split: str, root: Path, params: Params) -> Images:
    """Images (N, 3, 32, 32) of a split.

    Raises:
        DataError: the archive is damaged, lacks a member, or one is not what it should be.
    """
    path = root / FILES[0].name
    return _splits(path, stamp(path), params.test)[split]


# All splits come from one archive, which takes longer to expand than all else.
@lru_cache(maxsize=1)
def _splits(path: Path, stamped: object, test: str) -> dict[str, Images]:
    records, classes = _read(path)
    val, held_out, train = cuts(VALIDATION + HELD_OUT + TRAIN, VALIDATION, HELD_OUT, TRAIN)
    rows = {"train": train, "val": val, "test": held_out}
    if test == "official":
        rows["train"] = np.sort(np.concatenate([train, held_out]))
        rows["test"] = np.arange(len(records) - BATCH, len(records))
    return {
        split: Images(records[taken, 1:].reshape(-1, 3, 32, 32), records[taken, 0].astype(np.int64), classes)
        for split, taken in rows.items()
    }


def _read(path: Path) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Records (60,000, 3,073) in the batches' order, and the names of the classes."""
    records = np.empty((len(BATCHES), BATCH, RECORD_BYTES), np.uint8)
    missing = {f"cifar-10-batches-bin/{name}.bin": batch for name, batch in zip(BATCHES, records, strict=True)}
    classes: tuple[str, ...] = ()
    with gunzipped(path, "cifar10") as file:
        plain = _Bounded(file, path)
        try:
            # A stream: members are read in passing, and a file object needs nothing but `read`.
            with tarfile.open(fileobj=cast(IO[bytes], plain), mode="r|", bufsize=2**20) as archive:
                for member in archive:
                    if member.name == NAMES:
                        classes = _names(archive, member, path)
                    elif (batch := missing.pop(member.name, None)) is not None:
                        _fill(batch, archive, member, path)
        except (tarfile.TarError, ValueError, OverflowError) as error:
            raise damaged(path, f"not a whole tar archive ({error})", "cifar10") from error
        while plain.read(2**20):
            pass  # the checksum is compared at the very end
    if missing or not classes:
        raise damaged(path, f"the archive has no {', '.join([*missing, *([] if classes else [NAMES])])}", "cifar10")
    return records.reshape(-1, RECORD_BYTES), classes


def _fill(batch: NDArray[np.uint8], archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    """Read a batch (10,000, 3,073) and check its labels."""
    content = archive.extractfile(member) if member.isreg() and member.size == batch.nbytes else None
    if content is None:
        raise damaged(path, f"{member.name} has {member.size:,} bytes, not {batch.nbytes:,}", "cifar10")
    cast(BufferedReader, content).readinto(batch.reshape(-1).data)
    if batch[:, 0].max() >= CLASSES:
        row = int(np.argmax(batch[:, 0] >= CLASSES))
        what = f"label {row:,} of {member.name} is {batch[row, 0]}, which is none of 0 to {CLASSES - 1}"
        raise damaged(path, what, "cifar10")


def _names(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> tuple[str, ...]:
    content = archive.extractfile(member) if member.isreg() else None
    classes = tuple(content.read(1024).decode("ascii", "replace").split()) if content else ()
    if len(set(classes)) != CLASSES:
        raise damaged(path, f"{member.name} does not name {CLASSES} classes", "cifar10")
    return classes


class _Bounded:
    """Reads a file up to the limit; an archive that holds more is none of CIFAR-10."""

    def __init__(self, file: GzipFile, path: Path) -> None:
        self._file = file
        self._path = path
        self._left = LIMIT_BYTES

    def read(self, size: int) -> bytes:
        """The next bytes, at most `size`; none at the end."""
        content = self._file.read(min(size, self._left + 1))
        self._left -= len(content)
        if self._left < 0:
            raise damaged(self._path, f"it holds more than {LIMIT_BYTES:,} bytes", "cifar10")
        return content
