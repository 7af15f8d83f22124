"""Reading gzipped files that may be damaged: one clear error whatever is wrong. Knows no format inside."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dlbench.errors import DataError


def damaged(path: Path, what: str, dataset: str) -> DataError:
    """An error that names the file, what is wrong with it and what to do."""
    return DataError(f"{path}: {what}. Replace it, or delete it and run `dlbench data fetch {dataset}`.")


@contextmanager
def gunzipped(path: Path, dataset: str) -> Iterator[gzip.GzipFile]:
    """The file's plain content, to be read piece by piece.

    Its checksum is compared when its end is read, and only then: a reader asks for a byte more than it expects. That
    also keeps a file that would expand to many times its size from doing so.

    Raises:
        DataError: the file is missing, breaks off, or is not what was compressed; also while it is read.
    """
    try:
        with gzip.open(path) as file:
            yield file
    except EOFError as error:
        raise damaged(path, "the file breaks off", dataset) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise damaged(path, f"not a whole gzip file ({error})", dataset) from error
    except OSError as error:
        raise damaged(path, f"cannot be read ({error.strerror or error})", dataset) from error


def stamp(path: Path) -> tuple[int, int] | None:
    """Size and time of change, by which a file that was read is known again; None where it cannot be looked at."""
    try:
        stat = path.stat()
    except OSError:  # reading it says why
        return None
    return stat.st_size, stat.st_mtime_ns
