"""What the engine of a search costs, and what a second slot brings.

    python tests/benchmarks/bench_search.py own        time of the engine per candidate after 5,000 others, with tpe
    python tests/benchmarks/bench_search.py slots      candidates in the same time with two slots and with one
    python tests/benchmarks/bench_search.py kill       kill -9 at twenty random moments, then resume: is it the same?

`own` counts all that lies between what became of one candidate and the next one's job: asking the strategy, writing
the log, checking parameters in a child, laying out the job. Bars: 60 ms; 1.6 times; the same candidates and best one.
"""

import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from dlbench.cli.planning import Flags, planned
from dlbench.schema.base import Json
from dlbench.schema.metric import Metric
from dlbench.schema.study import StudyEvent, Told
from dlbench.store.folder import Store
from dlbench.store.studies import log, write_head

PAST = 5000
SUITE: dict[str, Any] = {
    "schema": 1,
    "name": "bench_search",
    "tasks": [{"image_classification": {"dataset": "digits"}}],
    "models": ["mlp"],
    "train": {"epochs": 12, "batch_size": 64, "lr": 1e-3},
    "cost": False,
    "search": {
        "space": {
            "train.lr": {"low": 1e-4, "high": 1e-1, "log": True},
            "train.weight_decay": {"low": 1e-6, "high": 1e-1, "log": True},
            "train.optimizer": ["adamw", "sgd"],
            "train.momentum": {"low": 0.0, "high": 0.95, "when": {"train.optimizer": "sgd"}},
            "train.label_smoothing": {"low": 0.0, "high": 0.3},
            "train.batch_size": [32, 64, 128],
            "train.warmup": {"low": 0.0, "high": 0.5},
            "model.dropout": {"low": 0.0, "high": 0.5},
        },
        "strategy": "tpe",
        "budget": {"trials": 10**6},
    },
}


def write(folder: Path, **search: Json) -> Path:
    """The suite with another search."""
    path = folder / "suite.yaml"
    path.write_text(json.dumps({**SUITE, "search": {**SUITE["search"], **search}}))
    return path


def own(repeats: int = 100) -> None:
    """Engine time per candidate behind a long log."""
    with tempfile.TemporaryDirectory() as folder:
        suite = write(Path(folder))
        store = Store.open(Path(folder) / "store", create=True)
        with planned(Flags(suite, offline=True), store) as todo:
            searching = todo.searching
            assert searching is not None
            ((_, head),) = searching.heads
            write_head(store, head)
            dice = random.Random(0)
            for number in range(PAST):
                point = head.space.walk(lambda axis: _draw(dice, axis))
                log(store, head.id, StudyEvent(t=0, kind="asked", number=number, point=point))
                told = Told(state="ok", values=(dice.random(),), jobs=("x",), epochs=12)
                log(store, head.id, StudyEvent(t=0, kind="told", number=number, told=told))
            store.write_suite(todo.plan.suite, [])
            began = time.perf_counter()
            source = searching.source(store, [], todo.know, print)
            resumed_s = time.perf_counter() - began
            times = []
            for _ in range(repeats):
                began = time.perf_counter()
                entry = source.ask()
                spent = time.perf_counter() - began
                assert entry is not None
                record = _record(entry)
                began = time.perf_counter()
                source.tell(entry, record)
                times.append(1000 * (spent + time.perf_counter() - began))
    axes = len(head.space.axes)
    print(f"after {PAST:,} candidates, tpe, {axes} axes: {_summary(times)} ms each; resumed in {resumed_s:.1f} s")


def _draw(dice: random.Random, axis: Any) -> Json:
    if axis.choices is not None:
        return dice.choice(axis.choices)
    return axis.low * (axis.high / axis.low) ** dice.random() if axis.log else dice.uniform(axis.low, axis.high)


def _record(entry: Any) -> Any:
    from datetime import UTC, datetime

    from dlbench.run.made import made
    from dlbench.schema.job import Work

    record = made(Work(job=entry.job, attempt=1, label=entry.label), "ok", "", datetime.now(UTC), 1.0)
    score = Metric(name="val_accuracy", value=random.random(), unit="fraction", better="higher")
    return record.model_copy(update={"metrics": (score,)})


def _summary(values: list[float]) -> str:
    values = sorted(values)
    return f"median {statistics.median(values):.1f} ({values[0]:.1f} to {values[-1]:.1f}, n = {len(values)})"


def slots(rounds: int = 3, seconds: float = 25.0) -> None:
    """Candidates that two slots finish over those of one, in the same time, runs in turn."""
    ratios = []
    for number in range(rounds):
        done = {}
        for count in (1, 2) if number % 2 else (2, 1):
            with tempfile.TemporaryDirectory() as folder:
                suite = write(Path(folder), strategy="random", winners=0)
                process = _start(suite, Path(folder), count)
                _wait_for_first(Path(folder))
                first = _told(Path(folder))
                time.sleep(seconds)
                done[count] = _told(Path(folder)) - first
                process.send_signal(signal.SIGKILL)
                process.wait()
        ratios.append(done[2] / done[1])
        print(f"round {number + 1}: {done[1]} candidates in one slot, {done[2]} in two")
    print(f"two slots over one: {_summary(ratios)}")


def _start(suite: Path, folder: Path, count: int) -> "subprocess.Popen[bytes]":
    command = ["run", str(suite), "--offline", "--no-mlflow", "--no-report", "--slots", str(count)]
    return subprocess.Popen(
        [sys.executable, "-m", "dlbench", *command],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _lines(folder: Path) -> list[dict[str, Any]]:
    text = "".join(path.read_text() for path in folder.glob(".dlbench/studies/*/trials.jsonl"))
    return [json.loads(line) for line in text.splitlines() if line.endswith("}")]


def _told(folder: Path) -> int:
    return sum(line["kind"] == "told" for line in _lines(folder))


def _wait_for_first(folder: Path) -> None:
    while _told(folder) < 2:
        time.sleep(0.05)


def kill(times: int = 20) -> None:
    """Kill at random moments and resume; candidates, states and values as of an undisturbed run."""
    search: dict[str, Json] = {
        "pruner": {"median": {"startup": 3, "warmup": 0}},
        "budget": {"trials": 25},
        "winners": 0,
    }
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        _start(write(Path(one), **search), Path(one), 1).wait()
        suite = write(Path(other), **search)
        dice = random.Random(os.getpid())
        for _ in range(times):
            process = _start(suite, Path(other), 1)
            time.sleep(dice.uniform(0.2, 4.0))
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        _start(suite, Path(other), 1).wait()
        expected, found = (_course(_lines(Path(folder))) for folder in (one, other))
        word = "the same" if expected == found else "DIFFERENT"
        print(f"{len(expected)} lines asked and told; after {times} kills they are {word}")
        if expected != found:
            sys.exit(1)


def _course(lines: list[dict[str, Any]]) -> list[Any]:
    asked = [("asked", e["number"], e["point"]) for e in lines if e["kind"] == "asked"]
    told = [(e["number"], e["told"]["state"], e["told"].get("values")) for e in lines if e["kind"] == "told"]
    return [*asked, *told]


if __name__ == "__main__":
    {"own": own, "slots": slots, "kill": kill}[sys.argv[1]]()
