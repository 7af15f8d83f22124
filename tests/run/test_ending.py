"""How a run ends from outside: Ctrl-C, twice, SIGTERM, `kill -9`, and a second run beside it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tiny_jobs import entry

from dlbench.errors import StoreError
from dlbench.store.folder import Store


class Run:
    """A run in a process of its own."""

    def __init__(self, store: Path, jobs: list[dict[str, Any]]) -> None:
        script = Path(__file__).parent / "run_listed.py"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        self.store, self.jobs = store, jobs
        self.process = subprocess.Popen(
            [sys.executable, str(script), str(store), json.dumps(jobs)],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
        )

    def busy(self, started: int, ended: int) -> None:
        """Wait until so many jobs were started, and so many of them have ended."""
        until = time.monotonic() + 10
        while len(self.files("events.jsonl")) < started or len(self.files("record.json")) < ended:
            assert time.monotonic() < until
            assert self.process.poll() is None
            time.sleep(0.01)

    def files(self, name: str) -> list[Path]:
        return list(self.store.glob(f"jobs/*/*/{name}"))

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def statuses(self) -> list[str]:
        store = Store.open(self.store, create=False)
        records = [store.record(entry(**job).job.id) for job in self.jobs]
        return [record.status if record else "missing" for record in records]

    def ends(self, timeout_s: float = 10.0) -> tuple[int, dict[str, int]]:
        """Exit code and counts."""
        out, _ = self.process.communicate(timeout=timeout_s)
        return self.process.returncode, json.loads(out or "{}")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    runs: list[Run] = []

    def start(*jobs: dict[str, Any]) -> Run:
        runs.append(Run(tmp_path / "store", list(jobs)))
        return runs[-1]

    yield start
    for run in runs:
        if run.process.poll() is None:
            run.process.kill()
        run.process.communicate()


OK = {"do": "ok"}
LOOKS = {"do": "sleep", "seconds": 30}
STUBBORN = {"do": "stubborn", "seconds": 30}
CHILDREN = {"do": "children", "seconds": 30}


def gone(family: list[psutil.Process]) -> bool:
    _, left = psutil.wait_procs(family, timeout=2.0)
    return not left


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_one_signal_ends_gracefully(start: Any, number: int, code: int) -> None:
    run = start(OK, LOOKS, {"do": "stubborn", "seconds": 1.5})
    run.busy(started=3, ended=1)
    family = run.family()
    os.killpg(run.process.pid, number)  # as a terminal does, to the whole foreground group
    assert run.ends() == (code, {"ok": 2, "interrupted": 1})
    assert run.statuses() == ["ok", "interrupted", "ok"]
    assert gone(family)


def test_a_second_signal_ends_at_once(start: Any) -> None:
    run = start(OK, STUBBORN, CHILDREN)
    run.busy(started=3, ended=1)
    family = run.family()
    os.killpg(run.process.pid, signal.SIGINT)
    time.sleep(0.7)
    assert run.process.poll() is None, "the first one waits for the jobs to stop"
    began = time.monotonic()
    os.killpg(run.process.pid, signal.SIGINT)
    assert run.ends() == (130, {"ok": 1, "interrupted": 2})
    assert time.monotonic() - began < 2.0
    assert run.statuses() == ["ok", "interrupted", "interrupted"]
    assert gone(family)


def test_a_killed_run_leaves_nothing_running_and_loses_nothing_finished(start: Any) -> None:
    jobs = [OK, {"do": "sleep", "seconds": 0.6}, CHILDREN | {"seconds": 0.6}]
    run = start(*jobs)
    run.busy(started=3, ended=1)
    family = run.family()
    assert len(family) >= 3
    run.process.kill()
    run.process.wait()
    assert gone(family)
    assert run.statuses() == ["ok", "missing", "missing"]

    again = start(*jobs)
    assert again.ends() == (0, {"ok": 3})
    store = Store.open(again.store, create=False)
    records = [jobdir.record() for job in jobs for jobdir in store.attempts(entry(**job).job.id)]
    assert [record.status for record in records if record] == ["ok", "interrupted", "ok", "interrupted", "ok"]


def test_a_second_run_on_the_same_store_is_refused(start: Any) -> None:
    run = start(LOOKS)
    run.busy(started=1, ended=0)
    with pytest.raises(StoreError, match=f"process {run.process.pid}"), Store.open(run.store, create=False).writer():
        pass
    run.process.kill()
    run.process.wait()
    with Store.open(run.store, create=False).writer():
        pass
