"""What a person finds in MLflow of a search: studies below the invocation, candidates below their study."""

import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from mlflow_store import STARTED, end, entry, invocation, store_with
from study_store import BEGAN_S, Hand

from dlbench.analyze.aggregates import account
from dlbench.analyze.results import Results
from dlbench.schema.record import Result
from dlbench.schema.search import Constraint, Objective, SearchBudget
from dlbench.schema.study import Study
from dlbench.store import studies
from dlbench.store.folder import Store
from dlbench.store.mirror import Mirror
from dlbench.store.pending import pending_count
from dlbench.store.sync import SyncReport, sync

pytestmark = pytest.mark.filterwarnings(
    "ignore:The ``noload`` loader strategy:DeprecationWarning"
)  # mlflow's use of it

Runs = dict[str, Any]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_with(tmp_path / "store", [])


def _client(uri: str) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def _runs(uri: str) -> Runs:
    client = _client(uri)
    experiment = client.get_experiment_by_name("s")
    return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])} if experiment else {}


def _above(runs: Runs, name: str) -> str | None:
    ids = {run.info.run_id: name for name, run in runs.items()}
    return ids.get(runs[name].data.tags.get("mlflow.parentRunId"))


def _history(uri: str, run: Any, metric: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in _client(uri).get_metric_history(run.info.run_id, metric)]


def test_a_study_stands_below_its_invocation_and_candidates_below_the_study(store: Store, uri: str) -> None:
    hand = Hand(store)
    made = [hand.run(0.7), hand.run(0.6), hand.run(0.9), hand.run(state="failed", reason="out of memory")]
    winner = entry("lstm", 0)
    store.add_entry("s", winner)
    invocation(store, [*made, end(store, winner)], ended_at=STARTED.replace(hour=13))

    assert sync(store.root, uri) == SyncReport(created=7)

    runs = _runs(uri)
    top = next(name for name in runs if name.startswith("s · "))
    name = "tpe · study 0 · ag_news"
    candidates = [f"#{number} · seed 1000" for number in range(4)]
    assert set(runs) == {top, name, "lstm · seed 0", *candidates}
    assert _above(runs, name) == top
    assert _above(runs, "lstm · seed 0") == top
    assert {_above(runs, candidate) for candidate in candidates} == {name}

    run = runs[name]
    assert run.info.status == "FINISHED"
    assert (run.info.start_time, run.info.end_time) == (BEGAN_S * 1000 + 10_000, hand.t * 1000)
    tags = run.data.tags
    assert (tags["dlbench.kind"], tags["dlbench.study"]) == ("study", hand.id)
    assert (tags["dlbench.strategy"], tags["dlbench.seed"], tags["dlbench.best"]) == ("tpe", "0", "#2")
    assert tags["dlbench.objectives"] == "val_accuracy (higher)"
    assert tags["dlbench.states"] == "3 ok, 1 failed"
    assert tags["dlbench.budget"] == "8 trials"
    note = tags["mlflow.note.content"]
    assert "**Best so far: #2**, val_accuracy 0.9, with train.lr 0.0631, model.layers 1." in note
    assert "- train.lr: 0.0001 … 0.1 (log)" in note
    assert "- model.dropout: 0.0 … 0.5 (step 0.1) where model.layers is 2 or 4" in note
    assert "- 1 failed: out of memory" in note
    assert run.data.params["strategy.startup"] == "4"
    assert run.data.params["axis.model.layers"] == "{1, 2, 4}"

    assert _history(uri, run, "best_so_far/val_accuracy") == [(1, 0.7), (2, 0.7), (3, 0.9), (4, 0.9)]
    assert _history(uri, run, "candidate/val_accuracy") == [(1, 0.7), (2, 0.6), (3, 0.9)]
    assert _history(uri, run, "epochs") == [(1, 4.0), (2, 8.0), (3, 12.0), (4, 16.0)]

    candidate = runs["#2 · seed 1000"]
    assert (candidate.data.tags["dlbench.study"], candidate.data.tags["dlbench.candidate"]) == (hand.id, "2")
    assert candidate.data.params["model.layers"] == "1"

    assert sync(store.root, uri) == SyncReport()
    assert pending_count(store, uri) == 0
    shutil.rmtree(store.root / "mlflow")
    assert pending_count(store, uri) == 7
    assert sync(store.root, uri) == SyncReport()
    assert len(_runs(uri)) == 7


