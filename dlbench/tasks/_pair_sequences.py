"""Pairs of token sequences of one split on one device, and padded batches from them. Knows no vocabulary and no loss.

Shapes: B a batch, S the longest source of the batch.
"""

from collections.abc import Iterator

import numpy as np
import torch

from dlbench.contracts.batches import Batch, Part
from dlbench.tasks._sequences import Ragged, bucketed
from dlbench.tasks._written import forced


class PairSequences:
    """Sources, each with a target.

    Args:
        sources: what is read.
        targets: what is to be written, each ending with its end.
    """

    def __init__(self, sources: Ragged, targets: Ragged) -> None:
        self.sources, self.targets = sources, targets
        # By the longer side first: on Multi30k that leaves less padding than by either alone.
        longer_N = np.maximum(sources.lengths, targets.lengths)
        shorter_N = np.minimum(sources.lengths, targets.lengths)
        self._key_N = longer_N.astype(np.int64) * (int(longer_N.max()) + 1) + shorter_N
        self._device = torch.device("cpu")

    def to(self, device: torch.device) -> None:
        """Move both sides to the device."""
        self._device = device
        self.sources.to(device)
        self.targets.to(device)

    def batches(
        self, batch_size: int, generator: torch.Generator | None = None, part: Part | None = None
    ) -> Iterator[Batch]:
        """Batches of similar lengths: `tokens` (B, S), `lengths`, `index` (B,), `target` and `previous`, all int64."""
        for rows, index_B in bucketed(self._key_N, batch_size, generator, part, self._device):
            tokens_BS, lengths_B = self.sources.padded(rows, index_B)
            target_BT, _ = self.targets.padded(rows, index_B)
            yield {"tokens": tokens_BS, "lengths": lengths_B, "index": index_B, **forced(target_BT)}
