"""What a device can do at best: the rate of its matrix products, dtype by dtype, and the bandwidth of a copy.

Matrices are square and dense, their entries random (on a GPU zeros need less power and are faster), the second one
transposed in memory as a linear layer has its weights. A rate is the best over repetitions and sizes: a ceiling is
wanted, not an average. Copies are larger than caches; memory that is read to be overwritten (write-allocate) is not
counted.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil
import torch

from dlbench.errors import Unsupported
from dlbench.schema.calibration import Rate
from dlbench.worker import precision
from dlbench.worker.precision import Precision

Product = Callable[[], object]

SIZES = {"cpu": (256, 512, 1024, 2048, 4096), "cuda": (1024, 2048, 4096, 8192)}
LEAST_S = 5e-3
"""One timing takes at least so long: products are repeated until it does."""
LEAST_TIMINGS = 3
LEAST_CALLS = LEAST_TIMINGS + 2
"""That many calls a size costs at least, warming up and making the matrices included."""
COPY_BYTES = 2**28
MEMORY_SHARE = 16
"""A copy takes at most this part of the free memory, for each of its two tensors."""


@dataclass(frozen=True)
class Kind:
    """A way to multiply matrices.

    Attributes:
        asked: the precision that says what it needs (`dlbench.worker.precision.unsupported`); None: see the others.
        mode: the precision whose mode of the matrix units it is measured in.
        needs: CUDA compute capability without which there is no kernel.
        emulates: whether a CPU has a kernel even where it has no instructions.
        lacks: what every CPU lacks for it.
    """

    make: Callable[[int, torch.device], Product]
    asked: str | None = None
    mode: str = "fp32"
    needs: tuple[int, int] = (0, 0)
    emulates: bool = True
    lacks: str | None = None


def _dense(dtype: torch.dtype) -> Callable[[int, torch.device], Product]:
    def make(size: int, device: torch.device) -> Product:
        left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
        return lambda: left @ right.t()

    return make


def _int8(size: int, device: torch.device) -> Product:
    left, right = (torch.randint(-128, 128, (size, size), dtype=torch.int8, device=device) for _ in range(2))
    return lambda: torch._int_mm(left, right.t())


def _float8(size: int, device: torch.device) -> Product:
    left, right = (torch.randn(size, size, device=device).to(torch.float8_e4m3fn) for _ in range(2))
    one = torch.ones((), device=device)
    return lambda: torch._scaled_mm(
        left, right.t(), scale_a=one, scale_b=one, out_dtype=torch.bfloat16, use_fast_accum=device.type == "cuda"
    )


KINDS = {
    "float64": Kind(_dense(torch.float64)),
    "float32": Kind(_dense(torch.float32), "fp32"),
    "tf32": Kind(_dense(torch.float32), "tf32", mode="tf32", emulates=False),
    "bfloat16": Kind(_dense(torch.bfloat16), "bf16"),
    "float16": Kind(_dense(torch.float16), "fp16"),
    "int8": Kind(_int8, needs=(7, 5)),
    "float8_e4m3fn": Kind(_float8, needs=(8, 9), lacks="this CPU has no float8 instructions"),
}
"""dtype → how its products are made; `tf32` is a mode of float32."""


def matrix_rate(name: str, device: torch.device, limit_s: float, sizes: tuple[int, ...] | None = None) -> Rate:
    """The best rate of one of `KINDS`.

    Args:
        limit_s: seconds it may take, roughly; sizes that would take longer are left out.
        sizes: to try, ascending.
    """
    kind = KINDS[name]
    reason = _lacks(name, kind, device)
    if reason is not None and not (kind.emulates and device.type == "cpu"):
        return Rate(flops_per_s=None, reason=reason)
    best, reached, failure = 0.0, None, "no size fits into the time"
    tried = sizes or SIZES[device.type]
    give_up = time.perf_counter() + limit_s
    try:
        Precision(kind.mode, device)
        for size in tried:
            flops = 2 * size**3
            if reached is not None and time.perf_counter() + LEAST_CALLS * flops / best > give_up:
                break
            rate = flops / _seconds(kind.make(size, device), device, limit_s / len(tried))
            best, reached = (rate, size) if rate > best else (best, reached)
    except (RuntimeError, NotImplementedError, Unsupported) as error:  # a kernel that this build of torch lacks
        failure = str(error).partition("\n")[0]
    finally:
        Precision("fp32", device)
    if reached is None:
        return Rate(flops_per_s=None, reason=failure)
    return Rate(flops_per_s=best, size=reached, emulated=reason is not None, reason=reason and f"emulated: {reason}")


def _lacks(name: str, kind: Kind, device: torch.device) -> str | None:
    """Why the device has no instructions for a kind; None if it has."""
    if device.type == "cuda" and (has := torch.cuda.get_device_capability(device)) < kind.needs:
        return f"{name} needs compute capability {'.'.join(map(str, kind.needs))}; this GPU has {has[0]}.{has[1]}"
    if kind.asked is not None:
        return precision.unsupported(kind.asked, device)
    return kind.lacks if device.type == "cpu" else None


def copy_bandwidth(device: torch.device, limit_s: float, most_bytes: int = COPY_BYTES) -> float:
    """Bytes read plus bytes written a second by a copy on the device, best of several."""
    there = _buffer(device, most_bytes)
    here = torch.empty_like(there)
    return 2 * there.nbytes / _seconds(lambda: here.copy_(there), device, limit_s)


def transfer_bandwidths(device: torch.device, limit_s: float, most_bytes: int = COPY_BYTES) -> tuple[float, float]:
    """Bytes a second from pinned memory to a CUDA device, and back."""
    there = _buffer(device, most_bytes)
    pinned = torch.empty(there.shape, dtype=there.dtype, pin_memory=True)

    def rate(copy: Callable[[], object]) -> float:
        return there.nbytes / _seconds(copy, device, limit_s / 2)

    return (
        rate(lambda: there.copy_(pinned, non_blocking=True)),
        rate(lambda: pinned.copy_(there, non_blocking=True)),
    )


def _buffer(device: torch.device, most_bytes: int) -> torch.Tensor:
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available
    return torch.ones(max(1, min(most_bytes, free // MEMORY_SHARE) // 4), dtype=torch.float32, device=device)


def _seconds(call: Callable[[], object], device: torch.device, limit_s: float) -> float:
    """Seconds of one call: the best of at least three timings, and of as many more as the limit allows."""
    _timed(call, device, 1)  # loads kernels, touches memory
    began = time.perf_counter()
    best = _timed(call, device, 1)
    repeats = max(1, math.ceil(LEAST_S / best))
    timings = 1
    while timings < LEAST_TIMINGS or time.perf_counter() - began + repeats * best < limit_s:
        best = min(best, _timed(call, device, repeats))
        timings += 1
    return best


def _timed(call: Callable[[], object], device: torch.device, times: int) -> float:
    """Mean seconds of a call over some, synchronised at both ends."""
    _wait_for(device)
    began = time.perf_counter()
    for _ in range(times):
        call()
    _wait_for(device)
    return (time.perf_counter() - began) / times


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
