"""The loop: what is run, what is not, in which order, and what is kept of it."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tiny_jobs import TINY, Heard, Listed, entry, record, work_of

from dlbench.executors import inline, local
from dlbench.executors._warm import Warm
from dlbench.jobdir import JobDir
from dlbench.run.estimate import Estimator
from dlbench.run.loop import Loop, Outcome, RunOptions
from dlbench.schema.event import Event
from dlbench.schema.job import Entry
from dlbench.schema.train import TrainSettings
from dlbench.store.folder import Store
from dlbench.worker.lock import machine_lock


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    with Warm(**TINY) as warm:
        yield warm


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store", create=True)


class Bench:
    """Runs entries over one store and one warm process."""

    def __init__(self, store: Store, warm: Warm) -> None:
        self.store, self.warm = store, warm

    def run(self, entries: Sequence[Entry], **options: Any) -> tuple[Listed, Heard, Outcome]:
        source, heard = Listed(entries), Heard()
        loop = Loop(source, self.store, local.build(self.warm), RunOptions(entries=entries, **options), heard)
        return source, heard, loop.run()

    def keep(self, what: Entry, status: Any = "ok", **changes: Any) -> None:
        """A record from an earlier run."""
        jobdir = self.store.new_attempt(work_of(what.job))
        jobdir.write_record(record(what.job, jobdir.work().attempt, status, **changes))

    def spans(self) -> dict[str, tuple[float, float]]:
        """Job id → when it was really working."""
        found = {path.parents[1].name: tuple(json.loads(path.read_text())) for path in self.files("times.json")}
        return {job_id: (begin, end) for job_id, (begin, end) in found.items()}

    def files(self, name: str) -> list[Path]:
        return sorted(self.store.root.glob(f"jobs/*/*/{name}"))


@pytest.fixture
def bench(store: Store, warm: Warm) -> Bench:
    return Bench(store, warm)


def most_at_once(spans: Sequence[tuple[float, float]]) -> int:
    return max(sum(begin <= moment < end for begin, end in spans) for moment, _ in spans)


def soon(act: Callable[[], object], when: Callable[[], object], timeout_s: float = 5.0) -> threading.Thread:
    """Do something from the side as soon as something holds."""

    def wait() -> None:
        until = time.monotonic() + timeout_s
        while not when() and time.monotonic() < until:
            time.sleep(0.01)
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_every_job_is_run_once_and_told(bench: Bench) -> None:
    entries = [entry("ok", seed=seed) for seed in range(4)] + [entry("fail")]
    source, heard, outcome = bench.run(entries, slots=2)
    assert source.statuses() == ["ok"] * 4 + ["failed"]
    assert outcome.counts == {"ok": 4, "failed": 1}
    assert (outcome.cached, outcome.interrupted) == (0, False)
    assert sorted(outcome.made) == sorted((e.job.id, 1) for e in entries)
    assert {event.kind for event in heard.events} == {"phase"}
    assert len(heard.started) == len(heard.ended) == 5

    again, heard, outcome = bench.run(entries, slots=2)
    assert again.statuses() == source.statuses()
    assert (outcome.counts, outcome.cached, outcome.made) == ({"ok": 4, "failed": 1}, 5, ())
    assert heard.started == heard.ended == []


def test_an_entry_that_comes_twice_is_run_once(bench: Bench) -> None:
    job = entry("sleep", seconds=0.2)
    source, _, outcome = bench.run([job, job], slots=2)
    assert [status for _, status in source.told] == ["ok", "ok"]
    assert len(outcome.made) == 1


@pytest.mark.parametrize(
    ("before", "again", "with_retry"),
    [
        ("ok", False, False),
        ("failed", False, True),
        ("oom", False, True),
        ("diverged", False, True),
        ("timeout", False, True),
        ("interrupted", True, True),
        ("lost", True, True),
        ("skipped", True, True),
        ("pruned", True, True),
    ],
)
def test_what_is_made_again(bench: Bench, before: str, again: bool, with_retry: bool) -> None:
    bench.keep(entry(), before)
    source, _, outcome = bench.run([entry()])
    assert source.statuses() == ["ok" if again else before]
    assert [attempt for _, attempt in outcome.made] == ([2] if again else [])
    if not again:
        source, _, outcome = bench.run([entry()], retry_failed=True)
        assert [attempt for _, attempt in outcome.made] == ([2] if with_retry else [])


class Stopping(Listed):
    """A study that stops its jobs at an epoch, and remembers what was reported."""

    def __init__(self, entries: Sequence[Entry], at: float) -> None:
        super().__init__(entries)
        self.at = at
        self.heard: list[tuple[str, float]] = []

    def report(self, entry: Entry, event: Event) -> bool:
        self.heard.append((entry.label, event.epoch or 0))
        return (event.epoch or 0) < self.at


def study_run(bench: Bench, entries: Sequence[Entry], at: float, **options: Any) -> tuple[Stopping, Outcome]:
    source = Stopping([entry.model_copy(update={"study": "s"}) for entry in entries], at)
    loop = Loop(source, bench.store, local.build(bench.warm), RunOptions(entries=entries, **options), Heard())
    return source, loop.run()


def test_a_study_is_asked_after_each_validation_and_stops_a_job(bench: Bench) -> None:
    source, outcome = study_run(bench, [entry("validate", epochs=5)], at=3)
    assert source.statuses() == ["pruned"]
    assert sorted({epoch for _, epoch in source.heard}) == [1, 2, 3]
    assert outcome.counts == {"pruned": 1}
    assert not any(outcome.wanting.values())


def test_a_job_whose_study_lets_it_go_on_ends_well(bench: Bench) -> None:
    source, _ = study_run(bench, [entry("validate", epochs=3)], at=99)
    assert source.statuses() == ["ok"]
    assert [epoch for _, epoch in source.heard][:3] == [1, 2, 3]


def test_a_pruned_record_stands_only_where_the_study_stops_it_too(bench: Bench) -> None:
    jobs = [entry("validate", epochs=4)]
    assert study_run(bench, jobs, at=2)[0].statuses() == ["pruned"]
    source, outcome = study_run(bench, jobs, at=2)
    assert (source.statuses(), outcome.made, outcome.cached) == (["pruned"], (), 1)
    source, outcome = study_run(bench, jobs, at=99)  # another study would have let it go on
    assert source.statuses() == ["ok"]
    assert len(outcome.made) == 1
    assert bench.run(jobs)[0].statuses() == ["ok"]


def test_a_finished_job_reports_its_curve_to_the_study_that_finds_it(bench: Bench) -> None:
    jobs = [entry("validate", epochs=4)]
    assert bench.run(jobs)[0].statuses() == ["ok"]
    source, outcome = study_run(bench, jobs, at=2)
    assert outcome.made == ()
    assert [epoch for _, epoch in source.heard] == [1, 2, 3, 4]


def test_a_waiting_question_does_not_keep_an_interrupted_run(bench: Bench) -> None:
    """Whoever asks while the run is being stopped is told to stop, and counts as interrupted, not as pruned."""

    class Interrupting(Stopping):
        def report(self, entry: Entry, event: Event) -> bool:
            loop.interrupt()
            return True

    source = Interrupting([entry("validate", epochs=50).model_copy(update={"study": "s"})], at=99)
    loop = Loop(source, bench.store, local.build(bench.warm), RunOptions(grace_s=20), Heard())
    began = time.monotonic()
    outcome = loop.run()
    assert outcome.interrupted
    assert outcome.counts == {"interrupted": 1}
    assert time.monotonic() - began < 15


def test_entries_that_the_plan_skips_are_passed_over(bench: Bench) -> None:
    source, _, outcome = bench.run([entry(skipped="no bf16 here"), entry("ok", seed=1)])
    assert source.statuses() == ["untold", "ok"]
    assert outcome.counts == {"skipped": 1, "ok": 1}


def test_a_worker_that_dies_costs_its_own_job_only(bench: Bench) -> None:
    source, heard, _ = bench.run([entry("crash"), entry("leave"), entry("ok")], slots=2)
    assert source.statuses() == ["lost", "lost", "ok"]
    reasons = {record.model.params["do"]: record.reason or "" for record in heard.ended}
    assert "killed by signal 11 (SIGSEGV)" in reasons["crash"]
    assert "exit code 3" in reasons["leave"]
    assert "log.txt" in reasons["leave"]


def test_a_worker_killed_by_the_system_is_lost_and_made_again(bench: Bench) -> None:
    entries = [entry("children", seconds=2), entry("sleep", seconds=0.5)]

    def kill() -> None:
        import psutil

        child = int(bench.files("child")[0].read_text())
        worker = psutil.Process(child).parent()
        assert worker is not None
        worker.kill()

    killer = soon(kill, lambda: bench.files("child") and bench.files("child")[0].read_text())
    source, heard, _ = bench.run(entries, slots=2)
    killer.join()
    assert source.statuses() == ["lost", "ok"]
    assert heard.ended[0].reason == "killed by signal 9 (SIGKILL); perhaps the system ran out of memory"


def test_a_dead_warm_process_costs_what_ran_and_the_rest_goes_on(bench: Bench) -> None:
    entries = [entry("stubborn", seconds=30), entry("ok"), entry("ok", seed=1)]

    def kill() -> None:
        assert bench.warm.pid is not None
        os.kill(bench.warm.pid, signal.SIGKILL)

    killer = soon(kill, lambda: bench.files("events.jsonl"))
    source, heard, _ = bench.run(entries)
    killer.join()
    assert source.statuses() == ["lost", "ok", "ok"]
    assert "warm process" in (heard.ended[0].reason or "")


@pytest.mark.parametrize("slots", [1, 3])
def test_slots_are_filled_and_respected(bench: Bench, slots: int) -> None:
    bench.run([entry("sleep", seconds=0.15, seed=seed) for seed in range(5)], slots=slots)
    assert most_at_once(list(bench.spans().values())) == slots


def test_exclusive_jobs_overlap_nothing(bench: Bench, tmp_path: Path) -> None:
    timed = TrainSettings(epochs=1, target=0.9)
    entries = [
        entry("sleep", seconds=0.1, seed=0),
        entry("sleep", seconds=0.15, round=0),
        entry("sleep", seconds=0.1, seed=1),
        entry("sleep", seconds=0.1, seed=2),
        entry("sleep", seconds=0.1, seed=3, train=timed),
        entry("sleep", seconds=0.1, seed=4),
    ]
    bench.run(entries, slots=3, lock_dir=tmp_path)
    spans = bench.spans()
    exclusive = {e.job.id for e in entries if e.job.exclusive}
    assert len(exclusive) == 2
    for one in exclusive:
        for other in spans.keys() - {one}:
            assert spans[other][1] <= spans[one][0] or spans[one][1] <= spans[other][0]
    begins = [spans[e.job.id][0] for e in entries]
    assert all(a < b for a, b in pairwise([begins[0], begins[1], begins[4], begins[5]]))  # nothing overtakes


def test_a_gpu_takes_one_job(bench: Bench) -> None:
    entries = [entry("sleep", seconds=0.1, seed=seed, device="cuda") for seed in range(4)]
    bench.run(entries, slots=4, gpus=2)
    assert most_at_once(list(bench.spans().values())) == 2


def test_two_jobs_that_name_one_gpu_take_turns(bench: Bench) -> None:
    entries = [entry("sleep", seconds=0.1, seed=seed, device="cuda:1") for seed in range(2)]
    bench.run(entries, slots=4, gpus=2)
    assert most_at_once(list(bench.spans().values())) == 1


def test_a_job_waits_for_its_inputs_and_gets_their_folder(bench: Bench) -> None:
    first = entry("sleep", seconds=0.2)
    second = entry("ok", seed=1, inputs={"teacher": first.job.id})
    third = entry("ok", seed=2, inputs={"teacher": second.job.id})
    source, _, _ = bench.run([third, second, first], slots=2)
    assert source.statuses() == ["ok"] * 3
    work = bench.store.attempts(second.job.id)[0].work()
    assert work.inputs == {"teacher": bench.store.jobdir(first.job.id, 1).path}


def test_a_job_whose_input_failed_is_skipped_and_so_is_what_builds_on_it(bench: Bench) -> None:
    first = entry("fail")
    second = entry("ok", inputs={"teacher": first.job.id})
    third = entry("ok", seed=2, inputs={"student": second.job.id})
    entries = [first, second, third, entry("ok", seed=3, inputs={"teacher": "nobody"})]
    source, heard, outcome = bench.run(entries)
    assert source.statuses() == ["failed", "skipped", "skipped", "skipped"]
    reasons = [record.reason or "" for record in heard.ended]
    assert reasons[1] == f"input 'teacher' (job {first.job.id[:12]}) failed"
    assert "skipped" in reasons[2]
    assert "not in the store" in reasons[3]
    _, _, outcome = bench.run(entries)
    assert outcome.made == (), "the same skip is not kept again and again"
    bench.keep(first)
    assert bench.run(entries)[0].statuses() == ["ok", "ok", "ok", "skipped"]


@pytest.mark.parametrize(("do", "grace_s"), [("sleep", 5.0), ("stubborn", 0.2)])
def test_a_job_that_takes_too_long_times_out(bench: Bench, do: str, grace_s: float) -> None:
    """One that looks at the stop file, and one that has to be killed."""
    source, heard, outcome = bench.run([entry(do, seconds=30), entry("ok")], timeout_s=0.3, grace_s=grace_s)
    assert source.statuses() == ["timeout", "ok"]
    assert heard.ended[0].reason == "it ran longer than 0.3 s"
    assert outcome.seconds < 3
    assert bench.run([entry(do, seconds=30)])[0].statuses() == ["timeout"]


def test_waiting_for_the_machine_is_not_running_time(bench: Bench, tmp_path: Path) -> None:
    lock = machine_lock(tmp_path, exclusive=True)
    lock.__enter__()
    release = threading.Timer(1.0, lambda: lock.__exit__(None, None, None))
    release.start()
    source, heard, _ = bench.run([entry("ok")], lock_dir=tmp_path, timeout_s=0.5)
    assert source.statuses() == ["ok"]
    assert [event.name for event in heard.events] == ["wait", "train"]


@pytest.mark.parametrize("times", [1, 2])
def test_an_interrupted_loop_ends_and_the_next_one_goes_on(bench: Bench, times: int) -> None:
    """Once: the job sees the stop file. Twice: one that does not look is killed."""
    do = "sleep" if times == 1 else "stubborn"
    entries = [entry("ok"), entry(do, seconds=1.0), entry("ok", seed=1)]
    source, heard = Listed(entries), Heard()
    loop = Loop(source, bench.store, local.build(bench.warm), RunOptions(), heard)
    hand = soon(lambda: [loop.interrupt() for _ in range(times)], lambda: len(bench.files("events.jsonl")) == 2)
    outcome = loop.run()
    hand.join()
    assert source.statuses() == ["ok", "interrupted", "untold"]
    assert outcome.interrupted
    assert outcome.seconds < 1.0
    source, _, outcome = bench.run(entries)
    assert source.statuses() == ["ok", "ok", "ok"]
    assert (outcome.cached, [attempt for _, attempt in outcome.made]) == (1, [2, 1])


def test_a_job_that_only_waits_is_stopped_at_once(bench: Bench, tmp_path: Path) -> None:
    loop = Loop(Listed([entry("ok")]), bench.store, local.build(bench.warm), RunOptions(lock_dir=tmp_path), Heard())
    with machine_lock(tmp_path, exclusive=True):
        hand = soon(loop.interrupt, lambda: bench.files("events.jsonl"))
        outcome = loop.run()
    hand.join()
    assert (outcome.counts, outcome.seconds < 3) == ({"interrupted": 1}, True)


def test_attempts_left_open_are_closed_as_interrupted(bench: Bench) -> None:
    jobdir = bench.store.new_attempt(work_of(entry().job))
    jobdir.tell("metrics", step=1, values={"val_accuracy": 0.5})
    with open(jobdir.path / "events.jsonl", "ab") as file:
        file.write(b'{"t": 1, "kind": "metr')
    _, _, outcome = bench.run([entry()])
    assert outcome.made == ((entry().job.id, 2),)
    first = jobdir.record()
    assert first is not None
    assert first.status == "interrupted"
    assert [event.values for event in jobdir.events()[0]] == [{"val_accuracy": 0.5}]


def test_a_record_that_cannot_be_read_is_made_again(bench: Bench) -> None:
    bench.keep(entry())
    bench.files("record.json")[0].write_text('{"schema": 1, "id": "a')
    _, _, outcome = bench.run([entry()])
    assert outcome.made == ((entry().job.id, 2),)
    assert list(bench.store.unreadable.values()) == ["is damaged: not whole JSON."]


def test_a_budget_leaves_out_whole_seeds(bench: Bench) -> None:
    """Each seed takes about 0.6 s for three contenders; 1.5 s have room for two of four seeds."""
    entries = [entry("sleep", seconds=0.2, seed=seed, model_number=m) for seed in range(4) for m in range(3)]
    estimator = Estimator(record(e.job, duration_s=0.25) for e in entries[:3])
    source, heard, outcome = bench.run(entries, budget_s=1.5, estimator=estimator)
    statuses = source.statuses()
    ran = statuses.count("ok")
    assert ran % 3 == 0, "a seed is run for every contender or for none"
    assert statuses == ["ok"] * ran + ["skipped"] * (12 - ran)
    assert 3 <= ran <= 6
    assert outcome.trimmed == tuple(e.job.id for e in entries[ran:])
    assert heard.notes[0].startswith("the budget of 1.5s is spent: train seed ")
    assert len(bench.files("job.json")) == ran, "what is not run leaves nothing behind"
    source, _, outcome = bench.run(entries)
    assert (source.statuses(), outcome.cached) == (["ok"] * 12, ran)


def test_the_first_seed_and_round_run_whatever_the_budget(bench: Bench) -> None:
    entries = [entry(seed=0), entry(seed=1), entry(round=0), entry(round=1)]
    estimator = Estimator(record(e.job, duration_s=100.0) for e in entries)
    assert bench.run(entries, budget_s=1, estimator=estimator)[0].statuses() == ["ok", "skipped", "ok", "skipped"]


def test_a_thousand_cached_jobs_are_quick(bench: Bench) -> None:
    entries = [entry(seed=seed) for seed in range(1000)]
    for e in entries:
        jobdir = bench.store.jobdir(e.job.id, 1)
        jobdir.path.mkdir(parents=True)
        (jobdir.path / "record.json").write_bytes(record(e.job).model_dump_json(by_alias=True).encode())
    _, _, outcome = bench.run(entries, budget_s=60)
    assert outcome.cached == 1000
    assert outcome.seconds < 2  # 0.3 s on a quiet machine


def test_inline_does_the_same_here(store: Store) -> None:
    source, heard = Listed([entry("ok"), entry("fail"), entry("ok", round=0)]), Heard()
    outcome = Loop(source, store, inline.build(Warm(**TINY)), RunOptions(), heard).run()
    assert source.statuses() == ["ok", "failed", "ok"]
    assert len(outcome.made) == 3
    assert JobDir(store.jobdir(outcome.made[0][0], 1).path).record() is not None
