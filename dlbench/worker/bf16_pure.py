"""Pure bf16: all of a model in bfloat16, its gradients and so its optimiser's state too; no fp32 copy of anything.

Half the memory of mixed precision, at a price: a bfloat16 weight has 8 bits of significand, so an update below about
1/256 of a weight is rounded away (Zamirai et al. 2020, Revisiting BFloat16 Training).
"""

from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any

import torch
from torch import Tensor, nn

from dlbench.contracts.batches import Batch


def in_bf16(model: nn.Module) -> None:
    """Cast a model in place, and let it cast its batches and answers; integers stay what they are.

    What a model that writes remembers from step to step stays in bf16.
    """
    model.to(torch.bfloat16)
    for name in ("forward", "loss", "attention"):
        own: Callable[..., Any] | None = _method(model, name)
        if own is not None:
            setattr(model, name, casting(own))
    begin = _method(model, "begin")
    if begin is not None:
        model.begin = update_wrapper(partial(_begin, begin), begin)  # type: ignore[assignment]


def casting(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of a batch that takes it in fp32 and computes in bf16; what it answers is fp32, as tasks expect it."""
    return update_wrapper(partial(_cast, function), function)


def _cast(function: Callable[..., Any], batch: Batch, **settings: Any) -> Any:
    return _all_floats(function(_all_floats(batch, torch.bfloat16), **settings), torch.float32)


def _begin(function: Callable[[Batch], Any], batch: Batch) -> Any:
    return function(_all_floats(batch, torch.bfloat16))


def _method(model: nn.Module, name: str) -> Callable[..., Any] | None:
    """A method of that name; a classifier's part that is called `attention` is none."""
    return getattr(model, name) if hasattr(type(model), name) else None


def _all_floats(value: Any, dtype: torch.dtype) -> Any:
    """The same value with all floating tensors in it, however deep, in a dtype."""
    if isinstance(value, Tensor):
        return value.to(dtype) if value.is_floating_point() else value
    if isinstance(value, dict):
        return {key: _all_floats(item, dtype) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_all_floats(item, dtype) for item in value)
    return value
