"""A report of very many jobs reads every file once, and its charts stay small and say what they leave out."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from synthetic import costs, quality, suite, with_artifact

from dlbench.analyze.results import Results
from dlbench.catalog import Catalog
from dlbench.report.build import compose
from dlbench.schema.blocks import Figure
from dlbench.schema.job import Work
from dlbench.schema.record import Result
from dlbench.sections._drawn import MOST_CONTENDERS, MOST_ROWS
from dlbench.store.folder import Store

OPENED = """
import sys
opened = []
sys.addaudithook(lambda event, given: opened.append(str(given[0])) if event == "open" else None)
from dlbench.__main__ import main
sys.argv = ["dlbench", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print(*(path for path in opened if "/jobs/" in path), sep="\\n", file=sys.stderr)
"""


def long_curve(path: Path) -> None:
    """300 validations."""
    lines = [f"{step},{step / 10},{step / 5},{1 / (step + 1)},{step / 400}" for step in range(300)]
    path.write_text("\n".join(["step,epoch,elapsed_s,train_loss,val_accuracy", *lines]) + "\n")


def many(folder: Path, count: int) -> list[Result]:
    """Contenders with two seeds, costs and long curves."""
    found: list[Result] = []
    for number in range(count):
        label = f"model{number}"
        trained = quality(label, [0.5 + number / 1000, 0.5 + number / 900])
        found += [with_artifact(one, folder, "curve", "curve.csv", long_curve) for one in trained]
        found += costs(label, {"infer_throughput": [100.0 + number, 101.0], "train_forward_ms": [1.0, 1.1]})
    return found


def test_charts_of_many_contenders_are_small_and_say_whom_they_leave_out(tmp_path: Path) -> None:
    page = compose(Results(suite(), many(tmp_path, MOST_CONTENDERS + 5)), Catalog())
    charts = {figure.name.partition("_ag-news")[0]: figure for figure in page.figures}
    assert {"scores", "learning_epochs", "learning_seconds", "step_train"} <= charts.keys()
    for name in ("scores", "learning_epochs", "learning_seconds", "step_train"):
        assert "Of 45 contenders the best 40 are drawn; the leaderboard has all." in charts[name].caption
        drawn = {row["model"] for row in rows(charts[name])}
        assert drawn == {f"model{number}" for number in range(5, 45)}
    assert len(rows(charts["learning_epochs"])) == MOST_ROWS
    assert "Of long curves 50 validations are drawn, evenly spread." in charts["learning_epochs"].caption
    ends = {row["step"] for row in rows(charts["learning_epochs"])}
    assert {0, 299} <= ends
    board = next(section for section in page.sections if section.title == "Leaderboard")
    assert "model0" in board.model_dump_json()


def test_charts_of_few_contenders_leave_nothing_out(tmp_path: Path) -> None:
    page = compose(Results(suite(), many(tmp_path, 3)), Catalog())
    assert not [figure.name for figure in page.figures if "are drawn" in figure.caption]
    chart = next(figure for figure in page.figures if figure.name.startswith("learning_epochs"))
    assert len(rows(chart)) == 3 * 300


def rows(figure: Figure) -> list[dict[str, object]]:
    """The rows of a chart."""
    found: list[dict[str, object]] = json.loads(json.dumps(figure.spec["data"]["values"]))
    return found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Five contenders with a record for every job."""
    found = Store.open(tmp_path / "store", create=True)
    results = many(tmp_path / "made", 5)
    found.write_suite(suite(), [result.entry for result in results])
    for result in results:
        assert result.record is not None
        jobdir = found.new_attempt(Work(job=result.entry.job, attempt=0, label=result.entry.label))
        for artifact in result.record.artifacts:
            (jobdir.path / artifact.path).write_bytes((Path(result.folder or "") / artifact.path).read_bytes())
        jobdir.write_record(result.record)
    return found


@pytest.mark.parametrize("command", [["results"], ["results", "--csv"], ["results", "--json"], ["report"]])
def test_a_command_opens_every_record_and_every_curve_once(command: list[str], store: Store, tmp_path: Path) -> None:
    given = [command[0], "synthetic", *command[1:], "--store", str(store.root)]
    given += ["--out", str(tmp_path / "report")] if command == ["report"] else []
    done = subprocess.run([sys.executable, "-c", OPENED, *given], capture_output=True, text=True, check=True)
    opened = [line for line in done.stderr.splitlines() if line.startswith(str(store.root))]
    records = [path for path in opened if path.endswith("record.json")]
    curves = [path for path in opened if path.endswith("curve.csv")]
    assert len(records) == len(set(records)) == 20
    assert len(curves) == len(set(curves)) == (10 if command == ["report"] else 0)
