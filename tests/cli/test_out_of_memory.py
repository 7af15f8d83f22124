"""A job that runs out of memory says how much it had and how large a batch fits, and harms nobody."""

import json

import pytest
from terminal import QUIET, Terminal, environment

HUNGRY = {"model": "takes", "label": "hungry", "params": {"mib_per_example": 8.0}}
LIMITED = {"batch_sizes": [4, 64], "phases": ["train"], "rounds": 1, "limit_s": 0.05, "memory_gib": 0.25, "threads": 1}


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """256 MiB at 8 MiB an example: 64 do not fit, some 30 do."""
    terminal = Terminal(tmp_path_factory.mktemp("refused"), environment(tmp_path_factory.getbasetemp()))
    terminal.write("hungry", models=[HUNGRY, "two_layer"], seeds=1, cost={**LIMITED, "largest_batch": True})
    said = terminal("run", "hungry.yaml", *QUIET, "--offline", code=1)
    assert "1 oom" in said.err
    return terminal


def test_the_record_holds_the_peak_and_the_largest_batch_that_fits(refused: Terminal) -> None:
    oom = next(record for record in refused.records("hungry") if record["status"] == "oom")
    assert (oom["model"]["label"], oom["cost"]["batch_size"]) == ("hungry", 64)
    found = {metric["name"]: metric for metric in oom["metrics"]}
    largest = found["train_largest_batch"]
    assert 16 <= largest["value"] <= 32
    assert largest["detail"]["bounded_by"] == "memory"
    assert largest["detail"]["tried"][-1] == [64, None]
    assert found["train_peak_memory_bytes"]["detail"] == {"reached": True}
    assert 0 <= found["train_peak_memory_bytes"]["value"] < 2**28
    assert oom["reason"].startswith("out of memory: ")
    assert oom["reason"].endswith(f"; the largest batch that fits is {largest['value']:g}")


def test_the_jobs_after_it_are_unharmed(refused: Terminal) -> None:
    others = [record["status"] for record in refused.records("hungry") if record["status"] != "oom"]
    assert others == ["ok"] * 7  # two trained, three rounds, two searches


def test_a_search_finds_the_same_and_draws_memory_against_the_batch(refused: Terminal) -> None:
    searches = [r for r in refused.records("hungry") if r["cost"] and r["cost"]["largest_batch"]]
    found = {record["model"]["label"]: record["metrics"][0] for record in searches}
    assert {metric["name"] for metric in found.values()} == {"train_largest_batch"}
    hungry, small = found["hungry"], found["two_layer"]
    assert 16 <= hungry["value"] <= 32
    assert (small["value"], small["detail"]["bounded_by"]) == (64, "examples")
    fitted = [(size, peak) for size, peak in hungry["detail"]["tried"] if peak is not None]
    # Forward pass alone: 8 MiB an example, give or take what a page more or less makes.
    assert all(abs(peak / 2**20 - 8 * size) < 4 + 0.1 * 8 * size for size, peak in fitted)
    assert hungry["detail"]["limit_bytes"] == 2**28


def test_a_train_job_says_so_too(refused: Terminal) -> None:
    huge = {**HUNGRY, "label": "huge", "params": {"mib_per_example": 2.0**20}}
    refused.write("huge", models=[huge], seeds=1, train={"epochs": 1, "batch_size": 8})
    said = refused("run", "huge.yaml", *QUIET, "--offline", code=1)
    assert "1 oom" in said.err
    (record,) = refused.records("huge")
    found = {metric["name"]: metric for metric in record["metrics"]}
    assert found["train_largest_batch"]["value"] is None
    assert "not even one example fits" in record["reason"]
    assert found["train_largest_batch"]["detail"]["tried"] == [[1, None], [2, None], [4, None], [8, None]]


def test_the_report_shows_it(refused: Terminal) -> None:
    refused("report", "hungry")
    text = (refused.folder / "reports" / "hungry" / "report.md").read_text()
    assert "out of memory" in text
    assert "the largest batch that fits is" in text


def test_the_largest_batch_is_listed_for_programs(refused: Terminal) -> None:
    listed = json.loads(refused("plan", "hungry.yaml", "--json", "--offline").out)
    assert sum(len(row["jobs"]["cost"]) for row in listed) == 6
