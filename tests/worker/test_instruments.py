"""The instruments of a cost job against known truth: time, memory, operations, and who else was on the machine."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlbench.contracts.batches import Batch
from dlbench.jobdir import JobDir
from dlbench.meters import anatomy, compilation, energy, flops, latency, memory, memory_parts, throughput
from dlbench.schema.job import CostPoint, Work
from dlbench.schema.metric import Metric
from dlbench.schema.record import Record
from dlbench.worker.build import Bench, set_up
from dlbench.worker.cost import _run
from dlbench.worker.derived import unattributed, utilization
from dlbench.worker.rig import PhaseRig, cost_batches, memory_in_use
from dlbench.worker.watch import Observation, Watch, flags

Make = Callable[..., Work]
Do = Callable[..., tuple[Record, JobDir]]
LIMIT_S = 0.3


def point(size: int = 16, phases: tuple[str, ...] = ("train", "infer"), **fields: Any) -> CostPoint:
    return CostPoint.model_validate({"batch_size": size, "phases": phases, "round": 0, "limit_s": LIMIT_S, **fields})


def named(metrics: Any) -> dict[str, Metric]:
    return {metric.name: metric for metric in metrics}


def rig_of(bench: Bench, phase: str, size: int = 16) -> PhaseRig:
    batches = cost_batches(bench, size)
    baseline = memory_in_use(bench.device)
    return PhaseRig(bench, bench.model(), phase, batches, baseline)


def read(module: ModuleType, rig: PhaseRig) -> dict[str, Metric]:
    batches = rig.batches if module.CLOCKED else [rig.largest]
    return named(_run(rig, module.build(rig), batches))


class Fake:
    """A rig whose clock moves by what its steps are said to take, seconds."""

    device = torch.device("cpu")
    limit_s = 2.0
    precision = "fp32"
    compiled = True
    recomputed = ()

    def __init__(self, phase: str = "train", first_step_s: float | None = None, **parts_s: float) -> None:
        self.phase, self.parts_s, self.first_step_s = phase, parts_s, first_step_s
        self.model = nn.Identity()
        self.batches: list[Batch] = [{"index": torch.zeros(64)} for _ in range(4)]
        self.now = 0.0
        self.mark: Callable[[str], None] = lambda part: None
        self.twin: Fake | None = None

    def clock(self) -> float:
        return self.now

    def synchronize(self) -> None:
        pass

    def step(self, batch: Batch) -> None:
        for part in ("forward", "backward", "optimizer"):
            if part in self.parts_s:
                self.now += self.parts_s[part]
                self.mark(part)

    def draw(self) -> Batch:
        self.now += self.parts_s.get("data", 0.0)
        return self.batches[0]

    def eager(self) -> "Fake":
        assert self.twin is not None
        return self.twin


# --- time -----------------------------------------------------------------------------------------------------------


def test_throughput_and_latency_are_what_the_clock_says() -> None:
    assert read(throughput, Fake("infer", forward=0.010))["throughput"].value == pytest.approx(6400)  # type: ignore[arg-type]
    found = read(latency, Fake("infer", forward=0.010))  # type: ignore[arg-type]
    assert {name: metric.value for name, metric in found.items()} == pytest.approx(
        {"latency_p50_ms": 10.0, "latency_p90_ms": 10.0, "latency_p99_ms": 10.0}
    )
    assert found["latency_p50_ms"].raw == pytest.approx([10.0] * 100)


def test_a_step_is_taken_apart() -> None:
    rig = Fake("train", data=0.001, forward=0.003, backward=0.005, optimizer=0.002)
    found = read(anatomy, rig)  # type: ignore[arg-type]
    values = {name: metric.value for name, metric in found.items()}
    assert values == pytest.approx(
        {"data_ms": 1.0, "transfer_ms": None, "forward_ms": 3.0, "backward_ms": 5.0, "optimizer_ms": 2.0}
    )
    assert "moves nothing" in (found["transfer_ms"].reason or "")
    assert read(anatomy, Fake("infer", forward=0.004)).keys() == {"data_ms", "transfer_ms", "forward_ms"}  # type: ignore[arg-type]


def test_compilation_pays_after_as_many_steps_as_it_costs() -> None:
    rig = Fake("train", first_step_s=8.01, forward=0.010)
    rig.twin = Fake("train", forward=0.014)
    found = read(compilation, rig)  # type: ignore[arg-type]
    assert found["compile_s"].value == pytest.approx(8.0)
    assert found["break_even_steps"].value == 2000
    rig.twin = Fake("train", forward=0.010)
    assert "no faster" in (read(compilation, rig)["break_even_steps"].reason or "")  # type: ignore[arg-type]


def test_a_model_that_sleeps_has_the_throughput_that_arithmetic_says(make_work: Make) -> None:
    bench = set_up(make_work("takes", {"sleep_ms": 10}, cost=point()))
    took = bench.catalog.load("models", "takes").TOOK_S
    rig = rig_of(bench, "infer")
    rig.step(rig.batches[0])
    off = []
    for _ in range(20):  # until the machine is quiet for a moment: an instrument that is wrong never comes near
        took.clear()
        found = read(throughput, rig)["throughput"].value or 0.0
        off.append(abs(found * statistics.fmean(took) / 16 - 1))
        assert min(took) >= 0.010
        if off[-1] <= 0.02:
            break
    assert min(off) <= 0.02


def test_parts_of_a_real_step_add_up_to_it(make_work: Make) -> None:
    bench = set_up(make_work("takes", {"sleep_ms": 30}, cost=point()))
    found = read(anatomy, rig_of(bench, "train"))
    assert 30 < found["forward_ms"].value < 45  # type: ignore[operator]
    for part in ("data_ms", "backward_ms", "optimizer_ms"):
        assert 0 < found[part].value < 30  # type: ignore[operator]


# --- memory ---------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(memory.resettable() is not None, reason="no peak of the resident size here")
@pytest.mark.parametrize("phase", ["infer", "train"])
def test_what_a_forward_pass_allocates_is_the_peak(make_work: Make, phase: str) -> None:
    bench = set_up(make_work("takes", {"mib": 512}, cost=point()))
    rig = rig_of(bench, phase)
    rig.step(rig.batches[0])
    found = read(memory, rig)["peak_memory_bytes"]
    assert found.value == pytest.approx(512 * 2**20, rel=0.03)
    taken = read(memory_parts, rig)["temporaries_bytes"].value
    assert taken == pytest.approx(512 * 2**20, rel=0.001)  # to the tensor


@pytest.mark.skipif(memory.resettable() is not None, reason="no peak of the resident size here")
def test_an_epoch_that_was_drawn_from_is_not_the_models_memory(make_work: Make) -> None:
    bench = set_up(make_work(cost=point(1), data={"train_size": 100_000}))
    rig = rig_of(bench, "infer", size=1)
    rig.step(rig.batches[0])
    fresh = read(memory, rig)["peak_memory_bytes"].value
    read(anatomy, rig)  # draws from 100,000 batches, each a tensor of its own: some 60 MB
    drawn = read(memory, rig)["peak_memory_bytes"].value
    assert fresh is not None
    assert drawn is not None
    assert drawn < fresh + 30 * 2**20  # what a peak of the whole process varies by is some 10 MB


@pytest.mark.skipif(memory.resettable() is not None, reason="no peak of the resident size here")
def test_what_child_processes_hold_counts(make_work: Make) -> None:
    bench = set_up(make_work("takes", cost=point()))
    rig = rig_of(bench, "infer")
    hold = "import sys; held = b'x' * 200_000_000; print('held', flush=True); sys.stdin.read()"
    child = subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        found = read(memory, rig)["peak_memory_bytes"].value
    finally:
        child.communicate()
    assert found is not None
    assert 200e6 < found < 260e6


def test_weights_gradients_and_adam_state_are_exact(do: Do) -> None:
    record, _ = do(params={"hidden": 32}, train={"optimizer": "adam"}, cost=point())
    found = named(record.metrics)
    count = 8 * 32 + 32 + 32 * 3 + 3
    assert found["parameters"].value == count
    assert found["train_weights_bytes"].value == found["infer_weights_bytes"].value == 4 * count
    assert found["train_gradients_bytes"].value == 4 * count
    tensors = 4
    assert found["train_optimizer_state_bytes"].value == 2 * 4 * count + 4 * tensors  # and each tensor's count of steps
    # Kept for the backward pass: the hidden layer behind the ReLU and what log_softmax gives; what it is averaged over
    # is one number. The batch was there before.
    assert found["train_activations_bytes"].value == pytest.approx(4 * 16 * (32 + 3), abs=64)
    assert "infer_activations_bytes" not in found
    parts = ("weights", "buffers", "gradients", "optimizer_state", "activations", "temporaries")
    whole = sum(found[f"train_{part}_bytes"].value or 0 for part in parts)
    assert found["train_unattributed_bytes"].value == (found["train_peak_memory_bytes"].value or 0) - whole


class Blocks(nn.Module):
    """Three blocks of two layers, with a ReLU between and behind them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        layers = [nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()]
        self.blocks = nn.ModuleList(nn.Sequential(*layers) for _ in range(3))

    def forward(self, batch: Batch) -> Tensor:
        hidden = batch["vector"]
        for block in self.blocks:
            hidden = block(hidden)
        return hidden[:, :3]


