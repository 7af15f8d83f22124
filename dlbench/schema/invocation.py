"""One call of `dlbench run` or `dlbench sweep` that changed something."""

from datetime import datetime
from typing import Literal

from dlbench.schema.base import Json, Value


class Sheet(Value):
    """A small table in words: every cell is text that can stand before a reader as it is.

    Attributes:
        rows: as many cells as there are columns in each.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Invocation(Value):
    """One call of `dlbench run` or `dlbench sweep` that changed something.

    Attributes:
        id: unique in the store, sorts by time.
        suite: name of the suite.
        description: the suite's own words.
        made: (job id, attempt) of every attempt that ended in it, in order.
        report: folder of the report that was written at its end.
        verdict: the report's first sentence.
        caveats: what limits the verdict, a sentence each.
        leaderboards: the contenders at a glance, a sheet for each task on a dataset.
        comparisons: the declared comparisons of scores; None where nothing is compared.
        scores: the tasks' own scores and which way is better, `{"test_accuracy": "higher"}`; of a search that has no
            winner yet, those that it goes for.
        metrics: aggregates over seeds, `{"lstm/test_accuracy_mean": 0.91}`.
    """

    id: str
    suite: str
    description: str = ""
    command: str = ""
    code: dict[str, Json] = {}
    started_at: datetime
    ended_at: datetime | None = None
    made: tuple[tuple[str, int], ...] = ()
    report: str | None = None
    verdict: str | None = None
    caveats: tuple[str, ...] = ()
    leaderboards: tuple[Sheet, ...] = ()
    comparisons: Sheet | None = None
    scores: dict[str, Literal["higher", "lower", "neither"]] = {}
    metrics: dict[str, float] = {}
