"""A metric: a name, a value, a unit, and which way is better."""

import math
from typing import Literal

from pydantic import field_validator, model_validator

from dlbench.schema.base import Json, Value

Better = Literal["higher", "lower", "neither"]
Direction = Literal["higher", "lower"]

LOWER = ("loss", "ece", "error", "perplexity", "_ms", "_s", "_bytes", "_j", "frechet", "kernel_distance")
"""Ends of the names of metrics of which less is better."""
LOWER_NAMES = frozenset({"parameters", "trainable_parameters", "flops_per_sample", "steps_to_target"})


def usual_direction(name: str) -> Direction:
    """Which way is better for a metric of the vocabulary that has not been measured yet, by its name."""
    return "lower" if name in LOWER_NAMES or name.endswith(LOWER) else "higher"


NUMBERS = ("perplexity", "bleu", "chrf", "frechet", "kernel_distance")
"""Ends of the names of scores that are plain numbers."""


def usual_unit(name: str) -> str:
    """Unit of a score of the vocabulary that has not been measured yet, by its name."""
    return "nats" if name.endswith("loss") else "number" if name.endswith(NUMBERS) else "fraction"


class Metric(Value):
    """One measured figure. What could not be measured has the value None and a reason, never 0.

    Attributes:
        name: as in the vocabulary, such as `test_accuracy` or `infer_throughput`.
        value: the figure, or None.
        unit: `fraction`, `samples/s`, `ms`, `bytes`, `s`, `steps`, `count`, `flop`, `nats`, …
        better: which way is better.
        n: how many observations the value summarises (examples, repetitions).
        spread: interquartile range of the observations, in the same unit.
        raw: every observation, where they are few enough to keep.
        reason: why the value is None.
        detail: anything else worth keeping (a signature, a confusion matrix).
    """

    name: str
    value: float | None
    unit: str
    better: Better
    n: int | None = None
    spread: float | None = None
    raw: tuple[float, ...] | None = None
    reason: str | None = None
    detail: Json = None

    @field_validator("spread", mode="after")
    @classmethod
    def _finite_spread(cls, spread: float | None) -> float | None:
        return spread if spread is not None and math.isfinite(spread) else None

    @model_validator(mode="after")
    def _measured_or_reasoned(self) -> "Metric":
        """A value that is infinite or not a number is no measurement: None, with a reason."""
        if self.value is None:
            if not self.reason:
                raise ValueError(f"metric {self.name!r} has no value and gives no reason")
        elif not math.isfinite(self.value):
            # The one place in which a value changes: a validator before would cost a third of reading a record.
            object.__setattr__(self, "reason", self.reason or f"the value was {self.value}")
            object.__setattr__(self, "value", None)
        return self
