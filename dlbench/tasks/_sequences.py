"""Token sequences of one split on one device, and padded batches of similar lengths from them.

Knows no vocabulary and no loss. Shapes: N examples, B a batch, T the longest sequence of the batch.
"""

import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from dlbench.contracts.batches import Batch, Part
from dlbench.tasks._parts import part_rows

PADDING = 0
POOL = 50
"""Batches whose examples are sorted by length together: enough that lengths within a batch are near, and so few
that batches stay a random mixture."""


class Ragged:
    """Sequences without padding, as values and offsets on one device, out of which padded batches are gathered.

    A batch is one indexed read of overlapping windows; what runs over into the next sequence is overwritten with
    padding. Lengths are known on the host as well, so that no batch waits for the device.

    Args:
        values: ids of all sequences, one after the other, (sum of lengths,).
        offsets: where each begins, and where the last ends, (N + 1,); no sequence is empty.
    """

    def __init__(self, values: NDArray[np.integer], offsets: NDArray[np.integer]) -> None:
        self.lengths = np.diff(offsets)
        self.longest = int(self.lengths.max())
        padded = np.pad(values.astype(np.int32), (0, self.longest), constant_values=PADDING)
        self._values = torch.from_numpy(padded)
        self._starts = torch.from_numpy(offsets[:-1].astype(np.int32))
        self._lengths = torch.from_numpy(self.lengths.astype(np.int64))
        self._steps = torch.arange(self.longest)

    def __len__(self) -> int:
        return len(self.lengths)

    def to(self, device: torch.device) -> None:
        """Move everything to the device."""
        for name in ("_values", "_starts", "_lengths", "_steps"):
            setattr(self, name, getattr(self, name).to(device))

    def padded(self, rows: NDArray[np.integer], index_B: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids of some sequences (B, longest of them) and their lengths (B,), int64.

        Args:
            rows: which, (B,), on the host.
            index_B: the same on the device.
        """
        length = self.lengths[rows]
        most, least = int(length.max()), int(length.min())
        windows_NT = self._values.as_strided((len(self._values) - self.longest, self.longest), (1, 1))
        lengths_B = self._lengths[index_B]
        tokens_BT = windows_NT.narrow(1, 0, most).index_select(0, self._starts[index_B]).long()
        if least < most:
            tokens_BT.masked_fill_(self._steps[:most] >= lengths_B[:, None], PADDING)
        return tokens_BT, lengths_B


class Sequences:
    """Ragged sequences with a target each.

    Args:
        values: of `Ragged`.
        offsets: of `Ragged`.
        target: (N,).
    """

    def __init__(self, values: NDArray[np.integer], offsets: NDArray[np.integer], target: NDArray[np.integer]) -> None:
        self._tokens = Ragged(values, offsets)
        self.lengths, self.longest = self._tokens.lengths, self._tokens.longest
        self.target = torch.from_numpy(target.astype(np.int64))

    def __len__(self) -> int:
        return len(self._tokens)

    def to(self, device: torch.device) -> None:
        """Move everything to the device."""
        self._tokens.to(device)
        self.target = self.target.to(device)

    def batches(
        self, batch_size: int, generator: torch.Generator | None = None, part: Part | None = None
    ) -> Iterator[Batch]:
        """Batches of similar lengths: `tokens` (B, T), `lengths`, `target` and `index` (B,), all int64.

        Args:
            batch_size: B; one batch is smaller when it does not divide N.
            generator: draws the order of examples and of batches; without it the order is by length.
            part: of the split, whose examples alone are served; None: all.
        """
        for rows, index_B in bucketed(self.lengths, batch_size, generator, part, self.target.device):
            tokens_BT, lengths_B = self._tokens.padded(rows, index_B)
            yield {"tokens": tokens_BT, "lengths": lengths_B, "target": self.target[index_B], "index": index_B}


def bucketed(
    lengths_N: NDArray[np.integer],
    batch_size: int,
    generator: torch.Generator | None,
    part: Part | None,
    device: torch.device,
) -> Iterator[tuple[NDArray[np.int64], torch.Tensor]]:
    """Rows of one batch after another, on the host and on the device, examples of similar lengths together.

    Args:
        lengths_N: of the split's examples, or any whole numbers by which they are to be sorted.
        batch_size: B; one batch is smaller when it does not divide the number of examples.
        generator: draws the order of examples and of batches; without it the order is by length.
        part: of the split, whose examples alone are served; None: all.
        device: where the second form of the rows is put, all at once.
    """
    rows = np.arange(len(lengths_N)) if part is None else part_rows(len(lengths_N), part)
    if generator is None:
        order, sizes = _in_order(lengths_N[rows], batch_size)
    else:
        order, sizes = _shuffled(lengths_N[rows], batch_size, generator)
    order = rows[order]
    index_N = torch.from_numpy(order).to(device)
    yield from zip(np.split(order, np.cumsum(sizes)[:-1]), torch.split(index_N, sizes.tolist()), strict=True)


def _in_order(lengths_N: NDArray[np.integer], batch_size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places by length, and the sizes of the batches."""
    sizes = np.full(math.ceil(len(lengths_N) / batch_size), batch_size)
    sizes[-1] = len(lengths_N) - batch_size * (len(sizes) - 1)
    return np.argsort(lengths_N, kind="stable"), sizes


def _shuffled(
    lengths_N: NDArray[np.integer], batch_size: int, generator: torch.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places in a random order that keeps similar lengths together, and the sizes of the batches.

    The rest that fills no batch is cut off before sorting, so that the smaller batch, in which an example weighs
    more, is not always that of the longest.
    """
    order = torch.randperm(len(lengths_N), generator=generator).numpy()
    full, rest = divmod(len(lengths_N), batch_size)
    body = order[: full * batch_size]
    longest = int(lengths_N.max())
    if longest > int(lengths_N.min()):
        pool = np.arange(len(body)) // (batch_size * POOL)
        body = body[np.argsort(pool * (longest + 1) + lengths_N[body], kind="stable")]
    batches = [*body.reshape(full, batch_size), *([order[len(body) :]] if rest else [])]
    turn = torch.randperm(len(batches), generator=generator).tolist()
    mixed = [batches[number] for number in turn]
    return np.concatenate(mixed), np.array([len(batch) for batch in mixed])
