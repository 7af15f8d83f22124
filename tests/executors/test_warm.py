"""The warm process: what it answers, how its children end, and that nothing of it outlives its parent."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "run"))

from tiny_jobs import TINY, entry, work_of

from dlbench.contracts.executors import News, Resources
from dlbench.errors import DataError, EnvironmentFault, UsageError
from dlbench.executors import local
from dlbench.executors._warm import Warm
from dlbench.jobdir import JobDir
from dlbench.schema.job import Entry
from dlbench.worker.lock import machine_lock


@pytest.fixture
def warm() -> Iterator[Warm]:
    with Warm(**TINY) as warm:
        yield warm


def attempt(folder: Path, what: Entry) -> Path:
    JobDir(folder).create(work_of(what.job))
    return folder


def wait_for(path: Path, timeout_s: float = 5.0) -> None:
    until = time.monotonic() + timeout_s
    while not path.exists():
        assert time.monotonic() < until, f"{path} did not appear"
        time.sleep(0.01)


def next_news(warm: Warm, timeout_s: float = 5.0) -> News:
    until = time.monotonic() + timeout_s
    while not (news := warm.poll(0.2)):
        assert time.monotonic() < until, "nothing ended"
    assert len(news) == 1
    return news[0]


def gone(pids: list[int], timeout_s: float = 2.0) -> bool:
    """Whether all processes end within a time; zombies that nobody reaps count as gone."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        if not [pid for pid in pids if psutil.pid_exists(pid) and alive(pid)]:
            return True
        time.sleep(0.02)
    return False


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_answers_come_back_in_order_and_whole(warm: Warm) -> None:
    asked = [{"number": i, "text": "ä" * 1000} for i in range(300)]  # more than a pipe holds
    assert warm.describe(asked) == asked
    assert warm.describe([]) == []


def test_errors_of_a_child_are_raised_here(warm: Warm) -> None:
    with pytest.raises(DataError, match="no copy of it"):
        warm.describe([{"wrong": "data"}])
    with pytest.raises(UsageError, match="no such thing"):
        warm.describe([{"wrong": "usage"}])
    with pytest.raises(RuntimeError, match="KeyError: 'oops'"):
        warm.describe([{"wrong": "bug"}])
    with pytest.raises(EnvironmentFault, match=r"describe mine: .*exit code 7.*; a plugin may have ended it"):
        warm.describe([{"wrong": "crash", "name": "mine"}])
    assert warm.describe([{"still": "there"}]) == [{"still": "there"}]


def test_a_warm_process_that_cannot_start_says_why() -> None:
    with Warm(**{**TINY, "check": "there_is_no_such_module:check"}) as warm:
        with pytest.raises(EnvironmentFault, match="No module named 'there_is_no_such_module'"):
            warm.describe([])


def test_it_starts_only_when_something_is_asked_and_closing_twice_is_fine() -> None:
    warm = Warm(**TINY)
    assert warm.pid is None
    warm.close()
    warm.wake()
    pid = warm.pid
    assert pid is not None
    warm.close()
    warm.close()
    assert gone([pid])


@pytest.mark.parametrize(
    ("do", "how"),
    [
        ("ok", "exit code 0"),
        ("leave", "exit code 3"),
        ("raise", "exit code 1"),
        ("crash", "killed by signal 11 (SIGSEGV)"),
    ],
)
def test_how_a_worker_ended_is_told(warm: Warm, tmp_path: Path, do: str, how: str) -> None:
    folder = attempt(tmp_path / "a", entry(do))
    warm.start(folder, {})
    assert next_news(warm) == News(folder=folder, how=how)
    assert (folder / "record.json").exists() == (do == "ok")
    if do == "raise":
        assert "ValueError: out of luck" in (folder / "log.txt").read_text()


def test_work_that_cannot_be_imported_is_told_in_its_log(tmp_path: Path) -> None:
    folder = attempt(tmp_path / "a", entry())
    with Warm(**{**TINY, "work": "there_is_no_such_module:work"}) as warm:
        warm.start(folder, {})
        assert next_news(warm) == News(folder=folder, how="exit code 1")
        assert warm.describe([{"still": "there"}]) == [{"still": "there"}]
    assert "No module named 'there_is_no_such_module'" in (folder / "log.txt").read_text()


