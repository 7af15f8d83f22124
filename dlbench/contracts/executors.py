"""What an executor promises: to work folders of jobs somewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from dlbench.schema.base import Value


class Resources(Value):
    """What a job needs while it runs.

    Attributes:
        devices: numbers of the GPUs that are kept for it, among those that this process sees; empty: it sees all.
        asks: whether the job asks after each validation if it should go on, and waits for the answer.
    """

    processes: int = 1
    gpus: int = 0
    threads: int = 1
    exclusive: bool = False
    devices: tuple[int, ...] = ()
    asks: bool = False


class News(Value):
    """Something that an executor saw: an attempt has ended, or asks whether to go on.

    Attributes:
        how: for the reason of a `lost` record: `exit code 1`, `killed by signal 9 (SIGKILL)`.
        asks: the attempt goes on, and waits for `Executor.answer`.
    """

    folder: Path
    how: str = ""
    asks: bool = False


class Executor(Protocol):
    """Works the folders of jobs somewhere; knows nothing of stores and suites."""

    def start(self, folder: Path, resources: Resources) -> None:
        """Begin to work a folder; returns at once."""

    def poll(self, timeout_s: float) -> list[News]:
        """Wait until something ends or asks, at most so long; a passive wait."""

    def answer(self, folder: Path, *, go: bool) -> None:
        """Answer a job that asked whether to go on.

        An executor that cannot carry questions never lets a job ask: its curve is judged when it has ended.
        """

    def kill(self, folder: Path) -> None:
        """End the work on a folder at once; `poll` then tells of it."""

    def stop(self) -> None:
        """End everything at once; the executor cannot be used afterwards."""
