"""Stores as full as a store gets, written directly, as if their suites had been run: for `bench_report.py`.

Records are as long as real ones (6 to 12 kB), with layers, a calibration, raw latencies and confusion matrices; there
are curves of 20 validations, and predictions of one seed in ten. One train job in fifty has failed.
"""

import io
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from studies import RECIPE, drawn, head, recipe_accuracy, trial
from synthetic import COSTS, cost_metric, job, result, suite
from synthetic_costs import CALIBRATION

from dlbench.schema.metric import Metric
from dlbench.schema.record import Artifact, Result
from dlbench.schema.study import Study, StudyEvent, Trial
from dlbench.store.folder import Store
from dlbench.store.studies import log, write_head, write_list

Line = tuple[Result, dict[str, bytes]]
"""A job's line in the index with its record, and its artifacts."""

LAYERS = {f"blocks.{block}.{name}": ("float32",) for block in range(6) for name in ("qkv", "out", "widen", "narrow")}
MACHINE = {"architecture": "x86_64", "cpu_capability": "AVX512", "driver": None, "calibration": CALIBRATION}
CLASSES = ["World", "Sports", "Business", "Sci/Tech"]
SCORES = (("f1_macro", "fraction", "higher"), ("ece", "fraction", "lower"), ("loss", "nats", "lower"))
PARTS = ("data", "forward", "backward", "optimizer", "first_step")
MEMORIES = ("weights", "buffers", "gradients", "optimizer_state", "activations", "unattributed", "peak_memory")
DATASETS: tuple[dict[str, Any], ...] = ({"name": "ag_news"}, {"name": "temporal_order", "source": "built-in"})
RATES = (1e-3, 3e-4, 3e-3, 1e-2, 1e-4, 3e-5, 2e-3, 5e-4, 5e-3, 2e-4)
SIZES = (8, 64)
STRATEGIES = ("random", "tpe", "evolution")


@dataclass(frozen=True)
class Shape:
    """What a store holds: so many contenders on each dataset, rounds at each of two batch sizes, studies."""

    datasets: int
    contenders: int
    seeds: int
    rounds: int
    studies: int = 0
    candidates: int = 0


SHAPES = {
    "small": Shape(datasets=2, contenders=5, seeds=10, rounds=5),
    "wide": Shape(datasets=1, contenders=100, seeds=50, rounds=25),
    "study": Shape(datasets=1, contenders=10, seeds=50, rounds=25, studies=1, candidates=9000),
    "arena": Shape(datasets=1, contenders=10, seeds=50, rounds=25, studies=9, candidates=1000),
}


def fill_store(name: str, root: Path) -> int:
    """Write the store of a shape, with a suite of that name.

    Returns:
        How many jobs it has.
    """
    store, rng, shape = Store.open(root, create=True), random.Random(name), SHAPES[name]
    entries = []
    for one, files in _contenders(shape, rng):
        _write(store, one, files)
        entries.append(one.entry)
    ids = []
    for study, lines in _studies(name, shape, rng):
        ids.append(study.head.id)
        write_head(store, study.head)
        for number, told in enumerate(study.trials):
            for event in _events(number, told):
                log(store, study.head.id, event)
        for one, files in lines:
            _write(store, one, files)
            entries.append(one.entry)
    store.write_suite(suite(name=name, vary={"train.lr": RATES} if shape.contenders > 10 else {}), entries)
    write_list(store, name, ids)
    return len(entries)


def _write(store: Store, one: Result, files: dict[str, bytes]) -> None:
    """A job's folder. Nothing is synced to the disk, which would take longer than all the rest."""
    assert one.record is not None
    folder = store.jobdir(one.entry.job.id, 1)
    folder.artifacts.mkdir(parents=True)
    for file, data in files.items():
        (folder.artifacts / file).write_bytes(data)
    (folder.path / "record.json").write_bytes(one.record.model_dump_json(indent=1, by_alias=True).encode())


