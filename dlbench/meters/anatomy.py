"""Where the time of a step goes: drawing the batch, moving it, forward pass, backward pass, optimiser.

On CUDA the parts are timed by events that the device records between them, so nothing waits inside the step; on the CPU
by the clock. Medians over single steps: they add up to a step, not to a window of the throughput meter.
"""

import statistics
from collections.abc import Callable

import torch

from dlbench.contracts.meters import Rig
from dlbench.meters._windows import interquartile_range, wants_more
from dlbench.schema.metric import Metric

REVISION = 1
PHASES = ("train", "infer")
CLOCKED = True

MOST_STEPS = 200
LIMIT_SHARE = 0.25
"""Of the limit: shares of a step need less time to agree than its length."""

PARTS = {"train": ("forward", "backward", "optimizer"), "infer": ("forward",)}


class Anatomy:
    """Up to 200 steps or a quarter of the limit, whichever comes first, but at least 20 unless they take far longer."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.times_ms: dict[str, list[float]] = {part: [] for part in ("data", "transfer", *PARTS[rig.phase])}
        self._before: Callable[[str], None] = rig.mark
        self._cuda = rig.device.type == "cuda"
        self._marks: list[tuple[str, float | torch.cuda.Event]] = []
        self._transfers = False

    def __enter__(self) -> "Anatomy":
        self.rig.mark = self._mark
        self.rig.synchronize()
        self._start = self.rig.clock()
        self._mark("begin")
        return self

    def __exit__(self, *exc: object) -> None:
        self.rig.mark = self._before

    def _mark(self, part: str) -> None:
        if self._cuda:
            event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            event.record()
            self._marks.append((part, event))
        else:
            self._marks.append((part, self.rig.clock()))

    def step(self, samples: int) -> bool:
        """Take the parts of the step that has ended, then draw and move a batch as the next step would."""
        self.rig.synchronize()
        self._take()
        began = self.rig.clock()
        batch = self.rig.draw()
        self.rig.synchronize()
        drawn = self.rig.clock()
        self._transfers |= any(tensor.device.type != self.rig.device.type for tensor in batch.values())
        for tensor in batch.values():
            tensor.to(self.rig.device, non_blocking=True)
        self.rig.synchronize()
        moved = self.rig.clock()
        self.times_ms["data"].append((drawn - began) * 1e3)
        self.times_ms["transfer"].append((moved - drawn) * 1e3)
        done = len(self.times_ms["data"])
        more = wants_more(done, MOST_STEPS, moved - self._start, LIMIT_SHARE * self.rig.limit_s)
        self._mark("begin")
        return more

    def _take(self) -> None:
        spent = dict.fromkeys(PARTS[self.rig.phase], 0.0)
        for (_, before), (part, after) in zip(self._marks, self._marks[1:], strict=False):
            if isinstance(before, torch.cuda.Event):
                spent[part] = spent.get(part, 0.0) + before.elapsed_time(after)  # type: ignore[arg-type]
            else:
                spent[part] = spent.get(part, 0.0) + (after - before) * 1e3  # type: ignore[operator]
        for part in PARTS[self.rig.phase]:
            self.times_ms[part].append(spent[part])
        self._marks.clear()

    def read(self) -> list[Metric]:
        """`data_ms`, `transfer_ms`, `forward_ms`, and of training `backward_ms`, `optimizer_ms`."""
        reason = "batches are drawn where the model runs: a step moves nothing"
        metrics = []
        for part, times in self.times_ms.items():
            absent = part == "transfer" and not self._transfers
            metrics.append(
                Metric(
                    name=f"{part}_ms",
                    value=None if absent else statistics.median(times),
                    unit="ms",
                    better="lower",
                    n=len(times),
                    spread=None if absent else interquartile_range(times),
                    reason=reason if absent else None,
                )
            )
        return metrics


def build(rig: Rig) -> Anatomy:
    """A meter for one phase."""
    return Anatomy(rig)
