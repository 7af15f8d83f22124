"""Runs and MLflow: without it, with a server that is silent, and brought in later."""

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from commands import PATIENCE_S, Done
from terminal import Finished, Terminal

from dlbench.worker.lock import machine_lock

BLOCKER = '''\
"""Run at the start of every interpreter: in this one, mlflow is not installed."""
import sys
from importlib.machinery import PathFinder


class WithoutMlflow(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] == "mlflow" else super().find_spec(name, path, target)


sys.meta_path[sys.meta_path.index(PathFinder)] = WithoutMlflow
'''


class NewPython(Terminal):
    """Every command obeys what Python reads when it starts."""

    def __call__(self, *arguments: str | Path, code: int = 0, **environment: str) -> Done:
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == code, f"{out}\n{err}"
        return Done(code, out, err)


@pytest.fixture
def without_mlflow(terminal: Terminal, tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """A user who has not installed mlflow."""
    folder = tmp_path_factory.mktemp("without_mlflow")
    (folder / "sitecustomize.py").write_text(BLOCKER)
    search = f"{folder}:{terminal.environment['PYTHONPATH']}"
    return NewPython(terminal.folder, {**terminal.environment, "PYTHONPATH": search})


def test_runs_do_not_need_mlflow(without_mlflow: Terminal) -> None:
    said = without_mlflow("run", without_mlflow.write())
    assert "tiny: 1 ok" in said.err
    assert "report: reports/tiny/index.html" in said.err
    assert not (without_mlflow.folder / "mlflow.db").exists()
    assert "not installed" in without_mlflow("doctor").out
    for command in ("sync", "ui"):
        assert "pip install mlflow" in without_mlflow(command, code=3).err


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes every call and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        calls: list[socket.socket] = []

        def listen() -> None:
            while True:
                try:
                    calls.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=listen, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        for call in calls:
            call.close()


def test_silent_server_is_not_waited_for_and_sync_brings_all(
    silent: str, finished: Finished, terminal: Terminal
) -> None:
    began = time.monotonic()
    said = terminal("run", terminal.write(seeds=[11]), MLFLOW_TRACKING_URI=silent)
    assert time.monotonic() - began < 40  # mlflow alone would wait for 248 s
    assert "tiny: 1 ok" in said.err
    assert "2 runs are pending; `dlbench sync` brings them in later." in said.err
    assert terminal("doctor", "--json", MLFLOW_TRACKING_URI=silent).json["mlflow"]["pending"] == 2

    shutil.copy(finished.terminal.folder / "mlflow.db", terminal.folder / "late.db")  # spares making a new one
    late = "sqlite:///late.db"
    synced = terminal("sync", "--json", MLFLOW_TRACKING_URI=late).json
    assert (synced["created"], synced["pending"], synced["error"]) == (2, 0, None)
    assert terminal("sync", "--json", MLFLOW_TRACKING_URI=late).json["created"] == 0
    (record,) = terminal.records()
    with closing(sqlite3.connect(terminal.folder / "late.db")) as database:
        jobs = database.execute("select value from tags where key = 'dlbench.job_id'").fetchall()
    assert [job for (job,) in jobs].count(record["id"]) == 1


def read_until(text: str, command: subprocess.Popen[str]) -> None:
    """Read what a command complains of up to a line with that text; one that never says it is killed."""
    patience = threading.Timer(PATIENCE_S, command.kill)
    patience.start()
    assert command.stderr is not None
    try:
        while text not in (line := command.stderr.readline()):
            assert line, f"it never said {text!r}"
    finally:
        patience.cancel()


def test_ctrl_c_while_mlflow_is_waited_for_leaves_the_rest_to_sync(finished: Finished, terminal: Terminal) -> None:
    shutil.copy(finished.terminal.folder / "mlflow.db", terminal.folder / "mlflow.db")
    with closing(sqlite3.connect(terminal.folder / "mlflow.db", isolation_level=None)) as somebody_else:
        somebody_else.execute("begin exclusive")
        run = terminal.start("run", terminal.write(), "--no-report")
        read_until("waiting for MLflow to take 2 runs", run)
        os.killpg(run.pid, signal.SIGINT)
        _, err = run.communicate(timeout=PATIENCE_S)
    assert (run.returncode, err) == (130, "interrupted while MLflow took runs; `dlbench sync` brings the rest in\n")
    assert [record["status"] for record in terminal.records()] == ["ok"]


def test_sync_of_a_server_that_is_not_there_says_so(finished: Finished) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        nobody = f"http://127.0.0.1:{server.getsockname()[1]}"
    said = finished.terminal("sync", MLFLOW_TRACKING_URI=nobody, code=3)
    assert nobody in said.err
    assert "Traceback" not in said.err


def test_a_run_in_a_log_says_that_it_waits_for_another(finished: Finished, terminal: Terminal) -> None:
    assert finished.said.code == 0, "the machine is calibrated, which would wait as well"
    folder = Path(terminal.environment["TMPDIR"], f"dlbench-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    with machine_lock(folder, exclusive=False):
        suite = terminal.write(seeds=0, cost={"batch_sizes": [8], "rounds": 1, "limit_s": 0.1})
        waiting = terminal.start("run", suite, "--no-mlflow", "--no-report")
        read_until("round 1: waiting until other runs on this machine leave it alone", waiting)
    _, err = waiting.communicate(timeout=PATIENCE_S)
    assert waiting.returncode == 0, err


def test_the_ui_makes_no_empty_database(terminal: Terminal) -> None:
    said = terminal("ui", code=2)
    assert "mlflow.db: there is no such database yet. `dlbench run SUITE` makes it" in said.err
    assert not list(terminal.folder.iterdir())


def test_sync_says_that_it_waits_for_a_measurement(again: Terminal) -> None:
    folder = Path(again.environment["TMPDIR"], f"dlbench-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    with machine_lock(folder, exclusive=True):
        waiting = again.start("sync")
        read_until("waiting until no measurement runs here", waiting)
    _, err = waiting.communicate(timeout=PATIENCE_S)
    assert waiting.returncode == 0
    assert "waiting" not in err


def test_results_that_were_there_before_are_brought_in_by_name(again: Terminal) -> None:
    shutil.copy(again.folder / "mlflow.db", again.folder / "other.db")
    assert "nothing of a suite 'tini'. Did you mean 'tiny'?" in again("sync", "tini", code=2).err
    said = again("sync", "tiny")
    assert "0 runs new" in said.err
    assert Path(again.folder, "mlflow.db").exists()
