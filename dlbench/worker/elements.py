"""How much a forward pass writes: what small models spend their time on, rather than on arithmetic.

Most of their operators are bound by memory, not by arithmetic (Williams, Waterman & Patterson 2009, Roofline), and the
elements that they write tell far more of a step's time than its operations do. Only a guess before the first record
stands on this.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

UNSAFE_VIEW = torch.ops.aten._unsafe_view.default
"""A view all the same, of what nobody else sees."""


class Elements(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is entered, counts the elements of all that operators return, views apart.

    Attributes:
        count: elements so far.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the operator and count what it returns."""
        result = func(*args, **(kwargs or {}))
        if not func.is_view and func is not UNSAFE_VIEW:
            returned = result if isinstance(result, list | tuple) else (result,)
            self.count += sum(one.numel() for one in returned if isinstance(one, torch.Tensor))
        return result
