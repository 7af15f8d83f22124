"""Digests of files, remembered by path, size and time of change. Knows no dataset."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, Literal

from dlbench.jobdir import write_whole

Algorithm = Literal["sha256", "md5"]


class Digests:
    """SHA-256 and MD5 of files.

    Args:
        memory: JSON file that keeps what was computed; one that is damaged or cannot be written only costs time.
    """

    def __init__(self, memory: Path) -> None:
        self._memory = memory

    def of(self, path: Path, algorithm: Algorithm, *, fresh: bool = False) -> str:
        """Hexadecimal digest of a file.

        Args:
            path: an existing file.
            algorithm: `sha256` or `md5`.
            fresh: read the file even if it is remembered.

        Raises:
            OSError: the file cannot be read.
        """
        key = str(path.resolve())
        stat = path.stat()
        stamp = {"size": stat.st_size, "time_ns": stat.st_mtime_ns}
        known = self._load().get(key, {})
        entry: dict[str, Any] = known if isinstance(known, dict) and stamp.items() <= known.items() else {**stamp}
        if not fresh and isinstance(entry.get(algorithm), str):
            return str(entry[algorithm])
        with open(path, "rb") as file:
            # MD5 only tells damaged files from whole ones where a source publishes nothing better.
            digest = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
        self._store(key, {**entry, algorithm: digest})
        return digest

    def _load(self) -> dict[str, Any]:
        try:
            entries = json.loads(self._memory.read_bytes())
        except (OSError, ValueError):
            return {}
        return entries if isinstance(entries, dict) else {}

    def _store(self, key: str, entry: dict[str, Any]) -> None:
        entries = {path: known for path, known in self._load().items() if os.path.exists(path)}
        try:
            self._memory.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._memory, json.dumps({**entries, key: entry}, indent=1).encode())
        except OSError:
            return  # a cache that cannot be written: computed again next time
