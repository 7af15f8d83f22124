"""Files of lines that grow: appended in one write each, read without a torn last line."""

import os
from pathlib import Path

from dlbench.errors import StoreError

NEWLINE = b"\n"


def append(path: Path, line: str) -> None:
    """Append one line; a torn one before it, left by a kill or a full disk, is cut off.

    Raises:
        StoreError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab+") as file:
            _mend(path, file.fileno())
            file.write(line.encode() + NEWLINE)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror}") from error


def whole_lines(path: Path) -> list[bytes]:
    """Every line that was written to its end; none if there is no file.

    Raises:
        OSError: the file cannot be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    return data[: data.rfind(NEWLINE) + 1].splitlines()


def _mend(path: Path, fd: int) -> None:
    size = os.fstat(fd).st_size
    if size and os.pread(fd, 1, size - 1) != NEWLINE:
        os.truncate(path, path.read_bytes().rfind(NEWLINE) + 1)
