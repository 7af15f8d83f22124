"""Ctrl-C, kill -9, and two runs at once: what was finished is never lost, and the next run goes on."""

import json
import os
import signal
import time
from collections import Counter
from pathlib import Path
from subprocess import Popen

from commands import PATIENCE_S
from terminal import QUIET, Terminal

STEPS = 2500
"""Of each job: about a second of work, so that signals meet a job in the middle."""


def attempts(terminal: Terminal) -> list[Path]:
    """Folders of attempts."""
    return sorted((terminal.folder / ".dlbench" / "jobs").glob("*/*"))


def statuses(terminal: Terminal) -> Counter[str]:
    """Of all attempts; `open` without a record."""
    files = [path / "record.json" for path in attempts(terminal)]
    return Counter(json.loads(file.read_text())["status"] if file.exists() else "open" for file in files)


def wait_for(run: Popen[str], terminal: Terminal, *, done: int) -> None:
    """Until so many jobs have ended and another one trains."""
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        assert run.poll() is None, run.communicate()
        ended = [path for path in attempts(terminal) if (path / "record.json").exists()]
        training = [
            path
            for path in attempts(terminal)
            if path not in ended
            and (path / "events.jsonl").exists()
            and '"train"' in (path / "events.jsonl").read_text()
        ]
        if len(ended) >= done and training:
            return
        time.sleep(0.02)
    raise AssertionError("the run did not get that far")


def _trains(attempt: Path) -> bool:
    events = attempt / "events.jsonl"
    return events.exists() and '"train"' in events.read_text()


def test_what_was_finished_is_kept_and_the_next_run_goes_on(terminal: Terminal) -> None:
    suite = terminal.write(seeds=4, train={"steps": STEPS, "evaluate_every": STEPS})
    command = ("run", suite, "--slots", "1", *QUIET)

    run = terminal.start(*command)
    wait_for(run, terminal, done=1)
    refused = terminal(*command, code=3)
    assert "another dlbench" in refused.err
    assert f"(process {run.pid})" in refused.err
    os.killpg(run.pid, signal.SIGINT)
    out, err = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 130, err
    assert "stopping; running jobs end soon. Ctrl-C again: at once" in err
    assert f"interrupted; what had finished is kept. To go on: dlbench {' '.join(command)}" in err.splitlines()[-1]
    assert "Traceback" not in err
    assert out == ""
    assert statuses(terminal)["interrupted"] == 1
    finished = statuses(terminal)["ok"]
    assert finished >= 1

    run = terminal.start(*command)
    wait_for(run, terminal, done=finished + 2)  # the interrupted attempt, what was finished, and one more
    os.kill(run.pid, signal.SIGKILL)
    run.communicate(timeout=PATIENCE_S)
    assert statuses(terminal)["ok"] >= finished + 1
    assert statuses(terminal)["open"] == 1
    finished = statuses(terminal)["ok"]

    said = terminal(*command)
    assert f"4 jobs (4 train, 0 cost), {finished} cached, {4 - finished} to run" in said.err
    assert "tiny: 4 ok" in said.err
    assert [record["seed"] for record in terminal.records()] == [0, 1, 2, 3]
    assert statuses(terminal) == {"ok": 4, "interrupted": 2}


def test_a_closed_terminal_ends_a_run_gracefully(terminal: Terminal) -> None:
    suite = terminal.write(train={"steps": 10**9, "evaluate_every": 10**9})
    run = terminal.start("run", suite, *QUIET)
    wait_for(run, terminal, done=0)
    os.kill(run.pid, signal.SIGHUP)
    run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 128 + signal.SIGHUP
    assert statuses(terminal) == {"interrupted": 1}


def test_ctrl_c_while_planning_runs_nothing(terminal: Terminal, tmp_path: Path) -> None:
    # With nothing cached, the plan waits for torch to be imported: time enough.
    run = terminal.start("run", terminal.write(), *QUIET, XDG_CACHE_HOME=str(tmp_path / "empty"))
    while not (terminal.folder / ".dlbench" / "lock").exists():
        time.sleep(0.005)
    time.sleep(0.05)
    os.killpg(run.pid, signal.SIGINT)
    _, err = run.communicate(timeout=PATIENCE_S)
    assert err == "interrupted; nothing was run\n"
    assert run.returncode == 130
    assert not (terminal.folder / ".dlbench").exists()


def test_ctrl_c_twice_ends_at_once(terminal: Terminal) -> None:
    suite = terminal.write(train={"steps": 10**9, "evaluate_every": 10**9})
    run = terminal.start("run", suite, *QUIET)
    wait_for(run, terminal, done=0)
    (attempt,) = attempts(terminal)
    os.killpg(run.pid, signal.SIGINT)
    os.killpg(run.pid, signal.SIGINT)
    began = time.monotonic()
    _, err = run.communicate(timeout=PATIENCE_S)
    assert time.monotonic() - began < 10
    assert run.returncode == 130
    assert "To go on: dlbench run" in err
    assert json.loads((attempt / "record.json").read_text())["status"] == "interrupted"


def test_ctrl_c_while_the_report_is_written_keeps_the_results(terminal: Terminal) -> None:
    run = terminal.start("run", terminal.write(), "--no-mlflow")
    assert run.stderr is not None
    while not (line := run.stderr.readline()).startswith("tiny: 1 ok"):
        assert line, "the run ended without saying what it did"
    os.killpg(run.pid, signal.SIGINT)
    _, err = run.communicate(timeout=PATIENCE_S)
    assert (run.returncode, err) == (130, "interrupted while writing the report; `dlbench report tiny` writes it\n")
    assert statuses(terminal) == {"ok": 1}
    assert "index.html" in terminal("report", "tiny").out


def test_a_report_that_cannot_be_written_any_more_costs_only_itself(terminal: Terminal) -> None:
    suite = terminal.write(train={"steps": STEPS, "evaluate_every": STEPS})
    run = terminal.start("run", suite, "--no-mlflow")
    wait_for(run, terminal, done=0)
    (terminal.folder / "reports").write_text("a file in the way")
    out, err = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 3
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("the report cannot be written to reports/tiny")
    assert "test_accuracy" in out or "two_layer" in out
    assert statuses(terminal) == {"ok": 1}


def test_runs_that_make_a_store_together_share_it(terminal: Terminal) -> None:
    suite = terminal.write()
    runs = [terminal.start("run", suite, *QUIET) for _ in range(3)]
    ended = [(run.communicate(timeout=PATIENCE_S), run.returncode) for run in runs]
    assert {code for _, code in ended} <= {0, 3}
    assert 0 in [code for _, code in ended]
    for (_, err), code in ended:
        assert "Traceback" not in err
        assert code == 0 or "another dlbench" in err
    assert json.loads((terminal.folder / ".dlbench" / "store.json").read_text())["format"] == 1
    assert [record["attempt"] for record in terminal.records()] == [1]
