"""Nothing outlives the run: a process ends when the run's parent does, whatever it is busy with.

The lifeline is a pipe whose write end only the parent holds, so its end of file means that the parent is gone. A
worker has a thread that waits for just that; Linux, asked to, also kills it when the process that forked it ends,
which helps where a long call never lets the thread run.
"""

import ctypes
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

PR_SET_PDEATHSIG = 1  # from <linux/prctl.h>


def hold_on(lifeline: int, parent: int) -> None:
    """Tie this process, the leader of its group, to the lifeline and to the process that forked it.

    Args:
        lifeline: the pipe's read end.
        parent: id of the process that forked this one.
    """
    die_with(parent)
    threading.Thread(target=_end_with, args=(lifeline,), name="lifeline", daemon=True).start()


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the parent ends: no thread of ours has to get a turn for that.

    Elsewhere than on Linux this only ends the process if the parent is gone already.

    Args:
        parent: id of the process that started this one, from a thread that lives as long as it.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the kernel was asked
        os._exit(1)


def _end_with(lifeline: int) -> None:
    os.read(lifeline, 1)  # nothing is ever written: it returns at the end of file
    os.killpg(0, signal.SIGKILL)


@contextmanager
def holding_on(lifeline: int) -> Iterator[None]:
    """Tie a long stretch of code (an import) to the lifeline; no thread is left behind, so forking stays safe."""
    done, finish = os.pipe()
    thread = threading.Thread(target=_end_with_or, args=(lifeline, done), name="lifeline", daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.close(finish)
        thread.join()
        os.close(done)


def _end_with_or(lifeline: int, done: int) -> None:
    waiting = select.poll()
    for fd in (lifeline, done):
        waiting.register(fd, select.POLLIN)
    if all(fd != done for fd, _ in waiting.poll()):
        os._exit(1)
