"""Precision: what a device can do, how to ask for it, and which dtypes then really ran."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from dlbench.contracts import Batch
from dlbench.errors import Unsupported

NAMES = ("fp32", "tf32", "bf16", "fp16")
_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
_MATRIX_OPERATORS = frozenset(
    "mm addmm bmm baddbmm convolution mkldnn_rnn_layer _cudnn_rnn _thnn_fused_lstm_cell _thnn_fused_gru_cell "
    "_scaled_dot_product_flash_attention _scaled_dot_product_flash_attention_for_cpu "
    "_scaled_dot_product_efficient_attention _scaled_dot_product_cudnn_attention _scaled_mm".split()
)


def unsupported(name: str, device: torch.device) -> str | None:
    """Why a precision cannot run on a device as asked; None if it can."""
    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        if name in ("tf32", "bf16") and major < 8:
            return f"{name} needs compute capability 8.0; {torch.cuda.get_device_name(device)} has {major}.{minor}"
        return None
    if name == "tf32":
        return "tf32 is a mode of NVIDIA tensor cores; the CPU has none"
    if name == "bf16" and not _cpu_has_bf16():
        return "this CPU has no bf16 instructions (AVX512_BF16 or AMX)"
    if name == "fp16" and not torch.ops.mkldnn._is_mkldnn_fp16_supported():
        return "this CPU has no fp16 matrix instructions (AVX512_FP16 or AMX_FP16)"
    return None


def _cpu_has_bf16() -> bool:
    """Instructions, not emulation: oneDNN alone calls bf16 supported on any processor with AVX-512."""
    if torch.backends.cpu.get_cpu_capability().startswith(("AVX", "DEFAULT")):
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


class Precision:
    """One precision on one device: sets the matrix modes at once, gives the autocast context and the loss scaler.

    Raises:
        Unsupported: the device lacks it.
    """

    def __init__(self, name: str, device: torch.device) -> None:
        reason = unsupported(name, device)
        if reason is not None:
            raise Unsupported(reason)
        self.name = name
        self.device = device
        self.dtype = _AUTOCAST.get(name)
        mode = "tf32" if name == "tf32" else "ieee"
        torch.backends.cuda.matmul.fp32_precision = mode
        torch.backends.cudnn.conv.fp32_precision = mode  # type: ignore[attr-defined]
        torch.backends.cudnn.rnn.fp32_precision = mode  # type: ignore[attr-defined]

    def autocast(self) -> AbstractContextManager[Any]:
        """The context for forward passes and losses."""
        if self.dtype is None:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def scaler(self) -> torch.amp.GradScaler | None:
        """Loss scaling for fp16, whose gradients would underflow; None elsewhere."""
        return torch.amp.GradScaler(self.device.type) if self.name == "fp16" else None

    def ran(self, model: torch.nn.Module, batch: Batch) -> tuple[str, ...]:
        """Names of the dtypes in which the matrix operators of one forward pass run, sorted.

        The model is in training mode, and neither it nor torch's global generators are changed.
        """
        watch = _DtypesOfMatrixOperators()
        devices = [self.device] if self.device.type == "cuda" else []
        model.eval()  # so that batch norm does not count the batch
        with torch.random.fork_rng(devices), torch.no_grad(), self.autocast(), watch:
            model.forward(batch)  # not the compiled call: operators are watched one by one
        model.train()
        name = {torch.float32: "tf32" if self.name == "tf32" else "float32"}
        return tuple(sorted(name.get(dtype, str(dtype).removeprefix("torch.")) for dtype in watch.seen))


class _DtypesOfMatrixOperators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Collects the dtypes of the weights that matrix operators are given."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: set[torch.dtype] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket.__name__ in _MATRIX_OPERATORS:
            self.seen.update(a.dtype for a in args[:2] if isinstance(a, torch.Tensor) and a.is_floating_point())
        return func(*args, **(kwargs or {}))


@contextmanager
def evaluating(model: torch.nn.Module, precision: Precision) -> Iterator[None]:
    """Evaluation mode, no gradients, autocast; training mode is put back afterwards."""
    model.eval()
    try:
        with torch.inference_mode(), precision.autocast():
            yield
    finally:
        model.train()
