"""A cost job: one model stepped through phases, alone on the machine, while meters look on."""

import itertools
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from dlbench.contracts.batches import Batch
from dlbench.contracts.meters import Meter
from dlbench.jobdir import JobDir
from dlbench.schema.metric import Metric
from dlbench.worker.build import Bench
from dlbench.worker.derived import OF_TRAINING, unattributed, utilization
from dlbench.worker.dtypes import Ran
from dlbench.worker.pace import Pace
from dlbench.worker.rig import PhaseRig, cost_batches, impossible, memory_in_use
from dlbench.worker.watch import Observation, Watch, flags

LEAST_WARM_UP_STEPS = 3
WARM_UP_S = 0.2
ORDER = ("model", "infer", "decode", "sample", "train")
"""Training comes last: it leaves gradients and optimiser state behind, which would count as inference memory."""

MOST_ATTEMPTS = 3
"""So often a region is measured until nothing disturbs it; then the least disturbed attempt counts, and is flagged."""


COMPILATION_CACHE = "TORCHINDUCTOR_CACHE_DIR"


@dataclass
class Costs:
    """What a cost job has found so far; whatever stops it, the record keeps this much.

    Attributes:
        phase: the phase that was begun last.
        observed: the regions whose figures count, by name, with what the machine did meanwhile.
    """

    metrics: list[Metric] = field(default_factory=list)
    ran: Ran = field(default_factory=Ran)
    phase: str = "train"
    observed: list[tuple[str, Observation]] = field(default_factory=list)

    @property
    def flags(self) -> list[str]:
        """What disturbed the regions."""
        return flags(self.observed)


def measure(bench: Bench, jobdir: JobDir, costs: Costs, calibration: Mapping[str, Any] | None = None) -> None:
    """Measure all phases of the job.

    Args:
        jobdir: hears of phases; every attempt at a region leaves a line in `artifacts/windows.jsonl`.
        costs: is filled with metrics, their phase before their names.
        calibration: of this machine, for utilisation.
    """
    if bench.job.train.compile:
        with _fresh_compilation():
            _measure(bench, jobdir, costs, calibration)
    else:
        _measure(bench, jobdir, costs, calibration)


@contextmanager
def _fresh_compilation() -> Iterator[None]:
    """A compilation cache of this job's own: it compiles everything, once, whoever compiled the same before."""
    before = os.environ.get(COMPILATION_CACHE)
    with tempfile.TemporaryDirectory(prefix="dlbench-compile-") as folder:
        os.environ[COMPILATION_CACHE] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ[COMPILATION_CACHE]
            else:
                os.environ[COMPILATION_CACHE] = before


def _measure(bench: Bench, jobdir: JobDir, costs: Costs, calibration: Mapping[str, Any] | None) -> None:
    point = bench.job.cost
    assert point is not None
    batches = cost_batches(bench, point.batch_size)
    phases = [phase for phase in ORDER if phase == "model" or phase in point.phases]
    for phase, reason in [(phase, impossible(bench, phase)) for phase in phases]:
        if reason is not None:
            phases.remove(phase)
            lost = Metric(name=f"{phase}_throughput", value=None, unit="samples/s", better="higher", reason=reason)
            costs.metrics.append(lost)
    pace = Pace() if bench.device.type == "cpu" else None
    first_s = _touch(bench, batches[0], phases, costs)
    baseline_bytes = memory_in_use(bench.device)
    model = bench.model()
    costs.ran = bench.precision.ran(model, batches[0])
    for phase in phases:
        jobdir.tell("phase", name=f"measure {phase}")
        costs.phase = phase
        rig = PhaseRig(bench, model, phase, batches, baseline_bytes, first_s.get(phase))
        if "train" not in phases:
            model = rig.model  # whatever it was quantised from is needed no more, and must not count
        if phase != "model":
            _warm_up(rig)
        for name in bench.catalog.names("meters"):
            module = bench.catalog.load("meters", name)
            if phase in module.PHASES:
                _region(rig, name, module, pace, jobdir, costs)
    ran = dict.fromkeys(phases, costs.ran.dtypes)
    costs.metrics += [*unattributed(costs.metrics), *utilization(costs.metrics, ran, calibration)]


def _region(rig: PhaseRig, name: str, module: ModuleType, pace: Pace | None, jobdir: JobDir, costs: Costs) -> None:
    """Let one meter measure, again where something disturbed it; keep the least disturbed attempt."""
    best: tuple[list[Metric], Observation] | None = None
    attempts = MOST_ATTEMPTS if module.CLOCKED and rig.phase != "model" else 1
    batches = rig.batches if module.CLOCKED else [rig.largest]
    for attempt in range(1, attempts + 1):
        meter = module.build(rig)
        if meter is None:
            return
        with Watch(rig.device, pace) as watch:
            measured = _run(rig, meter, batches)
        assert watch.seen is not None
        if rig.phase != "model":
            line = {"phase": rig.phase, "meter": name, "attempt": attempt, **watch.seen.as_json()}
            with open(jobdir.artifacts / "windows.jsonl", "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        if best is None or watch.seen.severity < best[1].severity:
            best = measured, watch.seen
        if not watch.seen.disturbances:
            break
    assert best is not None
    metrics, seen = best
    if attempts > 1 and any(metric.value is not None for metric in metrics):
        costs.observed.append((f"{rig.phase} {name.replace('_', ' ')}", seen))
    costs.metrics += [_named(metric, rig.phase, seen if attempts > 1 else None) for metric in metrics]


def _named(metric: Metric, phase: str, seen: Observation | None) -> Metric:
    """The metric under its name in the record, marked where its region was disturbed."""
    full = metric.name if phase == "model" else f"{phase}_{metric.name}"
    changed: dict[str, Any] = {"name": OF_TRAINING.get(full, full)}
    if seen is not None and seen.disturbances and metric.value is not None:
        detail = metric.detail if isinstance(metric.detail, dict) else {}
        changed["detail"] = {**detail, "disturbed": list(seen.disturbances)}
    return metric.model_copy(update=changed)


def _touch(bench: Bench, batch: Batch, phases: Sequence[str], costs: Costs) -> dict[str, float]:
    """Take one step of each phase with a model that is then forgotten; how long each took, seconds.

    The first use of a kernel reads its code into memory and sets up library state. That is no model's memory, and
    would be charged to each as if it were.
    """
    model = bench.model()
    first_s: dict[str, float] = {}
    for phase in phases:
        if phase == "model":
            continue
        costs.phase = phase
        rig = PhaseRig(bench, model, phase, [batch], 0)
        rig.synchronize()
        began = rig.clock()
        rig.step(batch)
        rig.synchronize()
        first_s[phase] = rig.clock() - began
        first_ms = first_s[phase] * 1e3
        costs.metrics.append(Metric(name=f"{phase}_first_step_ms", value=first_ms, unit="ms", better="lower", n=1))
    return first_s


def _run(rig: PhaseRig, meter: Meter, batches: Sequence[Batch]) -> list[Metric]:
    with meter:
        if rig.phase != "model":
            for batch in itertools.cycle(batches):
                rig.step(batch)
                if not meter.step(batch["index"].shape[0]):
                    break
    return meter.read()


def _warm_up(rig: PhaseRig) -> None:
    """Steps whose time does not count, until caches are warm."""
    began = rig.clock()
    for number, batch in enumerate(itertools.cycle(rig.batches), start=1):
        rig.step(batch)
        rig.synchronize()
        if number >= LEAST_WARM_UP_STEPS and rig.clock() - began >= min(WARM_UP_S, rig.limit_s):
            return
