"""What a person gets from `dlbench run`: records, pages, exit codes, and nothing made twice."""

import hashlib
import json
import shutil
import sqlite3

import pytest
from terminal import QUIET, Finished, Terminal, exploding


def statuses(terminal: Terminal, suite: str) -> dict[str, list[str]]:
    """Label → statuses of its records."""
    found: dict[str, list[str]] = {}
    for record in terminal.records(suite):
        found.setdefault(record["model"]["label"], []).append(record["status"])
    return found


# --- a run with everything ------------------------------------------------------------------------------------------


def test_run_says_plan_progress_verdict_and_where_things_are(finished: Finished) -> None:
    said = finished.said
    assert "tiny: 6 jobs (4 train, 2 cost), 0 cached, 6 to run" in said.err
    for number in range(1, 7):
        assert f"[{number}/6] " in said.err
    assert "tiny: 6 ok; 6 attempts in " in said.err
    assert "report: reports/tiny/index.html" in said.err
    assert f"MLflow: sqlite:///{finished.terminal.folder}/mlflow.db" in said.err
    assert "two_layer" in said.out
    assert "On blobs, " in said.out.splitlines()[-1]


def test_records_hold_what_was_asked_for(finished: Finished) -> None:
    records = finished.terminal.records()
    assert [record["status"] for record in records] == ["ok"] * 6
    trained = [record for record in records if record["kind"] == "train"]
    assert sorted((record["model"]["label"], record["seed"]) for record in trained) == [
        ("two_layer", 0), ("two_layer", 1), ("wide", 0), ("wide", 1),
    ]  # fmt: skip
    assert {record["model"]["label"]: record["model"]["params"]["hidden"] for record in trained} == {
        "two_layer": 16,
        "wide": 32,
    }
    for record in trained:
        assert 0 <= next(m["value"] for m in record["metrics"] if m["name"] == "test_accuracy") <= 1
        assert record["command"] == "dlbench run tiny.yaml"
    for record in records:
        if record["kind"] == "cost":
            values = {metric["name"]: metric["value"] for metric in record["metrics"]}
            hidden = record["model"]["params"]["hidden"]
            assert values["parameters"] == 8 * hidden + hidden + hidden * 3 + 3
            assert values["infer_throughput"] > 0


def test_artifacts_are_what_the_records_say(finished: Finished) -> None:
    for record in finished.terminal.records():
        folder = finished.terminal.folder / ".dlbench" / "jobs" / record["id"] / str(record["attempt"])
        assert json.loads((folder / "record.json").read_text())["id"] == record["id"]
        for artifact in record["artifacts"]:
            assert hashlib.sha256((folder / artifact["path"]).read_bytes()).hexdigest() == artifact["sha256"]


def test_report_is_whole(finished: Finished) -> None:
    report = finished.terminal.folder / "reports" / "tiny"
    page = (report / "index.html").read_text()
    assert "Is wider better?" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "two_layer" in (report / "report.md").read_text()
    assert (report / "results.csv").read_text().count("\n") == 7
    assert list((report / "figures").glob("*.svg"))


def test_mlflow_shows_every_job_and_the_run_itself(finished: Finished) -> None:
    with sqlite3.connect(finished.terminal.folder / "mlflow.db") as database:
        names = [name for (name,) in database.execute("select name from experiments where name = 'tiny'")]
        tags = database.execute("select value from tags where key = 'dlbench.job_id'").fetchall()
        (runs,) = database.execute("select count(*) from runs").fetchone()
    database.close()
    assert names == ["tiny"]
    assert {job for (job,) in tags} == {record["id"] for record in finished.terminal.records()}
    assert runs == 7


# --- again ----------------------------------------------------------------------------------------------------------


def test_second_run_has_nothing_to_do_and_touches_nothing(again: Terminal) -> None:
    before = again.files()
    said = again("run", "tiny.yaml")
    assert "6 cached, 0 to run" in said.err
    assert "nothing to do" in said.err
    assert said.out == ""
    # The lock names its latest holder.
    assert {path for path, when in again.files().items() if before.get(path) != when} <= {".dlbench/lock"}


def test_a_report_older_than_the_results_is_written_anew(again: Terminal) -> None:
    page = again.folder / "reports" / "tiny" / "index.html"
    before = page.stat().st_mtime_ns
    again("run", "tiny.yaml", "seeds=[0, 1, 7]", "--no-mlflow", "--no-report")
    assert page.stat().st_mtime_ns == before
    said = again("run", "tiny.yaml", "seeds=[0, 1, 7]", "--no-mlflow")
    assert "0 to run" in said.err
    assert page.stat().st_mtime_ns > before
    assert "nothing to do" in again("run", "tiny.yaml", "seeds=[0, 1, 7]", "--no-mlflow").err


def test_only_what_is_new_is_run(again: Terminal) -> None:
    said = again("run", "tiny.yaml", "seeds=3", *QUIET)
    assert "8 jobs (6 train, 2 cost), 6 cached, 2 to run" in said.err
    assert "two_layer · seed 2: ok" in said.err
    assert "seed 0" not in said.err
    assert [record["attempt"] for record in again.records()] == [1] * 8


def test_results_do_not_depend_on_slots_or_executor(finished: Finished, terminal: Terminal) -> None:
    prints = [{record["id"]: record["fingerprint"] for record in finished.terminal.records()}]
    for store, options in (("one", ("--slots", "1")), ("inline", ("--executor", "inline"))):
        said = terminal("run", finished.terminal.folder / "tiny.yaml", "cost=false", "--store", store, *options, *QUIET)
        assert "tiny: 4 ok" in said.err
        prints.append({record["id"]: record["fingerprint"] for record in terminal.records("tiny", "--store", store)})
    assert len(prints[1]) == 4
    assert None not in prints[1].values()
    assert prints[1] == prints[2] == {job: prints[0][job] for job in prints[1]}


