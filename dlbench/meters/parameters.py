"""Numbers of parameters: all, trainable, and of buffers."""

import torch

from dlbench.contracts.meters import Rig
from dlbench.schema.metric import Metric

REVISION = 1
PHASES = ("model",)
CLOCKED = False


def count(model: torch.nn.Module) -> dict[str, int]:
    """`parameters` (without auxiliary heads), `trainable_parameters`, `buffers`; shared tensors count once.

    A model with heads that only training uses names their submodules in `auxiliary`, a tuple of prefixes; they are
    trainable all the same.
    """
    prefixes = tuple(f"{prefix}." for prefix in getattr(model, "auxiliary", ()))
    parameters = list(model.named_parameters())
    return {
        "parameters": sum(p.numel() for name, p in parameters if not prefixes or not name.startswith(prefixes)),
        "trainable_parameters": sum(p.numel() for _, p in parameters if p.requires_grad),
        "buffers": sum(b.numel() for b in model.buffers()),
    }


class Parameters:
    """Counts once; nothing is stepped."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig

    def __enter__(self) -> "Parameters":
        self.counts = count(self.rig.model)
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing to put back."""

    def step(self, samples: int) -> bool:
        """No step is needed."""
        return False

    def read(self) -> list[Metric]:
        """`parameters`, `trainable_parameters`, `buffers`."""
        return [Metric(name=name, value=n, unit="count", better="lower") for name, n in self.counts.items()]


def build(rig: Rig) -> Parameters:
    """A meter for the model."""
    return Parameters(rig)
