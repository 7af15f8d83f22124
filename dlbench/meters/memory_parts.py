"""What memory is needed for, counted tensor by tensor: weights, buffers, gradients, optimiser state, activations.

Beside the measured peak (`dlbench.meters.memory`) the parts say what it consists of; what they leave is named, too
(`dlbench.worker.derived`). Activations are what autograd saves between forward and backward pass, each storage once;
under autocast, weights in the lower precision are among them.
"""

from collections.abc import Callable

from dlbench.contracts import Rig
from dlbench.meters._activations import Kept, distinct_bytes
from dlbench.schema.metric import Metric

REVISION = 1
PHASES = ("train", "infer", "decode", "sample")
CLOCKED = False


class MemoryParts:
    """One step of the largest batch."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.training = rig.phase == "train"
        self.weights_bytes = distinct_bytes(rig.model.parameters())
        self.buffers_bytes = distinct_bytes(rig.model.buffers())
        self.gradients_bytes = self.optimizer_state_bytes = self.activations_bytes = 0
        self._mark: Callable[[str], None] = rig.mark
        known = [*rig.model.parameters(), *rig.model.buffers(), *(t for batch in rig.batches for t in batch.values())]
        self._kept = Kept(known, rig.recomputed)

    def __enter__(self) -> "MemoryParts":
        if self.training:
            self.rig.mark = self._part
            self._kept.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        if self.training:
            self._kept.__exit__(*exc)
            self.rig.mark = self._mark

    def _part(self, name: str) -> None:
        if name == "forward":
            self.activations_bytes = max(self.activations_bytes, self._kept.bytes)
        elif name == "backward":
            self._kept.forget()
            held = [p.grad for p in self.rig.model.parameters() if p.grad is not None]
            self.gradients_bytes = max(self.gradients_bytes, distinct_bytes(held))

    def step(self, samples: int) -> bool:
        """One step is enough: what is counted does not vary."""
        if self.training:
            self.optimizer_state_bytes = max(self.optimizer_state_bytes, distinct_bytes(self.rig.optimizer_state()))
        return False

    def read(self) -> list[Metric]:
        """`weights_bytes`, `buffers_bytes`; of training also `gradients_`, `optimizer_state_` and `activations_bytes`.

        Weights that torch packs away for its quantised kernels cannot be counted.
        """
        packed = self.rig.phase != "train" and self.rig.precision == "int8"
        why = "quantised weights are packed for their kernels, where they cannot be counted" if packed else None
        parts: dict[str, int | None] = {
            "weights": None if packed else self.weights_bytes,
            "buffers": self.buffers_bytes,
        }
        if self.training:
            parts |= {
                "gradients": self.gradients_bytes,
                "optimizer_state": self.optimizer_state_bytes,
                "activations": self.activations_bytes,
            }
        return [
            Metric(name=f"{name}_bytes", value=n, unit="bytes", better="lower", reason=why if n is None else None)
            for name, n in parts.items()
        ]


def build(rig: Rig) -> MemoryParts:
    """A meter for one phase."""
    return MemoryParts(rig)