def test_a_killed_worker_takes_its_children_with_it(warm: Warm, tmp_path: Path) -> None:
    folder = attempt(tmp_path / "a", entry("children"))
    warm.start(folder, {})
    wait_for(folder / "child")
    time.sleep(0.05)
    child = int((folder / "child").read_text())
    warm.kill(folder)
    assert next_news(warm).how == "killed by signal 9 (SIGKILL)"
    assert gone([child])


def test_a_dead_warm_process_is_told_of_and_replaced(warm: Warm, tmp_path: Path) -> None:
    folder = attempt(tmp_path / "a", entry("children"))
    warm.start(folder, {})
    wait_for(folder / "child")
    time.sleep(0.05)
    first = warm.pid
    assert first is not None
    family = [process.pid for process in psutil.Process(first).children(recursive=True)]
    assert len(family) == 2
    os.kill(first, signal.SIGKILL)
    assert "SIGKILL" in next_news(warm).how
    assert gone(family)
    folder = attempt(tmp_path / "b", entry("ok"))
    warm.start(folder, {})
    assert next_news(warm).how == "exit code 0"
    assert warm.pid not in (None, first)


def test_a_worker_sees_only_its_gpus_and_has_no_terminal(
    warm: Warm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,GPU-abc,6")
    folder = attempt(tmp_path / "a", entry("environment"))
    local.build(warm).start(folder, Resources(gpus=1, devices=(1,)))
    assert next_news(warm).how == "exit code 0"
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["CUDA_VISIBLE_DEVICES"] == "GPU-abc"
    assert environment["OMP_WAIT_POLICY"] == "PASSIVE"
    assert warm.pid is not None
    assert os.getsid(warm.pid) == warm.pid != os.getsid(0)


PARENT = """
    import sys, time
    sys.path[:0] = {path!r}
    from pathlib import Path
    from tiny_jobs import TINY
    from dlbench.executors._warm import Warm
    warm = Warm(**TINY)
    for folder in {folders!r}:
        warm.start(Path(folder), {{}})
    while True:
        warm.poll(1.0)
"""


def test_nothing_outlives_a_killed_parent(tmp_path: Path) -> None:
    """Whatever the workers do: sleep, never let a thread run, wait for a lock, or have children."""
    locks = tmp_path / "locks"
    locks.mkdir()
    jobs = [entry("stubborn"), entry("spin"), entry("flock", lock_dir=str(locks)), entry("children")]
    folders = [attempt(tmp_path / str(i), job) for i, job in enumerate(jobs)]
    code = PARENT.format(path=[p for p in sys.path if p], folders=[str(folder) for folder in folders])
    with machine_lock(locks, exclusive=False):
        parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)])
        try:
            for folder in folders:
                wait_for(folder / "events.jsonl", 10)
            wait_for(folders[3] / "child")
            family = [process.pid for process in psutil.Process(parent.pid).children(recursive=True)]
            assert len(family) >= 6  # the warm process, four workers, a child of one
        finally:
            parent.kill()
            parent.wait()
        assert gone(family)


def test_nothing_outlives_a_parent_killed_while_the_warm_process_imports(tmp_path: Path) -> None:
    (tmp_path / "slow_module.py").write_text("import time\ntime.sleep(60)\ndef work(folder): ...\n")
    code = f"""
        import sys, time
        sys.path[:0] = {[str(tmp_path), *(p for p in sys.path if p)]!r}
        from dlbench.executors._warm import Warm
        warm = Warm(describe="slow_module:work")
        warm.wake()
        open({str(tmp_path / "pid")!r}, "w").write(str(warm.pid))
        time.sleep(60)
    """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)])
    wait_for(tmp_path / "pid")
    time.sleep(0.3)
    pid = int((tmp_path / "pid").read_text())
    assert alive(pid)
    parent.kill()
    parent.wait()
    assert gone([pid])
