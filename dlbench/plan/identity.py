"""The id of a job: a hash of everything that can change its result, and of nothing else."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from dlbench.schema.base import Json
from dlbench.schema.train import TrainSettings, cost_fields
from dlbench.worker.revision import REVISION as WORKER_REVISION

LENGTH = 16
"""Hexadecimal digits of an id: 64 bits, so that a million jobs collide with probability 3e-8."""


def digest(value: Json) -> str:
    """Id of a JSON value; the order of keys does not matter."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def changed(params: Mapping[str, Json], defaults: Mapping[str, Json]) -> dict[str, Json]:
    """The parameters that differ from their default: a new parameter with a default changes no id."""
    return {key: value for key, value in params.items() if key not in defaults or defaults[key] != value}


def trained(settings: TrainSettings) -> dict[str, Json]:
    """What of the training settings changes a train job's result; threads are named apart."""
    return settings.model_dump(mode="json", exclude_defaults=True, exclude={"threads"})


def costed(settings: TrainSettings) -> dict[str, Json]:
    """What of the training settings changes a cost job's result."""
    return settings.model_dump(mode="json", exclude_defaults=True, include=set(cost_fields()))


def hardware(machine: Mapping[str, Any], device: str) -> dict[str, Json]:
    """What of the machine a cost job's result belongs to."""
    facts: dict[str, Json] = {key: machine.get(key) for key in ("cpu", "architecture", "cores", "cpu_capability")}
    facts["memory_gib"] = round(machine.get("memory_bytes", 0) / 2**30)  # a kernel's own share changes with updates
    if device.startswith("cuda"):
        number = int(device.partition(":")[2] or 0)
        facts |= {"gpu": machine.get("gpus", [])[number : number + 1], "driver": machine.get("driver")}
    return facts


def job_id(
    *,
    kind: str,
    common: Mapping[str, Json],
    precision: str,
    device: str,
    threads: int,
    **rest: Json,
) -> str:
    """The id.

    Args:
        kind: `train` or `cost`.
        common: task, dataset and model with changed parameters, digests and revisions.
        precision: as asked for.
        device: only its kind counts: `cuda:1` is as good as `cuda:0`.
        threads: of the worker.
        rest: train jobs: train, seed, splits, inputs; cost jobs: train, batch_size, phases, round, hardware, torch,
            meters.
    """
    return digest(
        {
            "kind": kind,
            **common,
            "precision": precision,
            "device": device.partition(":")[0],
            "threads": threads,
            "worker": WORKER_REVISION,
            **rest,
        }
    )
