"""What varying something does to costs: each value of a varied key against the first, contenders alike in all else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dlbench.analyze.compare import Ratio
from dlbench.analyze.contenders import Arena, Contender, canonical
from dlbench.analyze.results import Results
from dlbench.analyze.varied import Point, points_of, series_names
from dlbench.schema.base import Json
from dlbench.schema.train import cost_fields

ANOTHER_PLACE = "device"
"""The key whose values have memories of their own, which are measured in other ways and do not compare."""


@dataclass(frozen=True, eq=False)
class Effect:
    """A contender at a value of a varied key, against the one at the key's first value.

    Attributes:
        series: what both are called.
        reference: the contender at the first value.
    """

    key: str
    series: str
    first: Json
    value: Json
    contender: Contender
    reference: Contender

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """Batch sizes at which both were measured, ascending."""
        return tuple(size for size in self.contender.batch_sizes if size in self.reference.batch_sizes)

    def ratio(self, results: Results, metric: str, batch_size: int) -> Ratio | None:
        """The cost over that at the first value; None where either lacks it, or they do not compare."""
        if self.key == ANOTHER_PLACE and metric.endswith("_bytes"):
            return None
        return results.cost_ratio(self.contender, self.reference, metric, batch_size)


def cost_keys(results: Results) -> list[str]:
    """What the suite varies and costs depend on, in its order."""
    varied = dict.fromkeys(key for result in results.compared for key in result.entry.varied)
    return [key for key in varied if touches_cost(key)]


def touches_cost(key: str) -> bool:
    """Whether costs depend on a varied key; what makes another arena, such as a dataset's length, is left out."""
    shelf, _, name = key.partition(".")
    return key in ("device", "precision") or shelf == "model" or (shelf == "train" and name in cost_fields())


def effects(arena: Arena, key: str) -> list[Effect]:
    """Every value after the first of each series, in the suite's order; contenders that share jobs count once."""
    points = points_of((arena,), key)
    names = series_names(points)
    first = points[0].value if points else None
    found, seen = [], set()
    for series, name in names.items():
        members: Mapping[str, Point] = {canonical(point.value): point for point in points if point.series == series}
        jobs = tuple(result.entry.job.id for point in members.values() for result in point.contender.cost)
        reference = members.get(canonical(first))
        if reference is None or jobs in seen:
            continue
        seen.add(jobs)
        found += [
            Effect(key, name, first, point.value, point.contender, reference.contender)
            for point in members.values()
            if point is not reference
        ]
    return found


def common_size(found: Sequence[Effect]) -> int | None:
    """The largest batch size at which most of the effects can be told; None where none can."""
    counts = {size: sum(size in effect.batch_sizes for effect in found) for one in found for size in one.batch_sizes}
    return max(counts, key=lambda size: (counts[size], size), default=None)
