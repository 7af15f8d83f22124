"""Which dtypes the matrix operators of a model run in, layer by layer: watched, not believed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

_MATRIX_OPERATORS = frozenset(
    "mm addmm bmm baddbmm convolution mkldnn_rnn_layer _cudnn_rnn _thnn_fused_lstm_cell _thnn_fused_gru_cell "
    "_scaled_dot_product_flash_attention _scaled_dot_product_flash_attention_for_cpu "
    "_scaled_dot_product_efficient_attention _scaled_dot_product_cudnn_attention _scaled_mm".split()
)
_INT8_OPERATORS = frozenset(
    "linear_dynamic quantized_lstm quantized_gru quantized_rnn_tanh_cell_dynamic quantized_rnn_relu_cell_dynamic "
    "quantized_lstm_cell_dynamic quantized_gru_cell_dynamic".split()
)
"""Of a model that `dlbench.worker.int8` has quantised; their weights are no tensors that could be asked."""


@dataclass(frozen=True)
class Ran:
    """What the matrix operators of one forward pass ran in.

    Attributes:
        dtypes: names of all dtypes, sorted.
        layers: qualified name of the innermost module that was executing (`""`: the model itself) → its dtypes, sorted,
            in the order of the first operators; modules without a matrix operator of their own are left out.
    """

    dtypes: tuple[str, ...] = ()
    layers: dict[str, tuple[str, ...]] = field(default_factory=dict)


class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Collects the dtypes of what matrix operators are given.

    Args:
        names: other names of some dtypes.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._names = names
        self._executing = [""]
        self._seen: dict[str, set[str]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        operator = func.overloadpacket.__name__
        if operator in _INT8_OPERATORS:
            self._see("int8")
        elif operator in _MATRIX_OPERATORS:
            for given in args[:2]:
                if isinstance(given, Tensor) and given.is_floating_point():
                    stored = getattr(given, "_data", given)  # torchao's float8 tensors call themselves what they were
                    self._see(str(stored.dtype).removeprefix("torch."))
        return func(*args, **(kwargs or {}))

    def _see(self, dtype: str) -> None:
        self._seen.setdefault(self._executing[-1], set()).add(self._names.get(dtype, dtype))

    @contextmanager
    def within(self, model: nn.Module) -> Iterator[None]:
        """Watch, and know which of a model's modules is executing; its hooks are as before afterwards."""
        handles = []
        for name, module in model.named_modules():
            if module is not model:
                handles += [
                    module.register_forward_pre_hook(self._enter(name)),
                    module.register_forward_hook(self._leave),
                ]
        try:
            with self:
                yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, name: str) -> Any:
        def enter(*_: Any) -> None:
            self._executing.append(name)

        return enter

    def _leave(self, *_: Any) -> None:
        self._executing.pop()

    def ran(self) -> Ran:
        """What was seen."""
        layers = {name: tuple(sorted(dtypes)) for name, dtypes in self._seen.items()}
        return Ran(tuple(sorted({dtype for dtypes in layers.values() for dtype in dtypes})), layers)
