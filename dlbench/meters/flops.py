"""Floating-point operations of one sample's forward pass, counted on the meta device by torch's flop counter.

A multiply-add counts as two. Only matrix products, convolutions and attention count, as is customary; recurrent layers
are counted as the matrix products that they consist of.
"""

import torch
from torch.utils.flop_counter import FlopCounterMode

from dlbench.contracts import Batch, Rig
from dlbench.schema.metric import Metric

REVISION = 1
PHASES = ("model",)


def forward_flops(model: torch.nn.Module, batches: list[Batch]) -> tuple[int, int]:
    """Operations of a forward pass over some batches, and the number of samples in them.

    Args:
        model: on the meta device.
        batches: on any device; only their shapes are used.
    """
    counter = FlopCounterMode(display=False)
    samples = 0
    model.eval()
    with torch.no_grad(), counter:
        for batch in batches:
            samples += next(iter(batch.values())).shape[0]
            model({key: tensor.to("meta") for key, tensor in batch.items()})
    return counter.get_total_flops(), samples


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