def test_checkpointing_keeps_the_inputs_of_blocks_alone(make_work: Make) -> None:
    batch, width = 32, 8  # as wide as the blobs
    kept = {}
    for checkpointing in (False, True):
        train = {"optimizer": "sgd", "momentum": 0.0, "grad_checkpointing": checkpointing}
        bench = set_up(make_work(cost=point(batch), train=train))
        torch.manual_seed(0)
        model = Blocks(width)
        if checkpointing:
            from dlbench.worker.arrange import recompute

            recompute(model)
        rig = PhaseRig(bench, model, "train", cost_batches(bench, batch), 0)
        kept[checkpointing] = read(memory_parts, rig)["activations_bytes"].value or 0
    tensor, loss = 4 * batch * width, 4 * batch * 3
    # Both keep what the loss needs. Without: the output of each ReLU. With: the inputs of blocks, of which the first is
    # the batch, and the output of the last, which the loss's slice does not need but shares its storage with.
    assert kept[False] == pytest.approx(6 * tensor + loss, abs=64)
    assert kept[True] == pytest.approx(2 * tensor + loss, abs=64)


# --- operations -----------------------------------------------------------------------------------------------------


class Of(nn.Module):
    """A module as a model of batches."""

    def __init__(self, module: nn.Module, call: Callable[[nn.Module, Tensor], Any]) -> None:
        super().__init__()
        self.module, self.call = module, call

    def forward(self, batch: Batch) -> Any:
        return self.call(self.module, batch["x"])