def _contenders(shape: Shape, rng: random.Random) -> Iterator[Line]:
    """Ten models, each at one learning rate or at ten."""
    for dataset in DATASETS[: shape.datasets]:
        for index in range(shape.contenders):
            label, fields = f"model{index % 10}", {"dataset": dataset, "params": {"layers": index % 10}}
            if shape.contenders > 10:
                rate = RATES[index // 10]
                label, fields = f"{label} lr={rate:g}", {**fields, "varied": {"train.lr": rate}, "train": {"lr": rate}}
            truth, speed = 0.85 + 0.08 * rng.random(), rng.uniform(2e3, 2e4)
            for seed in range(shape.seeds):
                yield _trained(label, seed, truth + rng.gauss(0, 0.004), rng, **fields)
            for size in SIZES:
                for number in range(shape.rounds):
                    yield _measured(label, size, number, speed, rng, **fields), {}


def _trained(label: str, seed: int, score: float, rng: random.Random, **fields: Any) -> Line:
    given: dict[str, Any] = {"varied": fields.pop("varied", None), "machine": MACHINE, "layers": LAYERS}
    the_job = job(label, number=seed, **fields)
    if rng.random() < 0.02:
        return result(the_job, label, status="oom", reason="needs 9 GB", **given), {}
    detail = {"classes": CLASSES, "confusion": [[1650 if i == j else 60 + i for j in range(4)] for i in range(4)]}
    metrics = [Metric(name="train_time_s", value=rng.uniform(9, 11), unit="s", better="lower")]
    for split, n in (("test", 7600), ("val", 1048)):
        first = {"name": f"{split}_accuracy", "value": score, "unit": "fraction", "better": "higher", "detail": detail}
        rest = [{"name": f"{split}_{k}", "value": score - 0.1, "unit": u, "better": b} for k, u, b in SCORES]
        metrics += [Metric.model_validate({**values, "n": n}) for values in (first, *rest)]
    files = {"curve.csv": _curve(score, rng)}
    if seed % 10 == 0:
        files["predictions.npz"] = _predictions(score, rng)
    artifacts = [Artifact(path=f"artifacts/{name}", sha256="0" * 64, role=name.partition(".")[0]) for name in files]
    return result(the_job, label, metrics, artifacts=artifacts, **given), files


def _curve(score: float, rng: random.Random) -> bytes:
    lines = ["step,epoch,elapsed_s,lr,train_loss,val_accuracy"]
    for epoch in range(1, 21):
        value = score - 0.4 * 0.7**epoch + rng.gauss(0, 0.002)
        lines.append(f"{epoch * 312},{float(epoch)},{2.1 * epoch!r},0.002,{1.2 * 0.8**epoch!r},{value!r}")
    return ("\n".join(lines) + "\n").encode()


def _predictions(score: float, rng: random.Random) -> bytes:
    """What a model said of 1,000 examples."""
    target = np.arange(1000) % 4
    wrong = np.random.default_rng(rng.randrange(2**32)).random(1000) > score
    file = io.BytesIO()
    np.savez_compressed(file, target=target, predicted=np.where(wrong, (target + 1) % 4, target))
    return file.getvalue()


def _measured(label: str, size: int, number: int, speed: float, rng: random.Random, **fields: Any) -> Result:
    """A cost job's line, with the figures that a real one has."""
    rate = speed * size / (size + 8) * rng.lognormvariate(0, 0.02)
    step_ms = 1e3 * size / rate
    values: dict[str, float | str] = {
        name: "this CPU has no readable energy counter" for name in COSTS if "energy" in name
    }
    values |= {"train_throughput": rate, "infer_throughput": 3 * rate, "infer_latency_p50_ms": step_ms / 3}
    values |= {"infer_latency_p90_ms": step_ms / 2, "infer_latency_p99_ms": step_ms, "infer_mfu": 0.2, "mfu": 0.1}
    values |= {"parameters": 2e5, "flops_per_sample": 7e6}
    for phase in ("train", "infer"):
        values |= {f"{phase}_{part}_ms": step_ms * rng.uniform(0.1, 0.3) for part in PARTS}
        values |= {f"{phase}_{part}_bytes": 8e5 + 3e4 * size * rng.uniform(1, 1.01) for part in MEMORIES}
    raw = tuple(step_ms / 3 * rng.lognormvariate(0, 0.1) for _ in range(40))
    metrics = [
        metric.model_copy(update={"raw": raw, "n": len(raw)} if metric.name == "infer_latency_p50_ms" else {})
        for metric in (cost_metric(name, value) for name, value in values.items())
    ]
    varied = fields.pop("varied", None)
    the_job = job(label, kind="cost", number=number, batch_size=size, **fields)
    return result(the_job, label, metrics, varied=varied, machine=MACHINE, layers=LAYERS)


def _studies(name: str, shape: Shape, rng: random.Random) -> Iterator[tuple[Study, list[Line]]]:
    """Every study, with the jobs of its candidates and of its winner."""
    for number in range(shape.studies):
        strategy, seed = STRATEGIES[number % len(STRATEGIES)], number // len(STRATEGIES)
        study_id = f"{strategy}-{seed}"
        trials, lines = [], []
        for count in range(shape.candidates):
            point = drawn(RECIPE, rng)
            value = recipe_accuracy(point) + rng.gauss(0, 0.002)
            one, files = _trained(
                "lstm", 1000, value, rng, params={"layers": point["model.layers"], "number": [number, count]}
            )
            entry = one.entry.model_copy(update={"study": study_id, "candidate": count})
            lines.append((one.model_copy(update={"entry": entry}), files))
            told = {"jobs": (one.entry.job.id,), "metrics": {"val_f1_macro": value - 0.1}}
            failed = {"state": "failed", "reason": "oom: needs 9 GB"}
            ok = one.status == "ok"
            trials.append(trial(count, point, value if ok else None, **told, **({} if ok else failed)))
        lines.append(
            _trained(f"best of {strategy}", seed, 0.92 + rng.gauss(0, 0.002), rng, params={"found_by": study_id})
        )
        yield Study(head=head(RECIPE, strategy, seed, id=study_id, suite=name), trials=tuple(trials)), lines


def _events(number: int, one: Trial) -> list[StudyEvent]:
    at = 1.7e9 + 20 * number
    return [
        StudyEvent(t=at, kind="asked", number=one.number, point=one.point),
        StudyEvent(t=at + 20, kind="told", number=one.number, told=one.told),
    ]
