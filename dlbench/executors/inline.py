"""In this very process, one job after the other: for a debugger. The same interface as the others."""

import importlib
from pathlib import Path

from dlbench.contracts.executors import News, Resources
from dlbench.executors._warm import Warm


class Inline:
    """Works a folder while it is started. What the work raises is not caught: a debugger wants to see it.

    Args:
        work: `module:function` that works a folder.
    """

    def __init__(self, work: str) -> None:
        self._work = work
        self._news: list[News] = []

    def start(self, folder: Path, resources: Resources) -> None:
        """Work a folder; returns when that is done."""
        module, _, function = self._work.partition(":")
        how = "exit code 0"
        try:
            getattr(importlib.import_module(module), function)(folder)
        except SystemExit as error:  # what ends a worker must not end the run
            how = f"exit code {error.code}"
        self._news.append(News(folder=folder, how=how))

    def poll(self, timeout_s: float) -> list[News]:
        """What was worked since the last call; there is nothing to wait for."""
        news, self._news = self._news, []
        return news

    def answer(self, folder: Path, *, go: bool) -> None:
        """Nobody asks here: a job is worked to its end while it is started."""

    def kill(self, folder: Path) -> None:
        """Nothing runs between two calls, so there is nothing to end."""

    def stop(self) -> None:
        """Nothing runs between two calls, so there is nothing to end."""


def build(warm: Warm) -> Inline:
    """The executor; it does what the warm process would, without starting it."""
    return Inline(warm.functions["work"])
