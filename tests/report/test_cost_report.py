"""What a report shows of cost: parts that add up, precisions, batches, drift, and what is not known."""

import re
from itertools import pairwise

import pandas as pd
import pytest
from synthetic import costs, quality, suite
from synthetic_costs import NO_COUNTER, anatomy, everything

from dlbench.analyze.results import Results
from dlbench.analyze.table import job_rows
from dlbench.catalog import Catalog
from dlbench.report.build import build_report
from dlbench.schema.blocks import Figure, Section, Table, Text
from dlbench.schema.record import Result

FIGURES = (
    "step_train",
    "step_infer",
    "memory_train",
    "memory_infer",
    "precision_train",
    "precision_infer",
    "batches_throughput_train",
    "batches_memory_train",
    "batches_memory_infer",
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("costs")
    build_report(Results(suite(report={"baseline": "lstm"}), everything()), folder)
    assert {f"{name}_ag-news.svg" for name in FIGURES} <= {path.name for path in (folder / "figures").iterdir()}
    return (folder / "report.md").read_text()


def section(report: str, title: str) -> str:
    return report.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def build(name: str, results: list[Result]) -> Section | None:
    section: Section | None = Catalog().load("sections", name).build(Results(suite(), results))
    return section


def test_failures_tell_of_peaks_and_of_drift(report: str) -> None:
    failures = section(report, "Failures and gaps")
    assert "out of memory at 2.00 GB | peak of training 1.98 GB; largest batch of training 64 |" in failures
    assert "The machine was 7 % slower when lstm · fp32 was measured again than when it was measured first" in failures
    assert "From before: linear · fp32, lstm · fp32, " in failures
    assert "from after: transformer · fp32, " in failures
    assert "fp8 rounds" not in failures


def test_precisions_are_held_against_the_same_model_without(report: str) -> None:
    found = section(report, "Precision")
    assert re.search(r"\| lstm · bf16 \| bf16 \| [^|]+ \| worse \(−0.1 points\) \| 1.70× \| 1.70× \|", found)
    assert re.search(r"\| lstm · fp8\\?_emulated \| fp8\\?_emulated \| [^|]+ \| not ranked \(−2.0 points\) \|", found)
    assert "asked for bf16, but 1 of 6 layers ran wholly or partly in another" in found
    assert "Skipped: fp16 (linear, lstm and transformer): this CPU has no fp16 instructions." in found


def test_parts_stand_with_their_whole(report: str) -> None:
    found = section(report, "What a step costs")
    assert "Time of a step in training, batch 256" in found
    assert "Not measured. Transfer: the batch is on the device." in found
    assert found.count("Transfer") == 1
    assert "−3.05 MB" in found


def test_batches_have_a_largest_and_enough(report: str) -> None:
    found = section(report, "How costs grow with the batch")
    assert "| lstm · fp32 | 2,048 | memory | 2.00 GB | 64 |" in found


def test_utilisation_stands_where_it_is_known(report: str) -> None:
    board = section(report, "Leaderboard")
    assert "MFU" in board
    assert "| Energy" not in board
    assert "Not measured. Energy/sample (J): this CPU has no readable energy counter." in board
    method = section(report, "How it was measured")
    assert "noise floor that dlbench calibrate measured on this machine (3.0 % for train throughput" in method
    assert "measured again beside them: lstm · fp32." in method
    assert "Matrix products, float32 | 210 GFLOP/s" in report


def test_memory_parts_and_a_positive_gap_end_at_the_peak() -> None:
    built = build("cost_anatomy", costs("lstm", anatomy("lstm", 64)))
    assert built is not None
    figure = next(
        block for block in built.blocks if isinstance(block, Figure) and block.name.startswith("memory_train")
    )
    rows = figure.spec["data"]["values"]
    parts = [row for row in rows if "part" in row]
    assert max(row["end"] for row in parts) == pytest.approx(next(row["whole"] for row in rows if "whole" in row))
    assert all(b["start"] == a["end"] for a, b in pairwise(parts))
    colours = figure.spec["layer"][0]["encoding"]["color"]["scale"]["domain"]
    assert {row["part"] for row in parts} <= set(colours)
    assert len(colours) <= 8
    assert figure.spec["layer"][0]["encoding"]["y"]["scale"]["domain"] == ["lstm"]


def test_parts_of_no_value_leave_their_reason_alone() -> None:
    values = anatomy("lstm", 64) | {"train_forward_ms": ["the graph is compiled whole"] * 3}
    built = build("cost_anatomy", costs("lstm", values))
    assert built is not None
    table = next(block for block in built.blocks if isinstance(block, Table))
    assert "Forward" not in [column.name for column in table.columns]
    notes = [block.text for block in built.blocks if isinstance(block, Text)]
    assert notes == ["Not measured. Transfer: the batch is on the device. Forward: the graph is compiled whole."]
    assert build("cost_anatomy", costs("a", {"train_forward_ms": [NO_COUNTER]})) is None


def test_a_suite_in_one_precision_compares_none() -> None:
    assert build("precision", [*quality("a", [0.9]), *costs("a", anatomy("lstm", 8))]) is None
    found = build("precision", quality("a", [0.9], precision="bf16"))
    assert found is not None
    (astray,) = found.blocks
    assert isinstance(astray, Text)
    assert astray.text == "a asked for bf16, but nothing of it ran so: float32."
    assert build("precision", [*quality("a", [0.9]), *quality("a", [0.9], precision="bf16")]) is not None


def test_two_batch_sizes_are_no_curve() -> None:
    two = [one for size in (1, 8) for one in costs("lstm", anatomy("lstm", size), batch_size=size)]
    assert build("batch_scaling", two) is None
    assert build("batch_scaling", [*two, *costs("lstm", anatomy("lstm", 64))]) is not None


def test_the_table_of_jobs_tells_anchors_from_rounds() -> None:
    table = pd.DataFrame(job_rows(Results(suite(), everything())))
    assert table["anchor"].sum() == 3
    assert table["train_largest_batch"].count() == 3
    assert table["round"].count() == table["anchor"].count() - 2
    assert set(table["ran"].dropna()) == {"float32", "bfloat16; float32"}


def test_a_busy_machine_is_a_line_however_many_jobs_it_disturbed() -> None:
    speeds = {"infer_throughput": [100.0, 101.0]}
    busy = ("other processes kept cores busy while this was measured: train throughput, infer latency",)
    taken = ("the host took processor time away while this was measured: infer latency",)
    lines = [*costs("a", speeds, flags=(*busy, *taken)), *costs("b", speeds, flags=busy), *quality("b", [0.9])]
    section = build("failures", [*lines, *costs("c", {"infer_throughput": [99.0]}, flags=["emulated: int8"])])
    assert section is not None
    (table,) = section.blocks
    assert isinstance(table, Table)
    assert [row[1:] for row in table.rows] == [
        ("cost", "other processes kept cores busy", "train throughput 4, infer latency 4", "a 2, b 2"),
        ("cost", "the host took processor time away", "infer latency 2", "a 2"),
    ]
