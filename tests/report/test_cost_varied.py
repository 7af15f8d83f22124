"""What a report shows where costs alone are measured and something is varied."""

import io
import re

import pytest
from rich.console import Console
from synthetic import costs, job, quality, result, suite
from synthetic_costs import NO_COUNTER, SIZES, anatomy, checkpointed, largest

from dlbench.analyze.results import Results
from dlbench.catalog import Catalog
from dlbench.cli.results import table
from dlbench.report.build import build_report
from dlbench.schema.blocks import Figure, Section, Table
from dlbench.schema.record import Result


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("varied")
    build_report(Results(suite(seeds=[]), checkpointed()), folder)
    names = {path.name for path in (folder / "figures").iterdir()}
    assert "cost_varied_train_grad_checkpointing_true_ag-news.svg" in names
    return (folder / "report.md").read_text()


def part(report: str, title: str) -> str:
    return report.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def build(results: list[Result], name: str = "cost_varied") -> Section | None:
    section: Section | None = Catalog().load("sections", name).build(Results(suite(), results))
    return section


def test_ratios_stand_with_intervals_and_what_is_not_told_is_marked(report: str) -> None:
    found = part(report, "What varying does to costs")
    speeds, memory = r"0\.720× \(0\.70\d–0\.73\d\) \| 0\.720× \| 1\.39×", r"0\.\d+× [^|]*\| 0\.400×"
    assert re.search(rf"\| transformer · cpu \| 256 \| {speeds} \| {memory} \|", found)
    assert re.search(r"\| lstm · cpu \| 1 \| ≈ 0\.9[89]\d× \(0\.8\d+–1\.1\d\) \|", found)
    assert "Costs with grad checkpointing on over those of the same model with grad checkpointing off" in found
    assert found.count("this machine has no CUDA device") == 1
    assert "Skipped: cuda (" in found


def test_nothing_is_said_of_scores(report: str) -> None:
    board = part(report, "Leaderboard")
    assert "Costs are medians over rounds; nothing is trained." in board
    for word in ("Scores", "Seeds", "baseline", "no result"):
        assert word not in board
    assert "Every contender is trained" not in report
    assert "no training has finished" not in report


def test_a_dot_has_its_interval_and_says_whether_it_is_told() -> None:
    section = build(checkpointed())
    assert section is not None
    figure = next(block for block in section.blocks if isinstance(block, Figure))
    rows = figure.spec["data"]["values"]
    assert isinstance(rows, list)
    for row in rows:
        assert row["low"] <= row["ratio"] <= row["high"]
        assert row["batch"] == max(SIZES)
    speeds = {row["model"]: row["told"] for row in rows if row["cost"] == "Training speed"}
    assert speeds == {"lstm · cpu": "not clear", "transformer · cpu": "clear"}


def test_nothing_that_costs_depend_on_is_no_section() -> None:
    assert build(quality("a", [0.9])) is None
    assert build(costs("lstm", anatomy("lstm", 8))) is None
    assert build(costs("lstm", anatomy("lstm", 8), varied={"train.lr": 0.1})) is None
    assert build(costs("lstm", anatomy("lstm", 8), varied={"precision": "fp32"})) is None


def test_parameters_of_a_model_are_varied_too() -> None:
    results = []
    for layers in (2, 4, 8):
        varied, params = {"model.layers": layers}, {"layers": layers}
        values = anatomy("lstm", 64, 2 / layers, layers / 2) | {"infer_latency_p50_ms": [NO_COUNTER] * 3}
        results += costs(f"lstm layers={layers}", values, varied=varied, params=params)
    section = build(results)
    assert section is not None
    found = next(block for block in section.blocks if isinstance(block, Table))
    assert [column.name for column in found.columns[:3]] == ["Model", "With", "Batch"]
    assert "Latency" not in [column.name for column in found.columns]
    assert [row[1].value for row in found.rows if not isinstance(row[1], str | int | float | None)] == [
        "layers 4",
        "layers 8",
    ]


def test_the_largest_batch_is_that_of_both() -> None:
    found = []
    for on, batch in ((False, 64), (True, 256)):
        varied, train = {"train.compile": on}, {"compile": on}
        found += costs("lstm", anatomy("lstm", 64), varied=varied, train=train)
        search = largest("lstm", batch, train=train)
        entry = search.entry.model_copy(update={"varied": varied})
        found.append(search.model_copy(update={"entry": entry}))
    section = build(found)
    assert section is not None
    text = str(next(block for block in section.blocks if isinstance(block, Table)))
    assert "4.00× (64 → 256)" in text


def shown(results: list[Result], width: int = 200) -> str:
    found = Results(suite(), results)
    screen = io.StringIO()
    Console(width=width, file=screen).print(table(found, found.arenas[0]))
    return screen.getvalue()


def test_the_terminal_shows_speeds_instead_of_scores() -> None:
    text = shown([one for size in (1, 8, 64, 256) for one in costs("lstm", anatomy("lstm", size), batch_size=size)])
    for word in ("score", "no result", " n ", "baseline", "batch 8"):
        assert word not in text
    for word in ("train/s, batch 1", "infer/s, batch 64", "train/s, batch 256", "batch sizes 1, 64, 256 of 4"):
        assert word in text
    assert "of 1" not in shown(costs("lstm", anatomy("lstm", 64)))


def test_the_terminal_says_what_became_of_the_rest() -> None:
    skipped = result(job("gru", kind="cost"), "gru", skipped="there is no GPU")
    rows = [line for line in shown([*costs("lstm", anatomy("lstm", 64)), skipped]).splitlines() if "gru" in line]
    assert [cell.strip() for cell in rows[0].strip("│").split("│")] == ["gru", "skipped", "skipped", ""]


def test_the_terminal_cuts_no_name() -> None:
    text = shown(costs("lstm grad_checkpointing=True", anatomy("lstm", 64)), width=40)
    assert "…" not in text