B, T, D, H = 4, 10, 12, 20
CLOSED_FORMS = {
    "MLP": (nn.Sequential(nn.Linear(D, H), nn.ReLU(), nn.Linear(H, 3)), (B, D), 2 * (D * H + H * 3)),
    "convolution": (nn.Conv2d(3, 8, 5, stride=2, padding=2), (B, 3, 32, 32), 2 * 8 * 3 * 5 * 5 * 16 * 16),
    "grouped convolution": (nn.Conv2d(8, 8, 3, groups=8, padding=1), (B, 8, 16, 16), 2 * 8 * 1 * 3 * 3 * 16 * 16),
    "LSTM": (nn.LSTM(D, H, num_layers=2, batch_first=True), (B, T, D), 2 * T * 4 * (D * H + 3 * H * H)),
    "bidirectional GRU": (
        nn.GRU(D, H, batch_first=True, bidirectional=True),
        (B, T, D),
        2 * 2 * T * 3 * (D * H + H * H),
    ),
    "attention": (
        nn.MultiheadAttention(D, 3, batch_first=True),
        (B, T, D),
        2 * T * 4 * D * D + 2 * 2 * T * T * D,  # four projections; scores and their weighting of values
    ),
}


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_operations_are_the_closed_form(name: str) -> None:
    module, shape, expected = CLOSED_FORMS[name]
    call = (lambda m, x: m(x, x, x)[0]) if name == "attention" else (lambda m, x: m(x))
    model = Of(module, call).to("meta")
    total, samples = flops.forward_flops(model, [{"x": torch.empty(shape)}])
    assert samples == B
    assert total == B * expected


def test_utilization_is_operations_a_second_over_the_ceiling_of_what_ran() -> None:
    metrics = [
        Metric(name="flops_per_sample", value=1e6, unit="flop", better="lower"),
        Metric(name="train_throughput", value=1000, unit="samples/s", better="higher"),
        Metric(name="infer_throughput", value=4000, unit="samples/s", better="higher"),
    ]
    calibration = {"rates": {"float32": {"flops_per_s": 1e10}, "bfloat16": {"flops_per_s": None}}}
    found = named(utilization(metrics, {"train": ("bfloat16", "float32"), "infer": ("bfloat16",)}, calibration))
    assert found["mfu"].value == pytest.approx(3 * 1e6 * 1000 / 1e10)
    assert found["mfu"].detail == {"dtype": "float32", "ceiling_flops_per_s": 1e10}
    assert found["infer_mfu"].value is None
    assert "dlbench calibrate" in (found["infer_mfu"].reason or "")
    assert named(utilization(metrics, {"train": ("float32",)}, None))["mfu"].value is None


def test_what_no_part_explains_is_told_only_where_every_part_is_known() -> None:
    peak = Metric(name="infer_peak_memory_bytes", value=100, unit="bytes", better="lower")
    weights = Metric(name="infer_weights_bytes", value=None, reason="packed", unit="bytes", better="lower")
    assert named(unattributed([peak, weights]))["infer_unattributed_bytes"].reason == "packed"
    known = weights.model_copy(update={"value": 30.0, "reason": None})
    assert named(unattributed([peak, known]))["infer_unattributed_bytes"].value == 70


# --- energy ---------------------------------------------------------------------------------------------------------


