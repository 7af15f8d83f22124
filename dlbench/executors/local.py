"""On this machine: each job in a process of its own, forked from the warm process."""

import os
from pathlib import Path

from dlbench.contracts.executors import News, Resources
from dlbench.executors._warm import Warm


class Local:
    """Works folders in children of the warm process, which stays its owner's to close."""

    def __init__(self, warm: Warm) -> None:
        self._warm = warm

    def start(self, folder: Path, resources: Resources) -> None:
        """Begin to work a folder; returns at once."""
        self._warm.start(folder, _environment(resources), asks=resources.asks)

    def poll(self, timeout_s: float) -> list[News]:
        """Wait until something ends, at most so long."""
        return self._warm.poll(timeout_s)

    def answer(self, folder: Path, *, go: bool) -> None:
        """Answer a job that asked whether to go on."""
        self._warm.answer(folder, go=go)

    def kill(self, folder: Path) -> None:
        """End the work on a folder at once; `poll` then tells of it."""
        self._warm.kill(folder)

    def stop(self) -> None:
        """End everything at once."""
        self._warm.kill_all()


def build(warm: Warm) -> Local:
    """The executor, over a warm process."""
    return Local(warm)


def _environment(resources: Resources) -> dict[str, str]:
    """What shows a child only the GPUs that are its own."""
    if not resources.devices:
        return {}
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    mine = [visible[number] if visible else str(number) for number in resources.devices]
    return {"CUDA_VISIBLE_DEVICES": ",".join(mine)}
