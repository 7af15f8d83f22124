"""Training in fp8 by torchao: the products of linear layers, forward and backward, on 8-bit floats.

Every tensor is scaled by its largest value, activations and weights to e4m3, gradients to e5m2 (Micikevicius et al.
2022, FP8 Formats for Deep Learning, §3). Weights, norms, embeddings and the optimiser's state stay as they are.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

MULTIPLE = 16
"""The kernels take matrices whose sides are multiples of this."""

EMULATED = "emulated: fp8 in software (torchao), for its rounding; its speed says nothing"


def unsupported(device: torch.device, *, emulated: bool) -> str | None:
    """Why fp8 cannot run on a device; None if it can. torchao is only looked for: its import takes seconds."""
    if not emulated:
        what_to_do = "precision fp8_emulated computes what its rounding does, slowly"
        if device.type != "cuda":
            return f"fp8 needs an NVIDIA GPU of compute capability 8.9; {what_to_do}"
        if torch.cuda.get_device_capability(device) < (8, 9):
            major, minor = torch.cuda.get_device_capability(device)
            name = torch.cuda.get_device_name(device)
            return f"fp8 needs compute capability 8.9; {name} has {major}.{minor}; {what_to_do}"
    if find_spec("torchao") is None:
        return "fp8 is computed by torchao, which is not installed: pip install 'dlbench[fp8]'"
    return None


def in_fp8(model: nn.Module, *, emulated: bool) -> nn.Module:
    """Let a model's linear layers, where both sizes are multiples of 16, compute in fp8, in place; the model.

    What is no multiple is left alone: a head of 10 classes, say.
    """
    with _quiet():
        from torchao.float8 import Float8LinearConfig, convert_to_float8_training
    converted: nn.Module = convert_to_float8_training(
        model,
        module_filter_fn=lambda module, _: type(module) is nn.Linear and fits(module),
        # A weight's gradient sums over the examples of a batch, whose number need be no multiple.
        config=Float8LinearConfig(emulate=emulated, pad_inner_dim=True),
    )
    return converted


def fits(layer: nn.Linear) -> bool:
    """Whether the kernels take the layer's matrix."""
    return layer.in_features % MULTIPLE == 0 and layer.out_features % MULTIPLE == 0


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to itself what torchao says while it is imported: which of its kernels it has not for this machine."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextmanager
def without_inference_mode(within: AbstractContextManager[Any]) -> Iterator[None]:
    """A context without gradients instead of within inference mode, which torchao's tensors do not know."""
    with ExitStack() as contexts:
        if torch.is_inference_mode_enabled():
            contexts.enter_context(torch.inference_mode(False))
            contexts.enter_context(torch.no_grad())
        contexts.enter_context(within)
        yield
