"""Every meter keeps the contract, in every phase that it names."""

from collections import Counter
from collections.abc import Iterator
from typing import get_args

import pytest

from dlbench.catalog import Catalog
from dlbench.schema.job import CostPoint, DatasetRef, Job, ModelRef, TaskRef, Work
from dlbench.schema.metric import LOWER_NAMES, Metric, usual_direction
from dlbench.schema.suite import Phase
from dlbench.schema.train import TrainSettings
from dlbench.worker.build import Bench, set_up
from dlbench.worker.cost import ORDER, _run
from dlbench.worker.memory_limit import lift_limit
from dlbench.worker.rig import PhaseRig, cost_batches, memory_in_use
from dlbench.worker.step import unmarked

NAMES = Catalog().names("meters")
MEASURED = ("model", "infer", "train")
PAIRS = [(name, phase) for name in NAMES for phase in MEASURED if phase in Catalog().load("meters", name).PHASES]
UNITS = {"samples/s", "ms", "s", "bytes", "count", "flop", "J", "steps", "fraction", "samples"}


@pytest.fixture
def bench(plugins: dict[str, tuple[str, ...]]) -> Iterator[Bench]:
    job = Job(
        id="0123456789abcdef",
        kind="cost",
        task=TaskRef(name="vectors"),
        dataset=DatasetRef(name="blobs", digest="sha256:0", source="built-in", official=True),
        model=ModelRef(name="two_layer"),
        train=TrainSettings(batch_size=16),
        cost=CostPoint(batch_size=16, phases=("train", "infer"), round=0, limit_s=0.05),
    )
    yield set_up(Work(job=job, attempt=1, label="two_layer", plugins=plugins))
    lift_limit()


def rig_of(bench: Bench, phase: str) -> PhaseRig:
    batches = cost_batches(bench, 16)
    return PhaseRig(bench, bench.model(), phase, batches, memory_in_use(bench.device), first_step_s=0.1)


def read(name: str, rig: PhaseRig) -> list[Metric]:
    module = Catalog().load("meters", name)
    meter = module.build(rig)
    return [] if meter is None else _run(rig, meter, rig.batches if module.CLOCKED else [rig.largest])


@pytest.mark.parametrize("name", NAMES)
def test_a_meter_says_what_it_measures(name: str) -> None:
    module = Catalog().load("meters", name)
    assert module.REVISION >= 1
    assert module.PHASES
    assert set(module.PHASES) <= {"model", *get_args(Phase)} == set(ORDER)
    assert isinstance(module.CLOCKED, bool)
    assert Catalog().summary("meters", name).endswith(".")


@pytest.mark.parametrize(("name", "phase"), PAIRS)
def test_a_meter_gives_figures_or_reasons_and_leaves_the_rig_as_it_was(name: str, phase: str, bench: Bench) -> None:
    rig = rig_of(bench, phase)
    for metric in read(name, rig):
        assert metric.unit in UNITS
        assert metric.value is None or metric.value >= 0
        assert (metric.value is None) == (metric.reason is not None), f"{metric.name}: {metric.reason}"
        if metric.better != "neither" and metric.name not in LOWER_NAMES | {"buffers", "break_even_steps"}:
            assert metric.better == usual_direction(metric.name)
    assert rig.mark is unmarked
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in rig.model.modules())
    for parameter in rig.model.parameters():
        assert parameter.grad is None


@pytest.mark.parametrize("phase", MEASURED)
def test_no_two_meters_give_the_same_figure(phase: str, bench: Bench) -> None:
    chosen = [name for name, measured in PAIRS if measured == phase]
    names = Counter(metric.name for name in chosen for metric in read(name, rig_of(bench, phase)))
    assert names
    assert set(names.values()) == {1}
