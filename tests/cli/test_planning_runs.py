"""What `dlbench plan` says a run would do, and that it does nothing itself."""

from collections import Counter
from typing import Any

import pytest
from filled import fill
from terminal import Finished, Terminal

from dlbench.cli.plan_table import rows
from dlbench.cli.planning import Flags, planned
from dlbench.schema.job import Entry
from dlbench.store.folder import Store

TWO_ROUNDS = {"batch_sizes": [8], "phases": ["infer"], "rounds": 2}
WIDE = {"model": "two_layer", "label": "wide", "params": {"hidden": 32}}
WIDER = {"model": "two_layer", "label": "wider", "params": {"hidden": 48}}


def states(terminal: Terminal, suite: str, *options: str) -> dict[str, dict[str, int]]:
    """Label → state → jobs."""
    return {row["label"]: row["states"] for row in terminal("plan", suite, "--json", *options).json}


def test_plan_changes_nothing(again: Terminal) -> None:
    before = again.files()
    again("plan", "tiny.yaml", "seeds=4")
    assert again.files() == before


def test_plan_of_a_new_suite_makes_no_store(terminal: Terminal) -> None:
    suite = terminal.write(models=["two_layer", WIDE], seeds=3, cost=TWO_ROUNDS)
    said = terminal("plan", suite)
    assert "tiny: 10 jobs (6 train, 4 cost), 0 cached, 10 to run, about " in said.out
    assert "3 seeds: too few for a verdict (5 are enough)" in said.out
    (row,) = [line.split() for line in said.out.splitlines() if " wide " in line]
    assert row[:9] == ["vectors", "blobs", "wide", "fp32", "on", "cpu", "3", "2", "5"]
    assert str(8 * 32 + 32 + 32 * 3 + 3) in row
    assert [path.name for path in terminal.folder.iterdir()] == [suite]


def test_plan_knows_what_is_cached(finished: Finished) -> None:
    (narrow, wide) = finished.terminal("plan", "tiny.yaml", "seeds=3", "--json").json
    assert narrow["states"] == wide["states"] == {"cached": 3, "run": 1}
    assert {len(ids) for ids in narrow["jobs"].values()} == {1, 3}
    assert {record["id"] for record in finished.terminal.records()} < {
        job for row in (narrow, wide) for ids in row["jobs"].values() for job in ids
    }
    assert 0 < narrow["seconds"] < 60


def test_plan_knows_what_failed_and_what_is_skipped(mixed: Finished) -> None:
    rows = mixed.terminal("plan", "mixed.yaml", "--json").json
    found = {(row["label"], row["precision"]): row["states"] for row in rows}
    exploding = ("infinite", "error", "memory")
    assert found == {
        ("two_layer", "fp32"): {"cached": 1},
        **{(label, "fp32"): {"failed": 1} for label in exploding},
        **{(label, "tf32"): {"skipped": 1} for label in ("two_layer", *exploding)},
    }
    retried = mixed.terminal("plan", "mixed.yaml", "--json", "--retry-failed").json
    assert Counter(state for row in retried for state in row["states"]) == {"again": 3, "cached": 1, "skipped": 4}
    table = mixed.terminal("plan", "mixed.yaml").out
    assert "skipped: tf32 is a mode of NVIDIA tensor cores" in table
    assert "3 failed before (--retry-failed)" in table


def test_interrupted_and_lost_jobs_are_made_again(terminal: Terminal) -> None:
    suite = terminal.write(seeds=4)
    words: dict[Any, Any] = {0: "interrupted", 1: "lost", 2: "ok", 3: None}
    fill(terminal.folder / suite, terminal.folder / ".dlbench", status=lambda entry: words[entry.job.seed])
    assert states(terminal, suite) == {"two_layer": {"again": 2, "cached": 1, "run": 1}}


def test_plan_refuses_what_run_refuses(terminal: Terminal) -> None:
    said = terminal("plan", terminal.write(models=["two_layr"]), code=2)
    assert "Did you mean 'two_layer'?" in said.err
    assert said.out == ""


# --- anchors: a contender that joins cached ones is not compared across a drift of the machine unseen --------------


def planned_states(terminal: Terminal, suite: str) -> dict[str, dict[str, int]]:
    """The same as `states`, in this process and without building any model."""
    with planned(Flags(terminal.folder / suite), Store.open(terminal.folder / ".dlbench", create=True)) as todo:
        return {row["label"]: row["states"] for row in rows(todo)}


def plan_and_fill(terminal: Terminal, *models: Any, **changes: Any) -> dict[str, dict[str, int]]:
    """What the plan says of a suite of these models; then as if it had been run."""
    suite = terminal.write(models=list(models), **{"cost": TWO_ROUNDS, **changes})
    found = planned_states(terminal, suite)
    fill(terminal.folder / suite, terminal.folder / ".dlbench")
    return found


def test_contender_that_joins_brings_anchor_rounds_once(terminal: Terminal) -> None:
    assert plan_and_fill(terminal, "two_layer") == {"two_layer": {"run": 3}}
    joined = plan_and_fill(terminal, "two_layer", WIDE)
    assert joined == {"two_layer": {"cached": 3, "run": 2}, "wide": {"run": 3}}
    settled = {"two_layer": {"cached": 5}, "wide": {"cached": 3}}
    assert plan_and_fill(terminal, "two_layer", WIDE) == settled
    assert plan_and_fill(terminal, "two_layer", WIDE) == settled
    assert plan_and_fill(terminal, "two_layer", WIDE, WIDER) == {
        "two_layer": {"cached": 5, "run": 2},
        "wide": {"cached": 3},
        "wider": {"run": 3},
    }
    assert plan_and_fill(terminal, "two_layer", WIDE, WIDER) == {
        "two_layer": {"cached": 7},
        "wide": {"cached": 3},
        "wider": {"cached": 3},
    }
    anchors = [record for record in terminal.records() if record["cost"] and record["cost"]["anchor"]]
    assert sorted((record["model"]["label"], record["cost"]["round"]) for record in anchors) == [
        ("two_layer", round) for round in (2, 3, 4, 5)
    ]


def test_more_rounds_are_made_beside_anchors_which_are_no_rounds(terminal: Terminal) -> None:
    plan_and_fill(terminal, "two_layer")
    plan_and_fill(terminal, "two_layer", WIDE)
    more = plan_and_fill(terminal, "two_layer", WIDE, cost={**TWO_ROUNDS, "rounds": 4})
    assert more == {"two_layer": {"cached": 5, "run": 2}, "wide": {"cached": 3, "run": 2}}


@pytest.mark.parametrize("word", ["failed", "oom"])
def test_contender_that_has_no_result_brings_no_anchors_again(terminal: Terminal, word: Any) -> None:
    plan_and_fill(terminal, "two_layer")
    suite = terminal.write(models=["two_layer", WIDE], cost=TWO_ROUNDS)

    def status(entry: Entry) -> Any:
        return word if entry.label == "wide" else "ok"

    for _ in range(2):
        fill(terminal.folder / suite, terminal.folder / ".dlbench", status=status)
    found = planned_states(terminal, suite)
    assert found["two_layer"] == {"cached": 5}
    assert found["wide"] == {"failed": 3}
