"""A suite whose costs hold everything that a report can show: anatomy, memory, precisions, batches, anchors, gaps."""

import itertools
import math
from datetime import timedelta
from typing import Any

from synthetic import START, costs, job, quality, result

from dlbench.schema.metric import Metric
from dlbench.schema.record import Result

TRUTH = {"linear": (0.903, 6000.0, 1.2e6), "lstm": (0.881, 250.0, 5.8e6), "transformer": (0.905, 400.0, 6.1e6)}
"""Label → accuracy, throughput that it approaches in training, bytes of its weights."""
PRECISIONS = {
    "fp32": (0.0, 1.0, 1.0, ("float32",)),
    "bf16": (-0.0015, 1.7, 0.7, ("bfloat16", "float32")),
    "fp8_emulated": (-0.02, 0.6, 1.1, ("float32",)),
}
"""Precision → what it adds to the accuracy, by what it multiplies speed and memory, and what runs."""
SIZES = (1, 8, 64, 256)
HALF_SPEED_BATCH = 8.0
"""At this batch size a model has half the throughput that it approaches."""
CALIBRATION: dict[str, Any] = {
    "measured_at": "2026-01-02T03:00:00Z",
    "rates": {"float32": {"flops_per_s": 2.1e11}, "bfloat16": {"flops_per_s": None, "reason": "no instructions"}},
    "copy_bytes_per_s": 2.4e10,
    "overhead": {"ratio": 0.983},
    "noise": {"metrics": {"train_throughput": 0.03, "infer_throughput": 0.03, "infer_latency_p50_ms": 0.06}},
}
WOBBLE = (0.0, 0.01, -0.01)
NO_COUNTER = "this CPU has no readable energy counter"


def throughput(label: str, size: int) -> float:
    """Samples a second of training in fp32: b / (b + half) of what the model approaches."""
    return TRUTH[label][1] * size / (size + HALF_SPEED_BATCH)


def anatomy(label: str, size: int, speed: float = 1.0, memory: float = 1.0) -> dict[str, list[float | str]]:
    """Every metric of a cost job, over three rounds."""
    weights = TRUTH[label][2]
    rate = throughput(label, size) * speed
    step_ms = 1e3 * size / rate
    activations = 3e5 * size * memory
    parts = {"weights": weights, "gradients": weights, "optimizer_state": 2 * weights, "activations": activations}
    peak = sum(parts.values()) + 4096 * size + (0.1 * activations if label == "lstm" else -0.5 * weights)
    values: dict[str, float] = {
        "train_throughput": rate,
        "infer_throughput": 3 * rate,
        "infer_latency_p50_ms": step_ms / 3,
        "train_first_step_ms": 20 * step_ms,
        "train_data_ms": 0.05 * step_ms,
        "train_forward_ms": 0.3 * step_ms,
        "train_backward_ms": 0.6 * step_ms,
        "train_optimizer_ms": 0.1 * step_ms,
        "infer_data_ms": 0.05 * step_ms,
        "infer_forward_ms": 0.27 * step_ms,
        **{f"train_{name}_bytes": value for name, value in parts.items()},
        "train_temporaries_bytes": 4096.0 * size,
        "train_buffers_bytes": 0.0,
        "train_peak_memory_bytes": peak,
        "train_unattributed_bytes": peak - sum(parts.values()) - 4096 * size,
        "infer_weights_bytes": weights,
        "infer_activations_bytes": 0.2 * activations,
        "infer_peak_memory_bytes": 1.1 * weights + 0.2 * activations,
        "infer_unattributed_bytes": 0.1 * weights,
        "parameters": weights / 4,
        "flops_per_sample": weights * 1.9,
        "mfu": min(0.9, rate * weights * 6 / 2e11),
        "infer_mfu": min(0.9, rate * weights * 4 / 2e11),
    }
    found: dict[str, list[float | str]] = {
        name: [value * (1 + wobble) for wobble in WOBBLE] for name, value in values.items()
    }
    return found | {"energy_per_sample_j": [NO_COUNTER] * 3, "train_transfer_ms": ["the batch is on the device"] * 3}


