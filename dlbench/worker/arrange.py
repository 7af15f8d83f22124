"""How a model is executed: memory layout of its weights, blocks computed twice, compilation.

Time and memory change; results stay the same up to rounding and, in another layout, the places that dropout draws.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from dlbench.errors import Unsupported
from dlbench.schema.train import TrainSettings

Forward = Callable[..., Any]


def arrange(model: nn.Module, settings: TrainSettings, device: torch.device) -> None:
    """Change how a model runs, in place, as the settings ask.

    Args:
        model: on the device where it is to run, or on the meta device, where nothing is compiled.
        settings: `channels_last`, `grad_checkpointing` and `compile` are read.
        device: where the job runs.

    Raises:
        Unsupported: the model or the machine cannot do what is asked.
    """
    if settings.channels_last:
        # Convolutions whose weights are channels last convert their input and hand on the layout.
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if settings.grad_checkpointing:
        recompute(model)
    if settings.compile:
        if settings.grad_checkpointing:
            raise Unsupported("train.compile: it cannot compile what grad_checkpointing computes twice; leave one out")
        if hasattr(model, "turns"):
            raise Unsupported("train.compile: this model trains by turns and changes as it does; leave compile out")
        reason = why_not_compile(device)
        if reason is not None:
            raise Unsupported(f"train.compile: {reason}")
        if not any(parameter.is_meta for parameter in model.parameters()):
            torch._inductor.config.compile_threads = 1  # a pool of processes would outlive the job
            model.compile()


def why_not_compile(device: torch.device) -> str | None:
    """What torch.compile would miss on this machine; None if nothing."""
    if device.type == "cuda":
        return None if find_spec("triton") else "triton is not installed"
    compilers = (os.environ.get("CXX", ""), "c++", "g++", "clang++")
    if not any(name and shutil.which(name) for name in compilers):
        return "this machine has no C++ compiler; install g++, or set CXX"
    return None


def recompute(model: nn.Module) -> None:
    """Keep only the inputs of a model's `blocks` for the backward pass, and compute the rest of them again there.

    Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost, §4.1, with the model's own blocks as segments.

    Raises:
        Unsupported: the model names no blocks.
    """
    blocks = getattr(model, "blocks", None)
    if not isinstance(blocks, nn.ModuleList | nn.Sequential) or len(blocks) == 0:
        raise Unsupported("train.grad_checkpointing: this model has no repeated blocks that could be computed twice")
    for block in blocks:
        # No closure: a deep copy of the model must compute with its own blocks.
        block.forward = partial(_computed_twice, block, block.forward)


def _computed_twice(block: nn.Module, forward: Forward, *args: Any, **kwargs: Any) -> Any:
    def contexts() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
        return nullcontext(), _statistics_at_rest(block)

    if not torch.is_grad_enabled():
        return forward(*args, **kwargs)
    return checkpoint(forward, *args, use_reentrant=False, context_fn=contexts, **kwargs)


@contextmanager
def _statistics_at_rest(block: nn.Module) -> Iterator[None]:
    """Batch norm counts a batch in the forward pass; computing it again must not count it again."""
    norms = [m for m in block.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.track_running_stats]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, counted) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, counted
