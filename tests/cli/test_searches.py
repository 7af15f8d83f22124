"""Whole searches from the command line: what they try, keep, judge and say, and that a kill changes nothing."""

import json
import os
import random
import shutil
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from commands import PATIENCE_S
from terminal import PLUGINS, QUIET, ROOT, Terminal, exploding

SPACE = {"train.lr": {"low": 1e-3, "high": 1.0, "log": True}, "model.hidden": [4, 8, 16]}
SEARCH: dict[str, Any] = {"space": SPACE, "budget": {"trials": 8}, "pruner": {"median": {"startup": 2, "warmup": 0}}}
TRAIN = {"epochs": 4, "lr": 1e-3}


def log(terminal: Terminal) -> list[dict[str, Any]]:
    """Lines of the only study."""
    (path,) = (terminal.folder / ".dlbench" / "studies").glob("*/trials.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def moved(folder: Path) -> dict[str, list[str]]:
    """The same plugins from elsewhere, as on a colleague's machine: that changes no search."""
    shutil.copytree(ROOT / "tests" / "plugins", folder / "plugins")
    return {
        shelf: [str(folder / "plugins" / Path(path).relative_to(ROOT / "tests" / "plugins")) for path in paths]
        for shelf, paths in PLUGINS.items()
    }


def course(terminal: Terminal) -> list[Any]:
    """All of the study but the clock."""
    found = []
    for event in log(terminal):
        if event["kind"] == "asked":
            found.append(("asked", event["number"], event["point"]))
        elif event["kind"] == "told":
            told = event["told"]
            found.append(("told", event["number"], told["state"], told.get("values"), told.get("epochs")))
    return found


def test_a_search_from_the_first_candidate_to_the_verdict(terminal: Terminal) -> None:
    good, hopeless = ({"train.lr": lr, "model.hidden": 16} for lr in (0.1, 1e-3))
    first = [good, {**good, "model.hidden": 8}, hopeless]
    suite = terminal.write(search={**SEARCH, "first": first}, train=TRAIN, seeds=5)
    planned = terminal("plan", suite)
    assert "search on vectors: 1 study (tpe), each until 8 candidates were tried, of endlessly many" in planned.out
    assert not (terminal.folder / ".dlbench").exists()
    said = terminal("run", suite, "--no-mlflow", "--slots", "1")  # in two, the third may begin before two have ended
    records = terminal.records()
    candidates = [r for r in records if r["study"] is not None]
    finals = [r for r in records if r["study"] is None]
    states = Counter(r["status"] for r in candidates)
    assert sum(states.values()) == 8
    assert [e["told"]["state"] for e in log(terminal) if e["kind"] == "told"][:3] == ["ok", "ok", "pruned"]
    assert Counter(r["model"]["label"] for r in finals) == {"two_layer": 5, "best": 5}
    assert "best" in said.out

    # A search never sees the test split, and no seed that chose the winner judges it.
    assert not any(m["name"].startswith("test_") for r in candidates for m in r["metrics"])
    assert all(any(m["name"] == "test_accuracy" for m in r["metrics"]) for r in finals)
    assert {r["seed"] for r in candidates}.isdisjoint({r["seed"] for r in finals})
    best = next(r for r in finals if r["model"]["label"] == "best")
    scores = {r["id"]: next(m["value"] for m in r["metrics"] if m["name"] == "val_accuracy") for r in candidates}
    told = [e for e in log(terminal) if e["kind"] == "told" and e["told"]["state"] == "ok"]
    top = max(told, key=lambda e: (e["told"]["values"][0], -e["number"]))
    chosen = next(e["point"] for e in log(terminal) if e["kind"] == "asked" and e["number"] == top["number"])
    assert best["train"]["lr"] == chosen["train.lr"]
    assert best["model"]["params"]["hidden"] == chosen["model.hidden"]
    assert scores[top["told"]["jobs"][0]] == top["told"]["values"][0]

    report = (terminal.folder / "reports" / "tiny" / "report.md").read_text()
    assert "8 candidates" in report
    written = terminal("show", "best", "tiny", "--yaml")
    (terminal.folder / "best.yaml").write_text(written.out)
    again = terminal("plan", "best.yaml")
    assert "tiny_best" in again.out

    # More trials go on where it stopped.
    before = course(terminal)
    terminal("run", suite, "search.budget={trials: 10}", *QUIET)
    assert course(terminal)[: len(before)] == before
    assert sum(e[0] == "asked" for e in course(terminal)) == 10


def test_sweep_searches_what_a_suite_varies(terminal: Terminal) -> None:
    suite = terminal.write(
        models=["two_layer", {"model": "two_layer", "label": "wide", "params": {"hidden": 64}}],
        vary={"train.lr": [0.001, 0.01, 0.1]},
    )
    said = terminal("sweep", suite, "--trials", "4", "--strategy", "random", *QUIET)
    assert "each until 4 candidates were tried, of 6 candidates (model, train.lr)" in said.err
    assert sum(r["study"] is not None for r in terminal.records()) == 4
    (terminal.folder / "one.yaml").write_text((terminal.folder / suite).read_text().replace("tiny", "one"))
    none = terminal("sweep", terminal.write("none"), "--trials", "4", code=2)
    assert "nothing is searched on vectors: give a `space:`, a `vary:`, or several models." in none.err


def test_each_task_is_searched_for_its_own_score_on_its_own_data(terminal: Terminal) -> None:
    sizes = {"train_size": 64, "val_size": 16, "test_size": 16}
    search = {"space": {"train.lr": [1e-3, 1e-2]}, "budget": {"trials": 1}, "winners": 0}
    symbols = terminal.write(tasks=[{"translation": {"dataset": {"reverse": sizes}}}], models=["gru"], search=search)
    assert "for val_exact_match" in terminal("plan", symbols).out, "BLEU is of language"
    twice = [{"vectors": {"dataset": {"blobs": {"train_size": size}}}} for size in (64, 128)]
    terminal("run", terminal.write("twice", tasks=twice, search=search), *QUIET)
    heads = [json.loads(path.read_text()) for path in (terminal.folder / ".dlbench" / "studies").glob("*/study.json")]
    assert len({head["digest"] for head in heads}) == len(heads) == 2


def test_kill_at_random_moments_then_resume(terminal: Terminal, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = Terminal(tmp_path_factory.mktemp("undisturbed"), terminal.environment)
    search = {**SEARCH, "winners": 0, "budget": {"trials": 6}}
    changes: dict[str, Any] = {"search": search, "train": {"epochs": 6, "lr": 1e-3, "evaluate_every": 40}}
    changes["tasks"] = [{"vectors": {"dataset": {"blobs": {"train_size": 4096}}}}]
    command = ("run", terminal.write(**changes), "--slots", "1", *QUIET)
    other("run", other.write(plugins=moved(other.folder), **changes), "--slots", "1", *QUIET)
    dice = random.Random(7)
    for _ in range(3):
        run = terminal.start(*command)
        time.sleep(1.2 + 2.5 * dice.random())
        os.kill(run.pid, signal.SIGKILL)
        run.communicate(timeout=PATIENCE_S)
    terminal(*command)
    assert course(terminal) == course(other)


def test_candidates_that_fail_end_nothing(terminal: Terminal) -> None:
    search = {"budget": {"trials": 8}, "strategy": "grid"}
    models = ["two_layer", *(exploding(how) for how in ("infinite", "error", "memory"))]
    said = terminal("run", terminal.write(models=models, search={**search, "winners": 0}), *QUIET)
    reasons = [e["told"]["reason"] for e in log(terminal) if e["kind"] == "told" and e["told"]["state"] == "failed"]
    assert sorted(reason.partition(":")[0] for reason in reasons) == ["diverged", "failed", "oom"]
    assert "1 ok" in said.err


def test_a_smoke_run_tries_two_candidates_of_each_study(terminal: Terminal) -> None:
    search = {"space": SPACE, "strategy": ["random", "tpe"], "study_seeds": 5, "seeds": 3, "budget": {"trials": 50}}
    said = terminal("run", terminal.write(search=search), "--smoke")
    assert "2 studies (random, tpe), each until 2 candidates were tried" in said.err
    assert "failed" not in said.err


def test_strategies_stand_against_each_other_under_their_names(terminal: Terminal) -> None:
    search = {"space": {"model.hidden": [4, 8, 16, 32]}, "strategy": ["random", {"strategy": "random", "times": 2}]}
    suite = terminal.write(search={**search, "study_seeds": 2, "budget": {"trials": 2}}, train=TRAIN, seeds=3)
    terminal("run", suite, "--no-mlflow")
    finals = [r for r in terminal.records() if r["study"] is None]
    assert Counter((r["model"]["label"], r["seed"]) for r in finals) == dict.fromkeys(
        [(label, seed) for label in ("two_layer", "random", "random-2x") for seed in (0, 1)], 1
    )
    assert len(list((terminal.folder / ".dlbench" / "studies").iterdir())) == 4
    assert "random-2x" in (terminal.folder / "reports" / "tiny" / "report.md").read_text()


def test_measured_costs_are_objectives_and_constraints(terminal: Terminal) -> None:
    search = {
        "space": {"model.hidden": [4, 16, 64]},
        "strategy": "grid",
        "objectives": ["val_accuracy", "infer_latency_p50_ms"],
        "constraints": {"infer_throughput": 1, "parameters": 400},
        "winners": 2,
    }
    cost = {"batch_sizes": [8], "phases": ["infer"], "rounds": 1, "limit_s": 0.1}
    terminal("run", terminal.write(search=search, cost=cost), *QUIET)
    told = [e["told"] for e in log(terminal) if e["kind"] == "told"]
    *feasible, large = sorted(told, key=lambda each: each["metrics"]["parameters"])
    assert [len(each["values"]) for each in feasible] == [2, 2]
    assert all(each["values"][1] > 0 for each in feasible)
    assert (large["state"], large.get("jobs", [])) == ("infeasible", [])  # counted beforehand, so nothing was run
    assert "parameters is" in large["reason"]
    assert Counter(r["kind"] for r in terminal.records() if r["study"]) == {"cost": 2, "train": 2}
    assert any(r["kind"] == "cost" and r["study"] is None for r in terminal.records())


def test_what_another_suite_found_is_told_beforehand(terminal: Terminal) -> None:
    space = {"model.hidden": [4, 8, 16, 32]}
    first = terminal.write("first", search={"space": space, "strategy": "grid", "budget": 2, "winners": 0})
    terminal("run", first, *QUIET)
    grid = terminal.write("grid", vary={"model.hidden": [8, 16, 64]}, seeds=2)
    terminal("run", grid, *QUIET)
    search = {"space": space, "warm_start": ["first", "grid"], "budget": 1, "winners": 0}
    second = terminal.write("second", search=search)
    terminal("run", second, *QUIET)
    logs = sorted((terminal.folder / ".dlbench" / "studies").glob("*/trials.jsonl"), key=lambda p: p.stat().st_mtime)
    lines = [json.loads(line) for line in logs[-1].read_text().splitlines()]
    warm = [line["point"]["model.hidden"] for line in lines if line.get("origin") == "warm"]
    assert warm == [4, 8, 16]  # two of the study; of the grid what is new, lies in the space and has the same settings
    told = next(line["told"] for line in lines if line["kind"] == "told" and line["number"] == 2)
    of_grid = [r for r in terminal.records("grid") if r["model"]["params"]["hidden"] == 16 and r["train"]["lr"] == 0.01]
    scores = [m["value"] for r in of_grid for m in r["metrics"] if m["name"] == "val_accuracy"]
    assert told["values"] == [pytest.approx(sum(scores) / 2)]


def test_a_suite_shows_the_studies_it_asks_for_also_when_it_asks_for_earlier_ones_again(terminal: Terminal) -> None:
    one, other = ({"space": {"model.hidden": values}, "strategy": "grid", "winners": 0} for values in ([4, 8], [16]))
    for search in (one, other):
        terminal("run", terminal.write(search=search), *QUIET)
    said = terminal("run", terminal.write(search=one), "--no-mlflow")
    assert "a study that this suite had before is not the one it asks for now" in said.err
    assert sorted(r["model"]["params"]["hidden"] for r in terminal.records()) == [4, 8]
    assert "2 candidates" in (terminal.folder / "reports" / "tiny" / "report.md").read_text()
    assert terminal("show", "best", "tiny", "--json").json


def test_a_search_in_which_nothing_is_possible_says_so(terminal: Terminal) -> None:
    space = {"train.nesterov": [True], "train.optimizer": ["adamw"], "model.hidden": [4, 8]}
    said = terminal("run", terminal.write(search={"space": space, "strategy": "grid"}), "--no-mlflow")
    assert "#1 nesterov=true optimizer=adamw hidden=8: failed: nesterov needs optimizer: sgd" in said.err
    assert "2 candidates (2 failed)" in said.out
    assert "nesterov needs optimizer: sgd" in (terminal.folder / "reports" / "tiny" / "report.md").read_text()
    assert "no candidate of tiny has a result yet" in terminal("show", "best", "tiny", code=2).err


def test_what_a_search_stands_on_has_to_be_there(terminal: Terminal) -> None:
    space = {"model.hidden": [4, 8]}
    warm = terminal("plan", terminal.write(search={"space": space, "warm_start": "nobody"}), code=2)
    assert "tiny.yaml: search.warm_start: 'nobody' was not run into this store." in warm.err
    table = terminal("plan", terminal.write(search={"space": space, "table": "nas_digits"}), code=2)
    assert "tiny.yaml: search.table: the table 'nas_digits' holds no such training" in table.err