def test_energy_is_read_from_every_package_and_across_the_end_of_a_counter(tmp_path: Any) -> None:
    for package, (uj, most) in {
        "intel-rapl:0": (1_000_000, 10_000_000),
        "intel-rapl:1": (9_000_000, 10_000_000),
    }.items():
        (tmp_path / package).mkdir()
        (tmp_path / package / "energy_uj").write_text(f"{uj}\n")
        (tmp_path / package / "max_energy_range_uj").write_text(f"{most}\n")
    (tmp_path / "intel-rapl:0:0").mkdir()  # a part of a package
    counter, name = energy._packages(tmp_path)
    assert counter is not None
    assert name == "RAPL"
    before = counter()
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("3000000\n")
    (tmp_path / "intel-rapl:1" / "energy_uj").write_text("500000\n")  # 1.5 J further, past the end at 10 J
    assert counter() - before == pytest.approx(2.0 + 1.5)


def test_where_nothing_counts_energy_it_is_missing_with_the_reason(tmp_path: Any, make_work: Make) -> None:
    counter, reason = energy._packages(tmp_path)
    assert counter is None
    assert "no RAPL counter" in reason
    found = read(energy, rig_of(set_up(make_work(cost=point())), "infer"))["energy_per_sample_j"]
    assert (found.value is None) == (found.reason is not None)


# --- who else was there ---------------------------------------------------------------------------------------------


@contextmanager
def busy_neighbours(count: int) -> Iterator[None]:
    spin = "print('on', flush=True)\nwhile True: pass"
    neighbours = [subprocess.Popen([sys.executable, "-c", spin], stdout=subprocess.PIPE) for _ in range(count)]
    try:
        for neighbour in neighbours:
            assert neighbour.stdout is not None
            neighbour.stdout.readline()
        yield
    finally:
        for neighbour in neighbours:
            neighbour.kill()
            neighbour.communicate()


def test_a_busy_neighbour_is_seen() -> None:
    with busy_neighbours(1), Watch() as watch:
        time.sleep(0.5)
    assert watch.seen is not None
    assert watch.seen.foreign_cores is not None
    assert watch.seen.foreign_cores > 0.5
    assert "other processes kept cores busy" in watch.seen.disturbances
    assert watch.seen.severity > (True, 0.5)


def test_a_disturbed_region_is_measured_again_and_then_flagged(do: Do) -> None:
    with busy_neighbours(2):
        record, jobdir = do(cost=point(phases=("infer",)))
    assert record.status == "ok"
    assert any(flag.startswith("other processes kept cores busy while this was measured:") for flag in record.flags)
    assert "infer throughput" in " ".join(record.flags)
    speed = named(record.metrics)["infer_throughput"]
    assert speed.detail["disturbed"]  # type: ignore[index, call-overload]
    lines = (jobdir.artifacts / "windows.jsonl").read_text().splitlines()
    assert sum('"throughput"' in line for line in lines) == 3
    assert sum('"memory"' in line for line in lines) == 1  # other load takes no memory of ours
    assert [artifact.role for artifact in record.artifacts if artifact.path.endswith("windows.jsonl")] == ["windows"]


def test_too_short_a_region_is_not_judged() -> None:
    with Watch() as watch:
        pass
    assert watch.seen is not None
    assert watch.seen.foreign_cores is None
    assert watch.seen.disturbances == ()


def test_a_quiet_region_is_less_disturbed_than_any_other() -> None:
    slow = Observation(seconds=1, foreign_cores=0.0, stolen_cores=0.0, switches_per_s=0, pace=0.84)
    quiet = Observation(seconds=1, foreign_cores=0.24, stolen_cores=0.04, switches_per_s=100, pace=0.9)
    assert slow.disturbances
    assert not quiet.disturbances
    assert quiet.severity < slow.severity


def test_flags_name_what_was_disturbed_once() -> None:
    quiet = Observation(seconds=1, foreign_cores=0.1, stolen_cores=0.0, switches_per_s=20)
    busy = Observation(seconds=1, foreign_cores=1.2, stolen_cores=0.0, switches_per_s=400)
    hot = Observation(seconds=1, foreign_cores=0.0, stolen_cores=0.2, switches_per_s=5000, throttled=2)
    crowded = Observation(seconds=1, foreign_cores=0.0, stolen_cores=0.0, switches_per_s=0, foreign_gpu_processes=1)
    assert flags([("train throughput", quiet)]) == []
    told = flags([("a", busy), ("b", quiet), ("c", busy), ("c", hot), ("d", crowded)])
    assert told == [
        "other processes kept cores busy while this was measured: a, c",
        "other work pushed this process off its cores while this was measured: c",
        "the host took processor time away while this was measured: c",
        "the device was throttled while this was measured: c",
        "other processes computed on the GPU while this was measured: d",
    ]
