"""What the store holds, read back: tables, CSV, JSON, reports."""

import csv
import io
import json
import shutil
import subprocess
import sys

from filled import fill
from terminal import Finished, Terminal


def test_a_file_that_differs_from_what_was_run_is_told(finished: Finished) -> None:
    terminal = finished.terminal
    file = next(terminal.folder.glob("tiny.yaml"))
    assert "shown as" not in terminal("results", file).err
    changed = terminal.folder / "changed.yaml"
    changed.write_text(file.read_text().replace('"epochs": 1', '"epochs": 9'))
    said = terminal("results", changed)
    assert f"tiny: shown as it was last run; {changed} differs in train" in said.err
    assert "two_layer" in said.out


def test_table_has_a_row_for_each_contender(finished: Finished) -> None:
    said = finished.terminal("results", "tiny")
    rows = [line for line in said.out.splitlines() if line.startswith("│")]
    assert {row.split()[1] for row in rows} == {"two_layer", "wide"}
    assert [row.split("│")[3].strip() for row in rows] == ["2", "2"]
    assert "accuracy" in said.out
    assert "infer/s, batch 8" in said.out
    assert "parameters" in said.out
    assert "against baseline" in said.out
    assert said.err == ""


def test_csv_has_a_line_for_each_job(finished: Finished) -> None:
    rows = list(csv.DictReader(io.StringIO(finished.terminal("results", "tiny", "--csv").out)))
    records = {record["id"]: record for record in finished.terminal.records()}
    assert {row["job"] for row in rows} == set(records)
    for row in rows:
        record = records[row["job"]]
        values = {metric["name"]: metric["value"] for metric in record["metrics"]}
        assert row["status"] == "ok"
        assert row["label"] == record["model"]["label"]
        if record["kind"] == "train":
            assert float(row["test_accuracy"]) == values["test_accuracy"]
            assert int(row["seed"]) == record["seed"]
        else:
            assert float(row["infer_throughput"]) == values["infer_throughput"]


def test_suite_can_be_named_by_its_file(finished: Finished) -> None:
    assert finished.terminal("results", "tiny.yaml").out == finished.terminal("results", "tiny").out
    assert finished.terminal("results", "tiny", DLBENCH_STORE="elsewhere", code=3).out == ""


def test_near_names_are_offered(finished: Finished) -> None:
    said = finished.terminal("results", "tinny", code=2)
    assert "has nothing of a suite 'tinny'. Did you mean 'tiny'?" in said.err
    assert "no such file" in finished.terminal("results", "tinny.yaml", code=2).err.lower()


def test_what_has_not_run_yet_is_counted(terminal: Terminal) -> None:
    suite = terminal.write(seeds=4)
    fill(terminal.folder / suite, terminal.folder / ".dlbench", status=lambda e: "ok" if e.job.seed == 0 else None)
    said = terminal("results", "tiny")
    assert "3 jobs not run yet" in said.err
    assert "parameters" not in said.out  # only cost jobs count them
    assert "baseline" not in said.out.splitlines()[-2]  # there is nothing to compare it with
    assert [record["seed"] for record in terminal.records()] == [0]


def test_reader_that_goes_away_is_no_error(finished: Finished) -> None:
    """`dlbench results tiny --json | head -1`."""
    ended = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {sys.executable} -m dlbench results tiny --json | head -1"],
        cwd=finished.terminal.folder, env=finished.terminal.environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert ended.stdout == "[\n"
    assert ended.stderr == ""


def test_report_is_written_where_it_is_wanted(again: Terminal) -> None:
    shutil.rmtree(again.folder / "reports")
    said = again("report", "tiny", "--out", "pages")
    assert said.out == "pages/index.html\n"
    expected = {"index.html", "report.md", "results.csv", "results.parquet", "suite.yaml", "figures", "tables"}
    assert {path.name for path in (again.folder / "pages").iterdir()} == expected
    assert not (again.folder / "reports").exists()


def test_damaged_record_is_missing_and_made_again(again: Terminal) -> None:
    record = again.records()[0]
    file = again.folder / ".dlbench" / "jobs" / record["id"] / "1" / "record.json"
    file.write_text(file.read_text()[:100])
    assert len(again.records()) == 5
    (narrow, _) = again("plan", "tiny.yaml", "--json").json
    assert narrow["states"] == {"run": 1, "cached": 2}


def test_store_of_a_newer_version_is_left_alone(again: Terminal) -> None:
    (again.folder / ".dlbench" / "store.json").write_text(json.dumps({"format": 99, "id": "x"}))
    for command in (("results", "tiny"), ("run", "tiny.yaml"), ("plan", "tiny.yaml"), ("report", "tiny")):
        assert "newer dlbench" in again(*command, code=3).err


def test_a_name_from_elsewhere_moves_no_cursor(again: Terminal) -> None:
    index = again.folder / ".dlbench" / "suites" / "tiny" / "jobs.jsonl"
    lines = [json.loads(line) for line in index.read_text().splitlines()]
    for line in lines:
        if line["label"] == "wide":
            line["label"] = "\x1b[2Jwide\r[bold]"
    index.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    said = again("results", "tiny")
    assert "\x1b" not in said.out
    assert "\r" not in said.out
    assert "\\x1b[2Jwide\\r[bold]" in said.out
    again("report", "tiny")
    text = (again.folder / "reports" / "tiny" / "report.md").read_text()
    assert "\x1b" not in text
    assert "\x1b" not in (again.folder / "reports" / "tiny" / "index.html").read_text()
