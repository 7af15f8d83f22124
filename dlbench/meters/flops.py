"""Floating-point operations of one sample's forward pass, counted on the meta device by torch's flop counter.

A multiply-add counts as two. Only matrix products, convolutions and attention count, as is customary; recurrent layers
are counted as the matrix products that they consist of.
"""

import torch
from torch.utils.flop_counter import FlopCounterMode

from dlbench.contracts.batches import Batch
from dlbench.contracts.meters import Rig
from dlbench.schema.metric import Metric

REVISION = 1
PHASES = ("model",)
CLOCKED = False


def forward_flops(model: torch.nn.Module, batches: list[Batch]) -> tuple[int, int]:
    """Operations of a forward pass over some batches, and the number of samples in them.

    Args:
        model: on the meta device.
        batches: on any device; only their shapes are used.
    """
    counted: dict[tuple[torch.Size, ...], int] = {}  # on the meta device nothing but shapes can matter
    total = samples = 0
    model.eval()
    for batch in batches:
        shapes = tuple(tensor.shape for tensor in batch.values())
        if shapes not in counted:
            with torch.no_grad(), FlopCounterMode(display=False) as counter:
                model({key: tensor.to("meta") for key, tensor in batch.items()})
            counted[shapes] = counter.get_total_flops()
        total += counted[shapes]
        samples += shapes[0][0]
    return total, samples


class Flops:
    """Counts once; nothing is stepped."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.metric: Metric | None = None

    def __enter__(self) -> "Flops":
        fields = {"name": "flops_per_sample", "unit": "flop", "better": "lower"}
        try:
            total, samples = forward_flops(self.rig.build_on_meta(), self.rig.batches)
        except Exception as error:  # a plugin can raise anything; this one figure is lost, with a reason
            reason = f"the forward pass does not run on the meta device: {error}"
            self.metric = Metric.model_validate({**fields, "value": None, "reason": reason})
        else:
            if total == 0:
                reason = "only matrix products, convolutions and attention are counted, and the model has none"
                self.metric = Metric.model_validate({**fields, "value": None, "reason": reason})
                return self
            self.metric = Metric.model_validate({**fields, "value": total / samples, "n": samples})
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing to put back."""

    def step(self, samples: int) -> bool:
        """No step is needed."""
        return False

    def read(self) -> list[Metric]:
        """`flops_per_sample`: mean over the samples of the batches, padding included."""
        assert self.metric is not None
        return [self.metric]


def build(rig: Rig) -> Flops:
    """A meter for the model."""
    return Flops(rig)
