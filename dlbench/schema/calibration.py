"""A calibration: what one device of one machine can do at best, what the harness costs there, and how noisy it is.

Its dump as JSON is what a cost job is handed (`Work.calibration`) and what is kept between calls.
"""

from datetime import datetime
from typing import Literal

from pydantic import Field

from dlbench.schema.base import Json, Value


class Rate(Value):
    """The best rate of dense square matrix products in one dtype.

    Attributes:
        flops_per_s: operations a second, a multiply-add counted as two; None: it could not be measured.
        size: rows (and columns) of the matrices at which it was reached.
        emulated: there is a kernel, but the device has no instructions for the dtype: `reason` says which.
        reason: why there is no rate, or why it is one of an emulation.
    """

    flops_per_s: float | None
    size: int | None = None
    emulated: bool = False
    reason: str | None = None


class Overhead(Value):
    """What a training step of the harness costs, against the same step written by hand.

    Attributes:
        ratio: throughput of the harness over that of the bare loop, median over pairs that were timed in turn.
        quartiles: first and third quartile of the same.
        n: pairs.
        what: the model and the batch.
    """

    measured_at: datetime
    ratio: float
    quartiles: tuple[float, float]
    n: int
    what: str
    flags: tuple[str, ...] = ()


class Noise(Value):
    """How far two rounds of one configuration are apart by chance (`dlbench.analyze.repeats`).

    Attributes:
        metrics: metric → relative difference that 95 % of pairs of rounds stay below, as a fraction: the noise floor.
        even_odd: metric → median of the even rounds over that of the odd rounds, less 1: a run against itself.
        rounds: cost jobs, each in a process of its own.
        what: the configuration.
    """

    measured_at: datetime
    metrics: dict[str, float]
    even_odd: dict[str, float]
    rounds: int
    what: str
    flags: tuple[str, ...] = ()


class Calibration(Value):
    """One device with so many threads, under one version of torch.

    Attributes:
        measured_at: when the rates and bandwidths were; overhead and noise have times of their own.
        hardware: what the figures belong to (`dlbench.plan.identity.hardware`).
        rates: dtype, as torch calls it (and `tf32`, a mode of float32) → rate.
        copy_bytes_per_s: bytes read plus bytes written a second while a large tensor is copied on the device.
        to_device_bytes_per_s: bytes a second from pinned memory to the device; None on a CPU.
        from_device_bytes_per_s: bytes a second from the device to pinned memory; None on a CPU.
        flags: what disturbed rates and bandwidths.
        overhead: None: not measured yet.
        noise: None: not measured yet.
    """

    schema_: Literal[1] = Field(1, alias="schema")
    measured_at: datetime
    device: str
    threads: int
    torch: str
    hardware: dict[str, Json]
    rates: dict[str, Rate]
    copy_bytes_per_s: float
    to_device_bytes_per_s: float | None = None
    from_device_bytes_per_s: float | None = None
    flags: tuple[str, ...] = ()
    overhead: Overhead | None = None
    noise: Noise | None = None
