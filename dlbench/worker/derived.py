"""Metrics that follow from others of the same cost job: utilisation of the device, memory that no part explains."""

from collections.abc import Iterable, Mapping
from typing import Any

from dlbench.schema.metric import Metric
from dlbench.schema.train import FORWARD_AND_BACKWARD

OF_A_FORWARD_PASS = {"train": FORWARD_AND_BACKWARD, "infer": 1}
"""Operations of a step over those of its forward pass; what is computed twice to save memory does not count."""

PARTS = ("weights", "buffers", "gradients", "optimizer_state", "activations", "temporaries")

OF_TRAINING = {"train_mfu": "mfu", "train_energy_per_sample_j": "energy_per_sample_j"}
"""These names of the vocabulary mean training; other phases say theirs."""


def utilization(
    metrics: Iterable[Metric], ran: Mapping[str, Iterable[str]], calibration: Mapping[str, Any] | None
) -> list[Metric]:
    """Model FLOPs utilisation of each phase: `mfu` of training, `infer_mfu` (Chowdhery et al. 2022, PaLM, §4.1).

    Operations that the model needs, times samples per second, over the matrix rate that `dlbench calibrate` measured on
    this machine for the dtype that ran; where several did, for the quickest of them.

    Args:
        metrics: throughputs and `flops_per_sample` among them.
        ran: phase → dtypes of its matrix operators.
        calibration: of this machine, device and number of threads; None: there is none.
    """
    found = {metric.name: metric for metric in metrics}
    derived = []
    for phase, passes in OF_A_FORWARD_PASS.items():
        speed, flops = found.get(f"{phase}_throughput"), found.get("flops_per_sample")
        if speed is None or flops is None:
            continue
        name, reason, value, detail = OF_TRAINING.get(f"{phase}_mfu", f"{phase}_mfu"), None, None, None
        rates = (calibration or {}).get("rates", {})
        known = {dtype: (rates.get(dtype) or {}).get("flops_per_s") for dtype in ran.get(phase, ())}
        ceilings = {dtype: rate for dtype, rate in known.items() if rate}
        if speed.value is None or flops.value is None:
            reason = speed.reason or flops.reason
        elif not ceilings:
            reason = f"the matrix rate of {' and '.join(known) or 'what ran'} is not known: see `dlbench calibrate`"
        else:
            dtype = max(ceilings, key=lambda name: ceilings[name])
            value = passes * flops.value * speed.value / ceilings[dtype]
            detail = {"dtype": dtype, "ceiling_flops_per_s": ceilings[dtype]}
        derived.append(Metric(name=name, value=value, unit="fraction", better="higher", reason=reason, detail=detail))
    return derived


def unattributed(metrics: Iterable[Metric]) -> list[Metric]:
    """What of each phase's peak is no tensor's: `<phase>_unattributed_bytes`.

    On the CPU that is what the C library holds between and behind the tensors, and libraries' working memory; on CUDA
    working memory of libraries. Below zero where the parts never live all at once: gradients come as activations go.
    """
    found = {metric.name: metric for metric in metrics}
    derived = []
    for phase in OF_A_FORWARD_PASS:
        peak = found.get(f"{phase}_peak_memory_bytes")
        parts = [found[f"{phase}_{part}_bytes"] for part in PARTS if f"{phase}_{part}_bytes" in found]
        if peak is None or not parts:
            continue
        missing = next((metric.reason for metric in (peak, *parts) if metric.value is None), None)
        value = None if missing else (peak.value or 0) - sum(part.value or 0 for part in parts)
        name = f"{phase}_unattributed_bytes"
        derived.append(Metric(name=name, value=value, unit="bytes", better="neither", reason=missing))
    return derived