# --- what goes wrong ------------------------------------------------------------------------------------------------


def test_failures_cost_only_themselves(mixed: Finished) -> None:
    assert statuses(mixed.terminal, "mixed") == {
        "two_layer": ["ok"],
        "infinite": ["diverged"],
        "error": ["failed"],
        "memory": ["oom"],
    }
    assert "ValueError: this model always fails" in mixed.said.err
    assert mixed.said.err.splitlines()[-1].startswith("1 diverged, 1 failed, 1 oom: ")
    assert "Traceback" not in mixed.said.err


def test_failed_jobs_wait_until_they_are_asked_for(mixed: Finished) -> None:
    said = mixed.terminal("run", "mixed.yaml", *QUIET, code=1)
    assert "1 cached, 0 to run, 4 skipped, 3 failed before (--retry-failed)" in said.err
    assert "1 diverged, 1 failed, 1 oom" in said.err.splitlines()[-1]
    assert {record["attempt"] for record in mixed.terminal.records("mixed")} == {1}


def test_retry_makes_failed_jobs_again_and_no_others(mixed: Finished, terminal: Terminal) -> None:
    shutil.copytree(mixed.terminal.folder, terminal.folder, dirs_exist_ok=True)
    said = terminal("run", "mixed.yaml", "--retry-failed", *QUIET, code=1)
    assert "1 cached, 3 to run" in said.err
    attempts = {record["model"]["label"]: record["attempt"] for record in terminal.records("mixed")}
    assert attempts == {"two_layer": 1, "infinite": 2, "error": 2, "memory": 2}


def test_precision_that_the_device_lacks_is_skipped_and_no_failure(terminal: Terminal) -> None:
    suite = terminal.write(precision="tf32")
    said = terminal("run", suite, *QUIET)
    assert "0 to run, 1 skipped" in said.err
    assert "skipped two_layer: tf32 is a mode of NVIDIA tensor cores; the CPU has none" in said.err


def test_what_is_wrong_with_a_suite_is_said_at_once_and_nothing_is_made(terminal: Terminal) -> None:
    suite = terminal.write(models=["two_layr"], train={"epoch": 1}, colour="blue", seeds=-1)
    said = terminal("run", suite, code=2)
    assert said.out == ""
    assert "there is no model 'two_layr'. Did you mean 'two_layer'?" in said.err
    for word in ("colour", "epoch", "seeds"):
        assert any(line.startswith("tiny.yaml:") and word in line for line in said.err.splitlines())
    assert [path.name for path in terminal.folder.iterdir() if path.name != ".dlbench"] == ["tiny.yaml"]


def test_model_that_cannot_be_built_spends_nothing(terminal: Terminal) -> None:
    (terminal.folder / "shy.py").write_text(
        '"""Cannot be built."""\n'
        "from dlbench.schema.base import Params as Base\n"
        "from dlbench.schema.signature import Classes, Signature, Vector\n"
        "REVISION, PRESETS = 1, {}\n"
        "class Params(Base): ...\n"
        "def accepts(signature): return True\n"
        "def signature(preset): return Signature(input=Vector(size=8), output=Classes(classes=3))\n"
        "def build(params, signature): raise ValueError('not in the mood')\n"
    )
    suite = terminal.write()
    content = json.loads((terminal.folder / suite).read_text())
    content["plugins"]["models"].append("shy.py")
    content["models"].append("shy")
    (terminal.folder / suite).write_text(json.dumps(content))
    said = terminal("run", suite, *QUIET, code=2)
    assert "shy: ValueError: not in the mood" in said.err
    assert "nothing was run" in said.err
    assert not (terminal.folder / ".dlbench" / "jobs").exists()


@pytest.mark.parametrize("command", ["results", "report", "sync"])
def test_store_that_is_not_there(terminal: Terminal, command: str) -> None:
    said = terminal(command, "tiny", "--store", "nowhere", code=3)
    assert "there is no dlbench store" in said.err
    assert said.out == ""
    assert list(terminal.folder.iterdir()) == []


def test_store_that_is_something_else(terminal: Terminal) -> None:
    (terminal.folder / "photos").mkdir()
    (terminal.folder / "photos" / "me.jpg").write_bytes(b"")
    said = terminal("run", terminal.write(), "--store", "photos", code=3)
    assert "is not a dlbench store" in said.err
    assert [path.name for path in (terminal.folder / "photos").iterdir()] == ["me.jpg"]


# --- smoke ----------------------------------------------------------------------------------------------------------


def test_smoke_tries_everything_finds_what_is_broken_and_leaves_nothing(
    terminal: Terminal, tmp_path_factory: pytest.TempPathFactory
) -> None:
    suite = terminal.write(
        models=["two_layer", {"model": "two_layer", "label": "wide", "params": {"hidden": 32}}, exploding("error")],
        seeds=5,
        train={"epochs": 50},
        vary={"train.lr": [1e-3, 1e-2]},
        cost={"batch_sizes": [8, 64], "phases": ["infer"]},
    )
    temporary = tmp_path_factory.mktemp("temporary")
    said = terminal("run", suite, "--smoke", code=1, TMPDIR=str(temporary))
    assert "6 jobs (3 train, 3 cost)" in said.err
    assert "tiny: 2 failed, 4 ok" in said.err
    assert "this model always fails" in said.err
    assert [path.name for path in terminal.folder.iterdir()] == [suite]
    assert [path.name for path in temporary.iterdir() if path.name.startswith("dlbench-smoke")] == []
