"""Dynamic quantisation to int8: after training, for inference on a CPU.

Weights of linear and recurrent layers become 8-bit integers with one scale for each matrix, what flows into them is
rounded to 8 bits by the range of each batch, so an answer depends a little on the batch that it is in
(`torch.ao.quantization`). Convolutions, attention's own products, norms and embeddings stay as they are. Nothing is
calibrated and nothing is trained again.
"""

import copy
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from dlbench.errors import Unsupported

KINDS = frozenset({nn.Linear, nn.LSTM, nn.GRU, nn.LSTMCell, nn.GRUCell, nn.RNNCell})
"""`nn.RNN` is not among them: torch quantises its cell, not the layer."""


def unsupported(device: torch.device) -> str | None:
    """Why nothing can be quantised for a device; None if it can."""
    if device.type != "cpu":
        return "int8 is dynamic quantisation for inference, whose kernels torch has only for the CPU: use device: cpu"
    if torch.backends.quantized.engine == "none":
        known = ", ".join(engine for engine in torch.backends.quantized.supported_engines if engine != "none")
        return f"int8: torch has no engine for quantised operators on this CPU; it knows {known or 'none'}"
    return None


def quantised(model: nn.Module) -> nn.Module:
    """A quantised copy of a model, compiled if the model is; the model and torch's global generators stay as they are.

    Raises:
        Unsupported: it cannot be quantised; what it answers with raises the same where it does not run quantised.
    """
    try:
        with torch.random.fork_rng([]), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "torch.ao.quantization is deprecated", DeprecationWarning)
            warnings.filterwarnings("ignore", "torch.quantize_per_tensor, torch.quantize_per_channel", UserWarning)
            rounded: nn.Module = torch.ao.quantization.quantize_dynamic(  # type: ignore[no-untyped-call]
                copy.deepcopy(model), set(KINDS), torch.qint8, inplace=True
            )
    except (AttributeError, RuntimeError, TypeError) as error:
        raise _broken(error) from error
    for name in ("forward", "begin", "step"):
        if hasattr(rounded, name):
            setattr(rounded, name, partial(_explained, getattr(rounded, name)))
    if model._compiled_call_impl is not None:  # which no copy takes along
        rounded.compile()
    return rounded


def _explained(method: Callable[..., Any], *arguments: Any) -> Any:
    """What a method of a model answers.

    Raises:
        Unsupported: it cannot, as those cannot that use a layer's weights without its forward pass.
    """
    try:
        return method(*arguments)
    except (AttributeError, RuntimeError, TypeError) as error:
        raise _broken(error) from error


def _broken(error: Exception) -> Unsupported:
    what = str(error).partition("\n")[0]
    return Unsupported(f"int8: this model does not run with quantised layers ({type(error).__name__}: {what})")