def largest(label: str, batch: int, phase: str = "train", **fields: Any) -> Result:
    """The search for the largest batch of a phase: powers of two that fit, and one that did not."""
    tried: list[list[float | None]] = [
        [2**n, 4 * TRUTH[label][2] + 3e5 * 2**n] for n in range(int(math.log2(batch)) + 1)
    ]
    tried.append([2 * batch, None])
    detail = {"tried": tried, "limit_bytes": 2_000_000_000, "bounded_by": "memory"}
    metric = Metric(name=f"{phase}_largest_batch", value=batch, unit="samples", better="higher", detail=detail)
    point = {"largest_batch": True, "phases": (phase,)}
    return result(job(label, kind="cost", batch_size=1, point=point, **fields), label, [metric])


def anchors(label: str, size: int, slower: float) -> list[Result]:
    """Three anchors of a contender, a day after its rounds, at a speed that many times as slow."""
    values = {name: anatomy(label, size, 1 / slower)[name] for name in ("train_throughput", "infer_throughput")}
    later = {"started_at": START + timedelta(days=1), "point": {"anchor": True}}
    return costs(label, values, batch_size=size, first=3, **later)


def checkpointed() -> list[Result]:
    """Costs alone, without and with checkpointing, which takes speed and saves activations; no GPU for the rest."""
    found: list[Result] = []
    for label, speed in (("lstm", 0.99), ("transformer", 0.72)):
        for on, size in itertools.product((False, True), SIZES):
            varied = {"device": "cpu", "train.grad_checkpointing": on}
            values = anatomy(label, size, speed if on else 1.0, 0.4 if on else 1.0)
            if on:
                wobble = 0.05 if label == "lstm" else 0.01
                steps = (0.0, wobble, -wobble)
                rate = throughput(label, size) * speed
                values["train_throughput"] = [rate * (1 + by) * (1 + w) for by, w in zip(steps, WOBBLE, strict=True)]
            name = f"{label} grad_checkpointing={on}"
            told = {"varied": varied, "train": {"grad_checkpointing": on}}
            found += costs(name, values, batch_size=size, **told)
            gone = {**told, "varied": {**varied, "device": "cuda"}}
            cuda = job(name, kind="cost", batch_size=size, device="cuda", train=told["train"])
            found.append(result(cuda, name, skipped="this machine has no CUDA device", varied=gone["varied"]))
    return found


def everything() -> list[Result]:
    """Three models in three precisions at four batch sizes, with anchors, gaps, and out of memory with a peak."""
    found: list[Result] = []
    machine = {"calibration": CALIBRATION}
    for precision, (gain, speed, memory, dtypes) in PRECISIONS.items():
        for label, (accuracy, *_) in TRUTH.items():
            scores = [accuracy + gain + 0.001 * ((7 * seed) % 5) for seed in range(5)]
            layers = {f"layer{n}": (dtypes[0] if n else dtypes[-1],) for n in range(6)}
            told = {"precision": precision, "ran": dtypes, "layers": layers, "machine": machine}
            flags = ("emulated: fp8 rounds in float32",) if precision == "fp8_emulated" else ()
            found += quality(label, scores, flags=flags, **told)
            late = {"started_at": START + timedelta(days=1, hours=1)} if label == "transformer" else {}
            for size in SIZES if precision != "fp8_emulated" else (64,):
                values = anatomy(label, size, speed, memory)
                found += costs(label, values, batch_size=size, flags=flags, **told, **late)
    found += [*anchors("lstm", 64, 1.08), largest("lstm", 2048), largest("transformer", 4096)]
    peak = Metric(name="train_peak_memory_bytes", value=1.98e9, unit="bytes", better="lower")
    tried = Metric(
        name="train_largest_batch",
        value=64,
        unit="samples",
        better="higher",
        detail={"tried": [[64, 1e9], [128, None]]},
    )
    reason = "out of memory at 2.00 GB"
    oom = job("transformer", kind="cost", batch_size=4096)
    found.append(result(oom, "transformer", [peak, tried], status="oom", reason=reason))
    skipped = [
        result(job(label, precision="fp16"), label, skipped="this CPU has no fp16 instructions") for label in TRUTH
    ]
    return found + skipped