def test_candidates_have_a_saved_view_before_there_is_a_winner(store: Store, uri: str) -> None:
    hand = Hand(store)
    made = [hand.run(0.7), hand.run(0.9)]
    entries = store.entries("s")
    results = Results(
        store.suite("s"),
        [Result(entry=one, record=store.record(one.job.id)) for one in entries],
        [Study(head=hand.head, trials=())],
    )
    invocation(store, made, **account(results))
    assert sync(store.root, uri).error is None
    tags = _client(uri).get_experiment_by_name("s").tags
    state = json.loads(json.loads(tags["mlflow.sharedViewState.dlbench-candidates"])["state"])
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`val_accuracy`", False)
    assert "mlflow.sharedViewState.dlbench-scores" not in tags


def test_a_study_that_goes_on_updates_its_run(store: Store, uri: str) -> None:
    hand = Hand(store)
    made = [hand.run(0.7)]
    hand.ask()  # interrupted
    invocation(store, made, ended_at=STARTED.replace(hour=13))
    assert sync(store.root, uri).created == 3
    name = "tpe · study 0 · ag_news"
    assert _runs(uri)[name].info.status == "KILLED"

    more = hand.head.model_copy(update={"budget": SearchBudget(trials=2)})
    studies.write_head(store, more)
    hand.number = 1
    made = [hand.run(0.8)]
    invocation(store, made, 5, ended_at=STARTED.replace(hour=14))
    assert pending_count(store, uri) == 3
    assert sync(store.root, uri) == SyncReport(created=2, updated=1)
    runs = _runs(uri)
    run = runs[name]
    assert (run.info.status, run.data.tags["dlbench.budget"]) == ("FINISHED", "2 trials")
    assert _history(uri, run, "best_so_far/val_accuracy") == [(1, 0.7), (2, 0.8)]
    assert len([name for name in runs if name.startswith("s · ")]) == 2
    assert sync(store.root, uri) == SyncReport()


def test_a_job_that_serves_several_studies_has_one_run(store: Store, uri: str) -> None:
    one, other = Hand(store, 0), Hand(store, 1)
    made = [one.run(0.7, job="shared"), one.run(0.6)]
    other.run(0.7, job="shared")
    invocation(store, made)
    assert sync(store.root, uri) == SyncReport(created=5)
    runs = _runs(uri)
    assert _above(runs, "#0 · seed 1000") == "tpe · study 0 · ag_news"
    assert _history(uri, runs["tpe · study 1 · ag_news"], "best_so_far/val_accuracy") == [(1, 0.7)]
    assert sync(store.root, uri) == SyncReport()


def test_several_objectives_repeats_helpers_and_constraints(store: Store, uri: str) -> None:
    objectives = (
        Objective(metric="val_accuracy", better="higher"),
        Objective(metric="infer_latency_p50_ms", better="lower", batch_size=1),
    )
    hand = Hand(store, objectives=objectives, constraints=(Constraint(metric="parameters", at_most=100),))
    size = {"metrics": {"parameters": 50.0}, "violations": {"parameters": -0.5}}
    made = [hand.run(0.7, 2.0, **size), hand.run(0.8, 3.0, **size), hand.run(0.9, 3.0, **size)]
    hand.ask(same_as=0)
    hand.tell(hand.ask(origin="helper"), 1.0, 0.1)
    large = {"metrics": {"parameters": 200.0}, "violations": {"parameters": 1.0}}
    made.append(hand.run(0.99, 1.0, state="infeasible", **large))
    invocation(store, made)
    sync(store.root, uri)
    run = _runs(uri)["tpe · study 0 · ag_news"]
    assert _history(uri, run, "front_size") == [(1, 1), (2, 2), (3, 2), (4, 2)]
    assert _history(uri, run, "best_so_far/val_accuracy") == [(1, 0.7), (2, 0.8), (3, 0.9), (4, 0.9)]
    assert _history(uri, run, "best_so_far/infer_latency_p50_ms b1") == [(1, 2.0), (2, 2.0), (3, 2.0), (4, 2.0)]
    assert _history(uri, run, "candidate/parameters") == [(1, 50.0), (2, 50.0), (3, 50.0), (4, 200.0)]
    assert _history(uri, run, "epochs")[-1] == (4, 20.0)  # the helper's were charged, too
    assert run.data.tags["dlbench.best"] == "#2, #0"
    assert "- #2: val_accuracy 0.9, infer_latency_p50_ms b1 3, with" in run.data.tags["mlflow.note.content"]


