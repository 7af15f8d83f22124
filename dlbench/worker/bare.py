"""A training step as one would write it by hand, for what the harness costs on top of it."""

import torch
from torch.nn import functional as F

from dlbench.contracts.batches import Batch


class BareStep:
    """One step of a classifier: cross entropy, fused AdamW, nothing else.

    Args:
        model: on the device, in training mode; its weights change.
        lr: learning rate.
    """

    def __init__(self, model: torch.nn.Module, lr: float) -> None:
        self.model = model
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.0, fused=True)

    def __call__(self, batch: Batch) -> None:
        """Take the step."""
        loss = F.cross_entropy(self.model(batch), batch["target"])
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
