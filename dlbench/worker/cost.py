"""A cost job: one model stepped through phases, alone on the machine, while meters look on."""

import itertools

from dlbench.contracts import Batch, Meter
from dlbench.jobdir import JobDir
from dlbench.schema.metric import Metric
from dlbench.worker.build import Bench
from dlbench.worker.rig import PhaseRig, cost_batches, memory_in_use
from dlbench.worker.watch import Watch, disturbances

LEAST_WARM_UP_STEPS = 3
WARM_UP_S = 0.2
ORDER = ("model", "infer", "decode", "sample", "train")
"""Training comes last: it leaves gradients and optimiser state behind, which would count as inference memory."""


def measure(bench: Bench, jobdir: JobDir) -> tuple[list[Metric], tuple[str, ...], list[str]]:
    """Metrics with their phase as prefix, the dtypes that ran, and flags of a disturbed machine."""
    point = bench.job.cost
    assert point is not None
    batches = cost_batches(bench, point.batch_size)
    phases = [phase for phase in ORDER if phase == "model" or phase in point.phases]
    metrics = _touch(bench, batches[0], phases)
    baseline_bytes = memory_in_use(bench.device)
    model = bench.model()
    ran = bench.precision.ran(model, batches[0])
    watches: list[Watch] = []
    for phase in phases:
        jobdir.tell("phase", name=f"measure {phase}")
        rig = PhaseRig(bench, model.train(phase == "train"), phase, batches, baseline_bytes)
        prefix = "" if phase == "model" else f"{phase}_"
        if phase != "model":
            _warm_up(rig)
        for name in bench.catalog.names("meters"):
            module = bench.catalog.load("meters", name)
            if phase in module.PHASES:
                with Watch() as watch:
                    measured = _run(rig, module.build(rig))
                metrics += [metric.model_copy(update={"name": prefix + metric.name}) for metric in measured]
                if phase != "model":
                    watches.append(watch)
    return metrics, ran, disturbances(watches)


def _touch(bench: Bench, batch: Batch, phases: list[str]) -> list[Metric]:
    """Take one step of each phase with a model that is then forgotten; how long each took, `<phase>_first_step_ms`.

    The first use of a kernel reads its code into memory and sets up library state. That is no model's memory, and
    would be charged to each as if it were.
    """
    model = bench.model()
    metrics = []
    for phase in phases:
        rig = PhaseRig(bench, model.train(phase == "train"), phase, [batch], 0)
        rig.synchronize()
        began = rig.clock()
        rig.step(batch)
        rig.synchronize()
        if phase != "model":
            first_ms = (rig.clock() - began) * 1e3
            metrics.append(Metric(name=f"{phase}_first_step_ms", value=first_ms, unit="ms", better="lower", n=1))
    return metrics


def _run(rig: PhaseRig, meter: Meter) -> list[Metric]:
    with meter:
        if rig.phase != "model":
            for batch in itertools.cycle(rig.batches):
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
