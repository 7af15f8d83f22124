"""What a search for the largest batch that fits has found, read from its metric."""

from dataclasses import dataclass

from dlbench.analyze.contenders import Contender
from dlbench.schema.metric import Metric


@dataclass(frozen=True)
class Largest:
    """What the search for the largest batch of a phase found.

    Attributes:
        batch: None where not even the smallest fits.
        tried: batch size → peak in bytes, None where it did not fit.
        bounded_by: what kept it from being larger.
    """

    batch: int | None
    tried: dict[int, float | None]
    limit_bytes: float | None
    bounded_by: str | None
    reason: str | None

    @classmethod
    def found(cls, contender: Contender, phase: str) -> "Largest | None":
        """What the contender's search found; None if there was none."""
        metric = contender.largest_batch(phase)
        return None if metric is None else cls.of(metric)

    @classmethod
    def of(cls, metric: Metric) -> "Largest":
        """Read from the metric; a detail that is not as it should be tells nothing."""
        detail = metric.detail if isinstance(metric.detail, dict) else {}
        tried: dict[int, float | None] = {}
        for pair in detail.get("tried") or ():
            if isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], int):
                tried[pair[0]] = float(pair[1]) if isinstance(pair[1], int | float) else None
        limit = detail.get("limit_bytes")
        return cls(
            batch=None if metric.value is None else int(metric.value),
            tried=tried,
            limit_bytes=float(limit) if isinstance(limit, int | float) else None,
            bounded_by=detail.get("bounded_by"),
            reason=metric.reason,
        )
