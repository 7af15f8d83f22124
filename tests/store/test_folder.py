"""The store: made once, one writer, attempts in order, and damage that is told of instead of fatal."""

import json
import multiprocessing
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "run"))

from tiny_jobs import entry, record, work_of

from dlbench.errors import StoreError, UsageError
from dlbench.schema.invocation import Invocation
from dlbench.schema.record import Status
from dlbench.schema.suite import Suite, TaskEntry
from dlbench.store.folder import Store, new_invocation_id

SUITE = Suite(schema=1, name="s", tasks=(TaskEntry(name="tiny"),), seeds=(0, 1))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store", create=True)


def keep(store: Store, what: Any, status: Status = "ok") -> Path:
    jobdir = store.new_attempt(work_of(what.job))
    jobdir.write_record(record(what.job, jobdir.work().attempt, status))
    return jobdir.path


def test_a_store_keeps_its_id(tmp_path: Path) -> None:
    made = Store.open(tmp_path / "deep" / "store", create=True)
    assert Store.open(tmp_path / "deep" / "store", create=True).id == made.id
    assert Store.open(tmp_path / "deep" / "store", create=False).id == made.id
    assert Store.open(tmp_path / "other", create=True).id != made.id


def _open(root: Path) -> str:
    return Store.open(root, create=True).id


