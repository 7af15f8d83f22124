"""A candidate of a study until it is told, and what its records make of it. Knows no strategy and no log."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean

from dlbench.schema.job import Entry
from dlbench.schema.record import Record
from dlbench.schema.space import Point
from dlbench.schema.study import Origin, State, StudyHead, Told
from dlbench.schema.train import FORWARD_AND_BACKWARD


@dataclass
class Candidate:
    """A candidate that has not been told yet.

    Attributes:
        jobs: that are still to be handed out, in order.
        flying: id of the job that is handed out and not told.
        facts: what was counted or measured of it.
        steps: job id → optimiser steps of its validations, as they came.
        curve: what the pruner judged: (number of the validation or seed, value).
        stopped_at: (job id, optimiser step) of the validation after which the pruner stopped it.
        echoes: numbers of equal candidates that wait for it.
    """

    number: int
    point: Point
    origin: Origin
    jobs: deque[Entry] = field(default_factory=deque)
    flying: str | None = None
    facts: dict[str, float] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    steps: dict[str, list[int]] = field(default_factory=dict)
    epochs: dict[str, float] = field(default_factory=dict)
    curve: list[tuple[int, float]] = field(default_factory=list)
    stopped_at: tuple[str, int] | None = None
    echoes: list[int] = field(default_factory=list)

    @property
    def helper(self) -> bool:
        """Whether it serves the strategy alone."""
        return self.origin == "helper"

    @property
    def trained(self) -> list[Record]:
        """Records of its trainings."""
        return [record for record in self.records if record.kind == "train"]

    @property
    def metrics(self) -> dict[str, float]:
        """Name → mean over its trainings, and what was counted or measured of it."""
        names = dict.fromkeys(metric.name for record in self.trained for metric in record.metrics)
        found = {n: [m.value for r in self.trained if (m := r.metric(n)) and m.value is not None] for n in names}
        return {**self.facts, **{name: fmean(values) for name, values in found.items() if values}}


def violations_of(head: StudyHead, known: Mapping[str, float]) -> dict[str, float]:
    """Constraint's metric → share by which it is broken, for those whose metric is known."""
    return {c.metric: c.violation(known[c.metric]) for c in head.constraints if c.metric in known}


def broken(violations: Mapping[str, float]) -> str:
    """Which constraints are broken, as a reason; the same for all candidates that break the same ones."""
    return "; ".join(f"{name} is beyond its bound" for name, violation in violations.items() if violation > 0)


def result(head: StudyHead, candidate: Candidate) -> Told:
    """What a candidate is worth whose jobs are all done."""
    metrics = candidate.metrics
    values = [metrics.get(objective.metric) for objective in head.objectives]
    missing = [o.metric for o, v in zip(head.objectives, values, strict=True) if v is None]
    if missing and not candidate.helper:
        gives = ", ".join(sorted(name for name in metrics if name.startswith("val_")))
        return summary(head, candidate, "failed", f"it gives no {', '.join(missing)}; it gives {gives}")
    why = broken(violations_of(head, metrics)) or None
    told = summary(head, candidate, "infeasible" if why else "ok", why)
    return told if missing else told.model_copy(update={"values": tuple(values)})


def summary(head: StudyHead, candidate: Candidate, state: State, reason: str | None = None) -> Told:
    """What became of a candidate, with all that was measured of it and what it cost."""
    metrics, epochs = candidate.metrics, sum(candidate.epochs.values())
    per_epoch = metrics.get("flops_per_sample", 0.0) * metrics.get("train_size", 0.0) * FORWARD_AND_BACKWARD
    return Told(
        state=state,
        violations=violations_of(head, metrics),
        curve=tuple(candidate.curve),
        reason=reason,
        jobs=tuple(record.id for record in candidate.records),
        metrics=metrics,
        outputs=candidate.trained[-1].outputs if candidate.trained else {},
        epochs=epochs,
        seconds=sum(record.duration_s for record in candidate.records),
        flops=per_epoch * epochs,
    )
