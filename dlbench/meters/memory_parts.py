"""What memory is needed for: weights, buffers, gradients, optimiser state, activations, temporaries.

Tensors are counted one by one, each storage once. Activations are what autograd saves between forward and backward
pass; under autocast, weights in the lower precision are among them. Temporaries are what else tensors take at the
moment when they take most: inputs and results of operators, gradients of activations. What the measured peak
(`dlbench.meters.memory`) has beyond all parts is no tensor's: `dlbench.worker.derived` names it.
"""

from collections.abc import Callable

from dlbench.contracts.meters import Rig
from dlbench.meters._activations import Kept, distinct_bytes
from dlbench.meters._allocated import Allocated
from dlbench.schema.metric import Metric

REVISION = 1
PHASES = ("train", "infer", "decode", "sample")
CLOCKED = False


class MemoryParts:
    """Two steps of the largest batch: in one autograd is listened to, in the other the allocator."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.training = rig.phase == "train"
        self.weights_bytes = distinct_bytes(rig.model.parameters())
        self.buffers_bytes = distinct_bytes(rig.model.buffers())
        self.gradients_bytes = self.optimizer_state_bytes = self.activations_bytes = 0
        self._mark: Callable[[str], None] = rig.mark
        known = [*rig.model.parameters(), *rig.model.buffers(), *(t for batch in rig.batches for t in batch.values())]
        self._kept = Kept(known, rig.recomputed)
        self._allocated: Allocated | None = None

    def __enter__(self) -> "MemoryParts":
        self.rig.mark = self._part
        self._kept.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._allocated is not None:
            self._allocated.__exit__(*exc)
        else:
            self._listen_no_more(*exc)

    def _listen_no_more(self, *exc: object) -> None:
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
        """After the first step, listen to the allocator instead."""
        if self._allocated is not None:
            return False
        self.optimizer_state_bytes = distinct_bytes(self.rig.optimizer_state())
        self._listen_no_more(None, None, None)
        self._allocated = Allocated(self.rig.device)
        self._allocated.__enter__()
        return True

    @property
    def temporaries_bytes(self) -> int:
        """What the second step's tensors took at most, less those that are counted by name."""
        assert self._allocated is not None
        return max(0, self._allocated.peak_bytes - self.gradients_bytes - self.activations_bytes)

    def read(self) -> list[Metric]:
        """`weights_bytes`, `buffers_bytes`, `temporaries_bytes`; of training also those of gradients and the like.

        Weights that torch packs away for its quantised kernels cannot be counted.
        """
        packed = self.rig.phase != "train" and self.rig.precision == "int8"
        why = "quantised weights are packed for their kernels, where they cannot be counted" if packed else None
        parts: dict[str, int | None] = {
            "weights": None if packed else self.weights_bytes,
            "buffers": self.buffers_bytes,
            "temporaries": self.temporaries_bytes,
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
