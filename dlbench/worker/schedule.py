"""The learning rate as a closed form of how far training has come; it keeps no state, so nothing can go stale."""

import math

from dlbench.schema.train import TrainSettings


class Schedule:
    """Factor on the peak learning rate.

    Args:
        settings: `schedule`, `warmup`, `final_lr`, `milestones` and `lr_decay` are read.
        total_steps: optimiser steps of the whole budget; None when the budget is in seconds.

    `one_cycle` is Smith and Topin 2018 in its cosine form: up from 1/25 to the peak over the warm-up (30 % of the
    budget unless given), then down to `final_lr`. `noam` is Vaswani et al. 2017, §5.3: behind the warm-up the factor
    falls with the inverse square root of the step; the peak is given, not worked out from the model's size.
    """

    def __init__(self, settings: TrainSettings, total_steps: int | None) -> None:
        self.kind = settings.schedule
        self.final = settings.final_lr
        self.milestones = settings.milestones
        self.decay = settings.lr_decay
        self.start = 1 / 25 if self.kind == "one_cycle" else 0.0
        warmup = settings.warmup if settings.warmup or self.kind != "one_cycle" else 0.3
        self.warmup_steps = warmup if warmup >= 1 else None
        self.warmup_fraction = warmup
        if self.warmup_steps is not None and total_steps is not None:
            self.warmup_fraction = min(1.0, self.warmup_steps / total_steps)
            self.warmup_steps = None

    def factor(self, step: int, progress: float) -> float:
        """Factor for the step with this number (from 0), at this fraction of the budget (0 up to 1)."""
        if self.warmup_steps is not None:  # counted in steps, while the budget is in seconds
            rise, fall = (step + 1) / self.warmup_steps, progress
        elif self.warmup_fraction > 0:
            rise = progress / self.warmup_fraction
            fall = (progress - self.warmup_fraction) / max(1e-12, 1 - self.warmup_fraction)
        else:
            rise, fall = 1.0, progress
        if rise < 1:
            return self._rise(rise)
        if self.kind == "noam":
            return float(rise**-0.5)
        return self._fall(min(1.0, max(0.0, fall)))

    def _rise(self, x: float) -> float:
        if self.kind == "one_cycle":
            return self.start + (1 - self.start) * (1 - math.cos(math.pi * x)) / 2
        return x

    def _fall(self, x: float) -> float:
        if self.kind == "constant":
            return 1.0
        if self.kind == "multi_step":
            return float(self.decay ** sum(x >= milestone for milestone in self.milestones))
        if self.kind == "linear":
            return 1 - (1 - self.final) * x
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * x)) / 2
