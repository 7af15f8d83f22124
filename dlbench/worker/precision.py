"""Precision: what a device can do, how to ask for it, and which dtypes then really ran."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, get_args

import torch

from dlbench.contracts.batches import Batch
from dlbench.errors import Unsupported
from dlbench.schema.suite import Precision as Name
from dlbench.worker import fp8, int8
from dlbench.worker.bf16_pure import casting, in_bf16
from dlbench.worker.dtypes import Ran, Watch

NAMES: tuple[str, ...] = get_args(Name)
_AUTOCAST = {
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "fp8": torch.bfloat16,
    "fp8_emulated": torch.bfloat16,
}
_EIGHT_BITS = {"fp8": "float8_e4m3fn", "fp8_emulated": "float8_e4m3fn", "int8": "int8"}


def unsupported(name: str, device: torch.device) -> str | None:
    """Why a precision cannot run on a device as asked; None if it can."""
    if name in ("fp8", "fp8_emulated"):
        return fp8.unsupported(device, emulated=name == "fp8_emulated")
    if name == "int8":
        return int8.unsupported(device)
    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        if name in ("tf32", "bf16", "bf16_pure") and major < 8:
            return f"{name} needs compute capability 8.0; {torch.cuda.get_device_name(device)} has {major}.{minor}"
        return None
    if name == "tf32":
        return "tf32 is a mode of NVIDIA tensor cores; the CPU has none"
    if name in ("bf16", "bf16_pure") and not _cpu_has_bf16():
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
    """One precision on one device: sets the matrix modes at once, makes models ready for it and says what they ran in.

    fp32, tf32: the matrix mode. bf16, fp16: autocast. bf16_pure: all of the model is cast. fp8: linear layers by
    torchao, the rest as in bf16. int8: training in fp32, inference with a quantised copy.

    Attributes:
        dtype: what most of training is computed in, where that is not fp32.

    Raises:
        Unsupported: the device lacks it.
    """

    def __init__(self, name: str, device: torch.device) -> None:
        reason = unsupported(name, device)
        if reason is not None:
            raise Unsupported(reason)
        self.name = name
        self.device = device
        self.dtype = torch.bfloat16 if name == "bf16_pure" else _AUTOCAST.get(name)
        mode = "tf32" if name == "tf32" else "ieee"
        torch.backends.cuda.matmul.fp32_precision = mode
        torch.backends.cudnn.conv.fp32_precision = mode  # type: ignore[attr-defined]
        torch.backends.cudnn.rnn.fp32_precision = mode  # type: ignore[attr-defined]

    @property
    def emulated(self) -> str | None:
        """What to say of a precision that the device only emulates; None: it is the real one."""
        return fp8.EMULATED if self.name == "fp8_emulated" else None

    def prepare(self, model: torch.nn.Module) -> torch.nn.Module:
        """A freshly built model, changed in place, as it is to be trained in this precision.

        On the meta device it stays in layers whose operations can be counted there.
        """
        if self.name == "bf16_pure":
            in_bf16(model)
        elif self.name in ("fp8", "fp8_emulated") and not any(p.is_meta for p in model.parameters()):
            return fp8.in_fp8(model, emulated=self.name == "fp8_emulated")
        return model

    def adapted(self, loss: Callable[..., Any]) -> Callable[..., Any]:
        """A function of a batch that `prepare` does not see, such as the loss of a turn, made ready as well."""
        return casting(loss) if self.name == "bf16_pure" else loss

    def for_inference(self, model: torch.nn.Module) -> torch.nn.Module:
        """What answers for a trained model: itself, or its quantised copy as it is now.

        Raises:
            Unsupported: the model cannot be quantised; raised by the copy's forward pass where it does not run.
        """
        return int8.quantised(model) if self.name == "int8" else model

    def autocast(self) -> AbstractContextManager[Any]:
        """The context for forward passes and losses, within `torch.inference_mode` too; every step enters one."""
        if self.name not in _AUTOCAST:
            return nullcontext()
        autocast = torch.autocast(self.device.type, dtype=self.dtype)
        return fp8.without_inference_mode(autocast) if self.name in ("fp8", "fp8_emulated") else autocast

    def scaler(self) -> torch.amp.GradScaler | None:
        """Loss scaling for fp16, whose gradients would underflow; None elsewhere."""
        return torch.amp.GradScaler(self.device.type) if self.name == "fp16" else None

    def ran(self, model: torch.nn.Module, batch: Batch) -> Ran:
        """What the matrix operators of one forward pass run in: those of inference, where that has a model of its own.

        The model is in training mode, and neither it nor torch's global generators are changed.

        Raises:
            Unsupported: the model runs, but not quantised.
        """
        watch = Watch({"float32": "tf32"} if self.name == "tf32" else {})
        devices = [self.device] if self.device.type == "cuda" else []
        model.eval()  # so that batch norm does not count the batch
        with torch.random.fork_rng(devices), torch.no_grad(), self.autocast():
            answers = self.for_inference(model)
            if answers is not model:
                model.forward(batch)  # what fails here as well is no matter of quantisation
            with watch.within(answers):
                answers.forward(batch)  # not the compiled call: operators are watched one by one
        model.train()
        return watch.ran()

    def missed(self, ran: Ran) -> str | None:
        """What to say of a model of which nothing ran in the 8 bits that were asked for; None where something did."""
        dtype = _EIGHT_BITS.get(self.name)
        if dtype is None or dtype in ran.dtypes:
            return None
        return f"nothing ran in {dtype}: this model has no layer that can"


@contextmanager
def evaluating(model: torch.nn.Module, precision: Precision) -> Iterator[None]:
    """Evaluation mode, no gradients, autocast; training mode is put back afterwards."""
    model.eval()
    try:
        with torch.inference_mode(), precision.autocast():
            yield
    finally:
        model.train()
