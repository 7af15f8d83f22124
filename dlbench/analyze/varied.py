"""What a suite varies: contenders that differ in one varied key alone, as series over its values."""

from collections.abc import Sequence
from dataclasses import dataclass

from dlbench.analyze.contenders import Arena, Contender, assignments, canonical
from dlbench.schema.base import Json
from dlbench.schema.job import Entry


@dataclass(frozen=True, eq=False)
class Point:
    """A contender at one value of a varied key.

    Attributes:
        series: equal for contenders that differ in nothing but the key.
        others: the rest of what is varied, in words.
    """

    arena: Arena
    contender: Contender
    value: Json
    series: str
    others: str


def points_of(arenas: Sequence[Arena], key: str) -> list[Point]:
    """Every contender for which the key is varied, in the suite's order."""
    points = []
    for arena in arenas:
        for contender in arena.contenders:
            entry = entry_of(contender)
            if key not in entry.varied:
                continue
            others = {k: v for k, v in entry.varied.items() if k != key}
            model = {k: v for k, v in entry.job.model.params.items() if f"model.{k}" != key}
            train = {k: v for k, v in entry.job.train.model_dump(mode="json").items() if f"train.{k}" != key}
            points.append(
                Point(
                    arena=arena,
                    contender=contender,
                    value=entry.varied[key],
                    series=canonical([entry.job.model.name, model, train, others]),
                    others=assignments(others),
                )
            )
    return points


def series_names(points: Sequence[Point]) -> dict[str, str]:
    """Series → the words that all its contenders' names share, made unique: `lstm` for `lstm lr=0.1`, `lstm lr=1`."""
    names: dict[str, str] = {}
    for series in dict.fromkeys(point.series for point in points):
        members = [point for point in points if point.series == series]
        words = zip(*(member.contender.name.split() for member in members), strict=False)
        name = " ".join(same[0] for same in words if len(set(same)) == 1).rstrip(" ·")
        name = name or entry_of(members[0].contender).job.model.name
        if name in names.values():
            name = f"{name} · {members[0].others or len(names)}"
        names[series] = name
    return names


def words_of(key: str) -> str:
    """A varied key in words: `train grad checkpointing`, `length` for `dataset.length`."""
    if key.startswith("dataset."):
        return key.partition(".")[2].replace("_", " ")
    return key.replace("_", " ").replace(".", " ", 1)


def entry_of(contender: Contender) -> Entry:
    """The line of the index of one of its jobs, for what they have in common."""
    return (contender.train or contender.cost)[0].entry