def test_processes_that_make_it_at_once_agree(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        ids = pool.map(_open, [tmp_path / str(i // 8) for i in range(64)], chunksize=1)
    assert all(len(set(ids[i : i + 8])) == 1 for i in range(0, 64, 8))
    assert not list(tmp_path.glob("*/.store.json.*")), "drafts are cleared away"


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no dlbench store"):
        Store.open(tmp_path / "nowhere", create=False)
    assert not (tmp_path / "nowhere").exists()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letters.txt").touch()
    with pytest.raises(StoreError, match=r"not empty \(letters.txt\)"):
        Store.open(tmp_path / "home", create=True)
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be opened"):
        Store.open(tmp_path / "file", create=True)
    with pytest.raises(StoreError, match="cannot be opened"):
        Store.open(tmp_path / "file", create=False)


@pytest.mark.parametrize(
    ("content", "message"),
    [('{"format": 2, "id": "x"}', "newer dlbench"), ("", "damaged"), ("[]", "damaged"), ('{"format": 1}', "damaged")],
)
def test_a_newer_or_damaged_store_is_refused(store: Store, content: str, message: str) -> None:
    (store.root / "store.json").write_text(content)
    with pytest.raises(StoreError, match=message):
        Store.open(store.root, create=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_store_can_be_read_but_not_written(store: Store) -> None:
    path = keep(store, entry())
    store.root.chmod(0o500)
    try:
        reader = Store.open(store.root, create=False)
        assert reader.folder(entry().job.id) == path
        with pytest.raises(StoreError, match="cannot be written"), reader.writer():
            pass
    finally:
        store.root.chmod(0o700)


def test_one_writer(store: Store) -> None:
    with store.writer():
        with pytest.raises(StoreError, match=rf"another dlbench \(process {os.getpid()}\).*--store"):
            with Store.open(store.root, create=False).writer():
                pass
    with store.writer():
        pass


def test_attempts_are_numbered_and_the_ok_one_stands(store: Store) -> None:
    job_id = entry().job.id
    assert (store.attempts(job_id), store.latest(job_id), store.record(job_id), store.folder(job_id)) == (
        [],
        None,
        None,
        None,
    )
    keep(store, entry(), "failed")
    stands = keep(store, entry())
    keep(store, entry(), "interrupted")
    for _ in range(8):  # ten and more are numbers, not words
        store.new_attempt(work_of(entry().job))
    assert [int(jobdir.path.name) for jobdir in store.attempts(job_id)] == list(range(1, 12))
    assert store.latest(job_id) == (11, None)
    assert store.record(job_id) == store.attempts(job_id)[1].record()
    assert store.folder(job_id) == stands
    assert store.attempts(job_id)[10].work().attempt == 11


def test_without_an_ok_record_the_latest_stands(store: Store) -> None:
    keep(store, entry(), "failed")
    keep(store, entry(), "lost")
    store.new_attempt(work_of(entry().job))
    found = store.record(entry().job.id)
    assert found is not None
    assert (found.status, found.attempt) == ("lost", 2)


def test_open_attempts_are_those_without_a_record(store: Store) -> None:
    assert store.open_attempts() == []
    keep(store, entry())
    begun = store.new_attempt(work_of(entry(seed=1).job))
    (store.root / "jobs" / "half" / "1" / "artifacts").mkdir(parents=True)  # killed before job.json was there
    assert [jobdir.path for jobdir in store.open_attempts()] == [begun.path]


def test_a_suite_is_read_as_it_was_written(store: Store) -> None:
    entries = [entry(seed=seed, width=seed / 3) for seed in range(3)] + [entry(round=0), entry(skipped="no kernel")]
    store.write_suite(SUITE, entries)
    assert store.suites() == ["s"]
    assert store.suite("s") == SUITE
    assert store.entries("s") == entries
    before = (store.root / "suites" / "s" / "jobs.jsonl").stat().st_mtime_ns
    store.write_suite(SUITE, entries)
    assert (store.root / "suites" / "s" / "jobs.jsonl").stat().st_mtime_ns == before, "nothing changed"
    store.write_suite(SUITE, entries[:1])
    assert store.entries("s") == entries[:1]


def test_a_suite_that_was_never_run(store: Store) -> None:
    store.write_suite(SUITE.model_copy(update={"name": "digits"}), [])
    for ask in (store.suite, store.entries, store.results):
        with pytest.raises(UsageError, match=r"no suite 'digit' was run into this store\. Did you mean 'digits'\?"):
            ask("digit")
    assert (store.choices("digit"), store.invocations("digit")) == ({}, [])


def test_results_join_the_index_with_records(store: Store) -> None:
    entries = [entry(), entry(seed=1), entry("fail"), entry(seed=3, skipped="no kernel")]
    store.write_suite(SUITE, entries)
    folder = keep(store, entries[0])
    keep(store, entries[2], "failed")
    results = store.results("s")
    assert [result.status for result in results] == ["ok", "missing", "failed", "skipped"]
    assert [result.entry for result in results] == entries
    assert (results[0].folder, results[1].folder) == (str(folder), None)


def test_records_that_cannot_be_read_are_told_of(store: Store) -> None:
    entries = [entry(seed=seed) for seed in range(3)]
    store.write_suite(SUITE, entries)
    paths = [keep(store, e) / "record.json" for e in entries]
    paths[0].write_text(paths[0].read_text()[:100])
    odd = {**json.loads(paths[1].read_text()), "status": "marvellous"}
    paths[1].write_text(json.dumps(odd))
    assert [result.status for result in store.results("s")] == ["missing", "missing", "ok"]
    assert store.unreadable[paths[0]] == "is damaged: not whole JSON."
    assert store.unreadable[paths[1]].startswith("is damaged: status: ")


def test_a_record_of_a_newer_version_is_refused_not_made_again(store: Store) -> None:
    path = keep(store, entry()) / "record.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 2, "colour": "blue"}))
    with pytest.raises(StoreError, match=r"newer dlbench \(schema 2\); update dlbench"):
        store.record(entry().job.id)


def test_a_new_store_into_which_nothing_is_written_is_taken_away(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="refused"), Store.writing(tmp_path / "new"):
        raise ValueError("refused")
    assert not (tmp_path / "new").exists()
    with Store.writing(tmp_path / "new") as made:
        made.write_suite(SUITE, [entry()])
    with Store.writing(tmp_path / "new") as found:
        assert (found.id, found.suites()) == (made.id, ["s"])


def test_a_damaged_index_says_what_to_do(store: Store) -> None:
    store.write_suite(SUITE, [entry()])
    (store.root / "suites" / "s" / "jobs.jsonl").write_text("{\n")
    with pytest.raises(StoreError, match="`dlbench run` writes it anew"):
        store.entries("s")


def test_a_torn_line_of_an_index_is_cut_off_by_the_next(store: Store) -> None:
    store.write_suite(SUITE, [entry()])
    with open(store.root / "suites" / "s" / "jobs.jsonl", "ab") as file:
        file.write(b'{"job": {"id"')
    assert store.entries("s") == [entry()]
    store.add_entry("s", entry(seed=1))
    assert store.entries("s") == [entry(), entry(seed=1)]


def test_choices_are_kept(store: Store) -> None:
    store.keep_choices("s", {"text_classification": "temporal_order"})
    assert store.choices("s") == {"text_classification": "temporal_order"}
    store.keep_choices("s", {})
    assert store.choices("s") == {}


def test_invocations_come_in_the_order_of_time(store: Store) -> None:
    times = [datetime(2026, 1, day, tzinfo=UTC) for day in (3, 1, 2)]
    made = [Invocation(id=new_invocation_id(at), suite="s", started_at=at) for at in times]
    for invocation in made:
        store.write_invocation(invocation)
    store.write_invocation(made[0].model_copy(update={"verdict": "lstm is better"}))
    (store.root / "suites" / "s" / "invocations" / "9.json").write_text("{")
    found = store.invocations("s")
    assert [invocation.started_at.day for invocation in found] == [1, 2, 3]
    assert found[2].verdict == "lstm is better"
    assert len(store.unreadable) == 1
