"""What autograd keeps of a forward pass for the backward pass, counted by storage."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch.autograd.graph import saved_tensors_hooks


def distinct_bytes(tensors: Iterable[torch.Tensor]) -> int:
    """Bytes of the storages behind tensors, each storage once."""
    return sum({s.data_ptr(): s.nbytes() for s in (tensor.untyped_storage() for tensor in tensors)}.values())


class Kept:
    """While it is entered, counts the storages that autograd saves.

    Args:
        known: tensors that are there anyway (weights, buffers, the batch); they are not counted.
        recomputed: modules that gradient checkpointing computes again; what it keeps of them, their inputs, it keeps
            without autograd's knowledge.

    Attributes:
        bytes: of all distinct storages kept since the last `forget`.
    """

    def __init__(self, known: Iterable[torch.Tensor], recomputed: Sequence[torch.nn.Module]) -> None:
        self._known = {tensor.untyped_storage().data_ptr() for tensor in known}
        self._recomputed = recomputed
        self._sizes: dict[int, int] = {}
        self._hooks = saved_tensors_hooks(self._pack, lambda tensor: tensor)

    def __enter__(self) -> "Kept":
        self._handles = [block.register_forward_pre_hook(self._inputs, with_kwargs=True) for block in self._recomputed]
        self._hooks.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._hooks.__exit__(*exc)
        for handle in self._handles:
            handle.remove()

    @property
    def bytes(self) -> int:
        """Bytes kept since the last `forget`."""
        return sum(self._sizes.values())

    def forget(self) -> None:
        """Begin to count anew: the backward pass has let go of everything."""
        self._sizes.clear()

    def _pack(self, tensor: torch.Tensor) -> torch.Tensor:
        self._count(tensor)
        return tensor.detach()  # a saved output that held itself would never be freed

    def _inputs(self, block: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        for value in (*args, *kwargs.values()):
            if isinstance(value, torch.Tensor):
                self._count(value)

    def _count(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self._known:
            self._sizes[storage.data_ptr()] = storage.nbytes()
