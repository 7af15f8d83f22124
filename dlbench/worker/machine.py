"""What machine this is and what runs on it: facts for records, ids of cost jobs and `dlbench doctor`."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil
import torch

import dlbench
from dlbench.worker import precision
from dlbench.worker.warm import WAITING

PACKAGES = ("torch", "torchao", "numpy", "tokenizers", "mlflow", "optuna", "pandas", "scipy")


def machine() -> dict[str, Any]:
    """Processor, memory, operating system, GPUs, how threads wait for each other; nothing that names a person."""
    return {
        "host": platform.node(),
        "os": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "cpu": cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "memory_bytes": psutil.virtual_memory().total,
        "gpus": [gpu(index) for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else [],
        "driver": driver(),
        "waiting": {name: os.environ.get(name) for name in WAITING},
    }


def versions() -> dict[str, str]:
    """Versions of Python, dlbench and the packages that results may depend on."""
    found = {"python": platform.python_version(), "dlbench": dlbench.__version__}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    if torch.version.cuda:
        found["cuda"] = torch.version.cuda
    return found


def devices() -> dict[str, dict[str, str | None]]:
    """Device → precision → why it cannot run there, or None if it can."""
    names = ["cpu"]
    if torch.cuda.is_available():
        names += [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    return {name: {p: precision.unsupported(p, torch.device(name)) for p in precision.NAMES} for name in names}


def cpu_name() -> str:
    """The processor's own name, as far as the system tells."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux: the line below is what there is
    return platform.processor() or platform.machine()


def gpu(index: int) -> dict[str, Any]:
    """Name, memory and capability of a CUDA device."""
    properties = torch.cuda.get_device_properties(index)
    return {
        "name": properties.name,
        "memory_bytes": properties.total_memory,
        "capability": f"{properties.major}.{properties.minor}",
    }


def driver() -> str | None:
    """Version of the NVIDIA driver; None where there is none."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        return str(pynvml.nvmlSystemGetDriverVersion())
    finally:
        pynvml.nvmlShutdown()
