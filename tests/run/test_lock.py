"""The machine's lock: shared, alone, in turn, and let go by the dead."""

import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from dlbench.errors import EnvironmentFault
from dlbench.worker.lock import lock_dir, machine_lock


class Holder:
    """Takes the lock in a thread and notes what happens; a flock belongs to an opened file, so threads will do."""

    def __init__(self, folder: Path, log: list[str], name: str, *, exclusive: bool) -> None:
        self.waits, self.has, self.let_go = threading.Event(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._hold, args=(folder, log, name, exclusive), daemon=True)
        self._thread.start()

    def _hold(self, folder: Path, log: list[str], name: str, exclusive: bool) -> None:
        with machine_lock(folder, exclusive=exclusive, on_wait=self.waits.set):
            log.append(name)
            self.has.set()
            self.let_go.wait(5)
            log.append(f"{name} ends")

    def end(self) -> None:
        self.let_go.set()
        self._thread.join(5)


def test_sharers_share_and_nobody_has_to_wait(tmp_path: Path) -> None:
    log: list[str] = []
    holders: list[Holder] = []
    for number in range(3):  # one after the other: two that come in the same instant may meet at the gate
        holder = Holder(tmp_path, log, str(number), exclusive=False)
        holders.append(holder)
        assert holder.has.wait(5)
        assert not holder.waits.is_set()
    for holder in holders:
        holder.end()


def test_an_exclusive_job_goes_before_sharers_that_come_later(tmp_path: Path) -> None:
    log: list[str] = []
    first = Holder(tmp_path, log, "first", exclusive=False)
    assert first.has.wait(5)
    alone = Holder(tmp_path, log, "alone", exclusive=True)
    assert alone.waits.wait(5)
    time.sleep(0.05)
    late = Holder(tmp_path, log, "late", exclusive=False)
    assert late.waits.wait(5)
    assert not late.has.wait(0.2), "the first still shares, but somebody waits to be alone"
    first.end()
    assert alone.has.wait(5)
    assert not late.has.wait(0.2)
    alone.end()
    assert late.has.wait(5)
    late.end()
    assert log == ["first", "first ends", "alone", "alone ends", "late", "late ends"]


@pytest.mark.parametrize("exclusive", [True, False])
def test_the_dead_let_go(tmp_path: Path, exclusive: bool) -> None:
    code = f"""
        import time
        from pathlib import Path
        from dlbench.worker.lock import machine_lock
        with machine_lock(Path({str(tmp_path)!r}), exclusive={exclusive}):
            print("held", flush=True)
            time.sleep(60)
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True, env=environment
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        waiting = Holder(tmp_path, [], "next", exclusive=True)
        assert waiting.waits.wait(5)
        holder.kill()
    assert waiting.has.wait(5)
    waiting.end()


def test_without_a_folder_nothing_is_locked() -> None:
    with machine_lock(None, exclusive=True), machine_lock(None, exclusive=True):
        pass


def test_the_default_folder_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert lock_dir().stat().st_mode & 0o777 == 0o700
    assert lock_dir() == lock_dir()
    lock_dir().chmod(0o777)
    with pytest.raises(EnvironmentFault, match="only you can write"):
        lock_dir()
