"""Everything random in a job comes from its seed: one stream for each use."""

import hashlib
import os

import torch


def stream(seed: int, use: str) -> int:
    """A seed of its own for one use of randomness (`weights`, `order`, `dropout`), from the job's seed."""
    digest = hashlib.sha256(f"{use}:{seed}".encode()).digest()
    return int.from_bytes(digest[:7], "big")


def generator(seed: int, use: str) -> torch.Generator:
    """A CPU generator for one use of randomness."""
    return torch.Generator().manual_seed(stream(seed, use))


def seed_globally(seed: int, use: str) -> None:
    """Set torch's global generators, on every device."""
    torch.manual_seed(stream(seed, use))


def make_deterministic(device: torch.device, threads: int) -> None:
    """Ask torch for kernels whose result does not depend on timing.

    One CPU thread needs nothing; several threads and CUDA have kernels that add in any order. Kernels without a
    deterministic form warn, and the warning becomes a flag of the record.
    """
    if device.type == "cpu" and threads == 1:
        return
    # A debugging aid that costs a pass over memory:
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuBLAS and cuDNN's RNNs may differ run to run
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
