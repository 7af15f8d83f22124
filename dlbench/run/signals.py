"""Ctrl-C and its kin while a loop runs: once ends gracefully, twice at once, a third time as Python would."""

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Heard:
    """The signals that came.

    Attributes:
        number: of the first one; None if none came. The exit code is 128 more.
    """

    number: int | None = None


@contextmanager
def interruptible(interrupt: Callable[[], None]) -> Iterator[Heard]:
    """Call `interrupt` on SIGINT, SIGTERM and SIGHUP; the handlers that were there come back at the end.

    A SIGHUP that is ignored stays so: `nohup` wants the run to go on. Only for the main thread.
    """
    heard = Heard()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    if before[signal.SIGHUP] is signal.SIG_IGN:
        del before[signal.SIGHUP]
    times = 0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal times
        times += 1
        heard.number = heard.number or number
        interrupt()
        if times == 2:  # should even that not help, the third one does
            _restore(before)

    for number in before:
        signal.signal(number, handle)
    try:
        yield heard
    finally:
        _restore(before)


def _restore(before: Mapping[signal.Signals, Any]) -> None:
    for number, handler in before.items():
        signal.signal(number, signal.SIG_DFL if handler is None else handler)
