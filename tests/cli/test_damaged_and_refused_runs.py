"""What a person gets when files are torn, options are wrong, or nobody reads the output."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from terminal import QUIET, Terminal


def index(terminal: Terminal, name: str = "tiny") -> Path:
    return terminal.folder / ".dlbench" / "suites" / name / "jobs.jsonl"


def test_torn_files_hold_nothing_up(again: Terminal) -> None:
    found = sorted((again.folder / ".dlbench" / "jobs").glob("*/*/record.json"))
    records = [path for path in found if json.loads(path.read_text())["kind"] == "train"]  # no anchors join them
    records[0].write_text(records[0].read_text()[:50])
    records[1].unlink()
    (records[1].parent / "job.json").write_text("{")
    index(again).write_text("{\n")
    index(again).with_name("choices.json").write_text("[]")
    said = again("run", "tiny.yaml", *QUIET).err
    assert f"{records[0]} is damaged: not whole JSON. It counts as missing." in said
    assert f"{records[1].parent / 'job.json'} is damaged: this attempt is left out" in said
    assert "jobs.jsonl: is damaged" in said
    assert "choices.json: is damaged: it should hold a name for each task. Datasets are chosen anew." in said
    assert "4 cached, 2 to run" in said
    assert "tiny: 6 ok; 2 attempts" in said


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--executor", "nope"), 2),
        (("--timeout", "soon"), 2),
        (("--out", "tiny.yaml"), 3),
        (("--out", "/dev/null/x"), 3),
        (("train.epochs=many",), 2),
    ],
)
def test_a_refused_run_changes_nothing(terminal: Terminal, options: tuple[str, ...], code: int) -> None:
    suite = terminal.write()
    before = terminal.files().keys()
    said = terminal("run", suite, "--no-mlflow", *options, code=code)
    assert "Traceback" not in said.err
    assert terminal.files().keys() == before


def test_a_suite_of_which_nothing_is_left_is_refused(again: Terminal) -> None:
    before = index(again).read_bytes()
    again.write(exclude=[{"model": "two_layer"}])
    said = again("run", "tiny.yaml", code=2)
    assert "nothing is left to run: `exclude:` leaves no combination" in said.err
    assert index(again).read_bytes() == before


def test_a_shrunken_suite_says_so_and_is_reported_anew(again: Terminal) -> None:
    report = again.folder / "reports" / "tiny" / "results.csv"
    said = again("run", "tiny.yaml", "seeds=1", "--no-mlflow").err
    assert "the suite's index had 6 jobs, this plan has 4: results and report now show these 4" in said
    assert "report: reports/tiny/index.html" in said
    assert report.read_text().count("\n") == 5


def test_a_cached_suite_of_another_name_gets_its_table_report_and_runs(again: Terminal) -> None:
    said = again("run", "tiny.yaml", "name=second")
    assert "second: 6 ok; 0 attempts" in said.err
    assert "report: reports/second/index.html" in said.err
    assert "MLflow: " in said.err
    assert "On blobs, " in said.out
    said = again("run", "tiny.yaml", "name=second")
    assert "nothing to do; the report is in reports/second" in said.err
    shutil.rmtree(again.folder / "reports" / "second")
    assert "report: reports/second/index.html" in again("run", "tiny.yaml", "name=second").err


@pytest.mark.parametrize(("where", "code", "said"), [("> /dev/full", 3, "no room is left"), ("| true", 141, "")])
def test_output_that_cannot_be_written_ends_plainly(again: Terminal, where: str, code: int, said: str) -> None:
    command = f"{sys.executable} -m dlbench results tiny --csv {where}; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=again.folder, env=again.environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == code
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == bool(said)


def test_a_job_that_no_room_is_left_for_costs_only_itself(terminal: Terminal) -> None:
    models = ["two_layer", {"model": "two_layer", "label": "large", "params": {"hidden": 8192}}]
    suite = terminal.write(models=models, train={"steps": 2, "checkpoint": True})
    room = f"ulimit -f 64; exec {sys.executable} -m dlbench run {suite} {' '.join(QUIET)}"  # 64 KiB a file
    done = subprocess.run(
        ["bash", "-c", room], cwd=terminal.folder, env=terminal.environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "1 failed, 1 ok" in done.stderr
    statuses = {record["model"]["label"]: (record["status"], record["reason"]) for record in terminal.records()}
    assert statuses["two_layer"] == ("ok", None)
    assert statuses["large"] == ("failed", "OSError: [Errno 27] File too large")


def test_a_port_that_is_none_is_refused(terminal: Terminal) -> None:
    assert "65535" in terminal("ui", "--port", "99999999", code=2).err
