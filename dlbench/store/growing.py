"""A file of lines that grows, read a piece at a time by one who comes back; a torn last line waits to be whole."""

import os
from pathlib import Path

from dlbench.store.lines import NEWLINE


class Growing:
    """A file of lines (`dlbench.store.lines`) and how far it was read.

    Attributes:
        count: lines that were read so far.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._offset = 0
        self._inode = 0

    def news(self) -> tuple[list[bytes], bool]:
        """Whole lines since the last call, and whether they stand in for all before: the file was written anew.

        Raises:
            OSError: the file cannot be read; one that is not there has no lines.
        """
        anew = False
        try:
            with open(self.path, "rb") as file:
                stat = os.fstat(file.fileno())
                if stat.st_ino != self._inode or stat.st_size < self._offset:
                    anew, self._inode, self._offset, self.count = self.count > 0, stat.st_ino, 0, 0
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            anew, self._inode, self._offset, self.count = self.count > 0, 0, 0, 0
            return [], anew
        whole = data[: data.rfind(NEWLINE) + 1]
        lines = whole.splitlines()
        self._offset += len(whole)
        self.count += len(lines)
        return lines, anew
