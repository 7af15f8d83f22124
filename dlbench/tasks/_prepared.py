"""Arrays that were expensive to prepare, kept in the user's cache for the jobs that follow.

Nothing depends on the cache: a file that is missing, torn, flipped or evicted is made again, and where nothing can
be written nothing is kept. Processes do not wait for each other; the last one to write wins, with the same content.
"""

import hashlib
import json
import os
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]

LIMIT_BYTES = 2 * 2**30
"""Beyond this, the files that were not used for longest go."""

ABANDONED_S = 3600
"""A temporary file of that age belongs to a process that died while writing."""


def prepared(key: Mapping[str, Any], make: Callable[[], Arrays]) -> Arrays:
    """The arrays that `make` returns, from the cache where they are there.

    Args:
        key: JSON of everything that the arrays depend on.
        make: called when they are not there; its arrays hold numbers or fixed-width text.
    """
    text = json.dumps(key, sort_keys=True)
    folder = platformdirs.user_cache_path("dlbench") / "prepared"
    path = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.npz"
    arrays = _read(path, text)
    if arrays is None:
        arrays = make()
        _write(path, text, arrays)
    return arrays


def _read(path: Path, key: str) -> Arrays | None:
    """The arrays of a file, or None; a zip archive carries a checksum of every member, which reading compares."""
    try:
        with open(path, "rb") as file, np.load(file) as archive:
            arrays = {name: archive[name] for name in archive.files}
        if str(arrays.pop("key")) != key:
            return None
        os.utime(path)  # marks it as used
    except (OSError, EOFError, ValueError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error):
        return None  # torn or flipped: it is made again, and overwritten
    return arrays


def _write(path: Path, key: str, arrays: Arrays) -> None:
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            np.savez(file, allow_pickle=False, key=np.array(key), **arrays)
        os.replace(temporary, path)
        _evict(path)
    except OSError:  # a full disk or a folder that is read-only: every job then prepares for itself
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _evict(newest: Path) -> None:
    """Delete what is abandoned, and the files that were not used for longest until the rest is small enough."""
    files: list[tuple[float, int, Path]] = []
    for path in newest.parent.iterdir():
        try:
            stat = path.stat()
        except FileNotFoundError:  # evicted by another process
            continue
        if path.suffix == ".npz" and path != newest:
            files.append((stat.st_mtime, stat.st_size, path))
        elif path.suffix == ".tmp" and time.time() - stat.st_mtime > ABANDONED_S:
            path.unlink(missing_ok=True)
    total = newest.stat().st_size + sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= LIMIT_BYTES:
            return
        path.unlink(missing_ok=True)
        total -= size