def test_a_study_is_followed_while_it_goes_on(store: Store, uri: str) -> None:
    with store.writer():
        hand = Hand(store)
        made = [hand.run(0.7)]
        running = {"ended_at": None, "verdict": None, "metrics": {}}
        invocation(store, made, **running)
        mirror = Mirror(store, uri, "s")
        mirror.tell(*made[-1])
        _until(lambda: _best(uri) == ["RUNNING", 0.7])
        for value in (0.8, 0.85):  # the second comes too soon after the first, and is not followed by a third
            made.append(hand.run(value))
            invocation(store, made, **running)
            mirror.tell(*made[-1])
            time.sleep(1.2)
        _until(lambda: _best(uri) == ["RUNNING", 0.85])
        mirror.drain()
        invocation(store, made)
        report = mirror.finish()
    assert (report.created, report.updated, report.pending, report.error) == (5, 0, 0, None)
    assert mirror.log.read_bytes() == b""
    runs = _runs(uri)
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    history = _history(uri, runs["tpe · study 0 · ag_news"], "best_so_far/val_accuracy")
    assert history == [(1, 0.7), (2, 0.8), (3, 0.85)]


def _best(uri: str) -> list[Any]:
    run = _runs(uri).get("tpe · study 0 · ag_news")
    return [run.info.status, run.data.metrics.get("best_so_far/val_accuracy")] if run else []


def _until(holds: Any) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_run_that_was_killed_in_a_study(store: Store, uri: str) -> None:
    hand = Hand(store)
    invocation(store, [hand.run(0.7)], ended_at=None)
    log = store.root / "studies" / hand.id / "trials.jsonl"
    log.write_bytes(log.read_bytes() + b'{"t": 17, "kind": "tol')
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], stdout=subprocess.PIPE, check=True)
    (store.root / "lock").write_bytes(dead.stdout)
    assert sync(store.root, uri) == SyncReport(created=3)
    assert Counter(run.info.status for run in _runs(uri).values()) == {"KILLED": 2, "FINISHED": 1}


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda folder: shutil.rmtree(folder), "study.json: cannot be read: No such file or directory"),
        (lambda folder: (folder / "study.json").write_bytes(b'{"id":'), "study.json: is damaged: not whole JSON"),
        (lambda folder: (folder / "trials.jsonl").unlink(), "trials.jsonl: has no whole first line"),
        (lambda folder: (folder / "trials.jsonl").write_bytes(b"?\n"), "trials.jsonl: has no whole first line"),
        (lambda folder: _break(folder / "trials.jsonl"), "trials.jsonl:2: is damaged: not whole JSON"),
    ],
)
def test_a_study_that_cannot_be_read_is_told_of_and_its_candidates_are_shown(
    store: Store, uri: str, damage: Any, why: str
) -> None:
    hand, whole = Hand(store, 0), Hand(store, 1)
    invocation(store, [hand.run(0.7), whole.run(0.8)])
    damage(store.root / "studies" / hand.id)
    report = sync(store.root, uri)
    assert report.created == 4
    assert report.error is not None
    assert f"{why}, so its study is not shown" in report.error
    runs = _runs(uri)
    assert "tpe · study 1 · ag_news" in runs
    assert "tpe · study 0 · ag_news" not in runs


def _break(log: Path) -> None:
    first, _, *rest = log.read_bytes().splitlines()
    log.write_bytes(b"\n".join([first, b'{"t": 1', *rest, b""]))


def test_a_study_whose_run_was_deleted_by_hand_stays_deleted(store: Store, uri: str) -> None:
    hand = Hand(store)
    made = [hand.run(0.7)]
    invocation(store, made)
    sync(store.root, uri)
    _client(uri).delete_run(_runs(uri)["tpe · study 0 · ag_news"].info.run_id)
    invocation(store, [*made, hand.run(0.8)])
    assert sync(store.root, uri) == SyncReport(created=1, updated=1)
    assert "tpe · study 0 · ag_news" not in _runs(uri)
