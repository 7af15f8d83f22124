"""One lock for the machine, so that nothing disturbs a job whose clock is part of its result.

Train jobs and batches of syncing hold it shared; exclusive jobs hold it alone, and go before those who come after
them. Two files make it: `gate` is held while queueing for `main`, so an exclusive job that waits for `main` keeps
later ones out. Whoever dies lets go. Waiting is passive.

It knows nothing of jobs, and imports nothing heavy: the parent asks it for the default folder.
"""

import fcntl
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dlbench.errors import EnvironmentFault


@contextmanager
def machine_lock(
    lock_dir: Path | None, *, exclusive: bool, on_wait: Callable[[], object] | None = None
) -> Iterator[None]:
    """Hold the machine, shared or alone.

    Args:
        lock_dir: folder of the lock files, from `lock_dir`; None: do not lock.
        exclusive: alone, and ahead of whoever comes later.
        on_wait: called once, before waiting, only if there is something to wait for.
    """
    if lock_dir is None:
        yield
        return
    gate = _open(lock_dir / "gate")
    try:
        main = _open(lock_dir / "main")
        try:
            waited = _take(gate, fcntl.LOCK_EX, on_wait)
            _take(main, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH, None if waited else on_wait)
            fcntl.flock(gate, fcntl.LOCK_UN)
            yield
        finally:
            os.close(main)
    finally:
        os.close(gate)


def lock_dir() -> Path:
    """The default folder of the lock files: one for each user, in the folder for temporary files.

    Raises:
        EnvironmentFault: the folder cannot be made, or belongs to somebody else.
    """
    folder = Path(tempfile.gettempdir()) / f"dlbench-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise EnvironmentFault(
            f"{folder}: the folder of the machine's lock cannot be made: {error.strerror}"
        ) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise EnvironmentFault(f"{folder}: should be a folder that only you can write to. Remove it, or set TMPDIR.")
    return folder


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _take(fd: int, how: int, on_wait: Callable[[], object] | None) -> bool:
    """Lock a file; whether that took waiting."""
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        if on_wait is not None:
            on_wait()
        fcntl.flock(fd, how)
        return True
    return False
