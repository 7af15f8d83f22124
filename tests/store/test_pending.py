"""What is still to be told to MLflow, counted without it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow_store import STARTED, end, entry, invocation, store_with

from dlbench.schema.invocation import Invocation
from dlbench.store.address import absolute, database, is_remote, shown, tracking_uri
from dlbench.store.ledger import Ledger
from dlbench.store.pending import pending_count
from dlbench.store.runs import of_invocation
from dlbench.store.shelf import KILLED, RUNNING, Item, Shelf

URI = "http://localhost:1"
LINES = [entry("lstm", 0), entry("lstm", 1)]


def test_attempts_count_once_they_have_a_record(tmp_path: Path) -> None:
    store = store_with(tmp_path / "store", LINES)
    assert pending_count(store, URI) == 0
    made = [end(store, LINES[0], "lost"), end(store, LINES[0])]
    assert pending_count(store, URI) == 2
    invocation(store, made)
    assert pending_count(store, URI) == 3


def test_a_job_that_left_the_suite_keeps_its_place_and_name(tmp_path: Path) -> None:
    store = store_with(tmp_path / "store", LINES)
    made = [end(store, line) for line in LINES]
    invocation(store, made)
    store.write_suite(store.suite("s"), LINES[:1])
    shelf = Shelf(store, "s")
    key = f"{made[1][0]}/1"
    assert key in [item.key for item in shelf.items()]
    assert shelf.entry(key).label == "lstm"


def test_a_job_that_left_the_suite_and_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    store = store_with(tmp_path / "store", LINES)
    made = [end(store, line) for line in LINES]
    invocation(store, made)
    store.write_suite(store.suite("s"), LINES[:1])
    (store.root / "jobs" / made[1][0] / "1" / "job.json").write_bytes(b'{"job": {')
    keys = [item.key for item in Shelf(store, "s").items()]
    assert f"{made[0][0]}/1" in keys
    assert f"{made[1][0]}/1" not in keys


def test_a_torn_ledger_line_costs_that_line_only(tmp_path: Path) -> None:
    store = store_with(tmp_path / "store", LINES)
    ledger = Ledger(store.root, URI)
    with ledger.alone():
        ledger.add(Item("s", "a/1", "ended"), "1@0", "r1")
        ledger.path.write_bytes(ledger.path.read_bytes() + b'["s", "1@0", "b/1", "en')
        ledger.add(Item("s", "c/1", "ended"), "1@0", "r3")
    again = Ledger(store.root, URI)
    assert [again.run_id("s", "1@0", key) for key in ("a/1", "b/1", "c/1")] == ["r1", None, "r3"]


def test_an_invocation_whose_process_is_gone_was_killed(tmp_path: Path) -> None:
    store = store_with(tmp_path / "store", LINES)
    account = invocation(store, [end(store, LINES[0])], ended_at=None)
    with store.writer():
        assert Shelf(store, "s").state(account) == RUNNING
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], stdout=subprocess.PIPE, check=True)
    (store.root / "lock").write_bytes(dead.stdout)
    assert Shelf(store, "s").state(account) == KILLED


def test_where_mlflow_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert tracking_uri(tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"
    assert database(absolute("sqlite:///a/b.db?timeout=5", tmp_path)) == tmp_path / "a/b.db"
    assert absolute("sqlite:////a/b.db", tmp_path) == "sqlite:////a/b.db"
    assert absolute("mlruns", tmp_path) == f"file://{tmp_path}/mlruns"
    assert not is_remote(absolute("mlruns", tmp_path))
    assert is_remote("postgresql://me:pw@db/x")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://tracking.example.org")
    assert tracking_uri(tmp_path) == "https://tracking.example.org"
    assert shown("postgresql://me:pw@db/x") == "postgresql://db/x"


@given(st.dictionaries(st.text(max_size=300), st.floats(), max_size=8))
def test_every_name_becomes_one_that_mlflow_takes(metrics: dict[str, float]) -> None:
    account = Invocation(id="i", suite="s", started_at=STARTED, metrics=metrics)
    points = of_invocation("store", account, "FINISHED", "x").points
    names = [point.name for point in points]
    assert len(set(names)) == len(names) == sum(abs(value) < float("inf") for value in metrics.values())
    for name in names:
        _accept(name)


def _accept(name: str) -> None:
    """MLflow's own rules, written again: importing them takes a second."""
    assert 0 < len(name) <= 250
    assert all(character.isalnum() or character in "_-. /:" for character in name)
    assert os.path.normpath(name) == name
    assert name != "."
    assert not name.startswith(("/", ".."))
