"""One call of `dlbench run` or `dlbench sweep` that changed something."""

from datetime import datetime

from dlbench.schema.base import Json, Value


class Invocation(Value):
    """One call of `dlbench run` or `dlbench sweep` that changed something.

    Attributes:
        id: unique in the store, sorts by time.
        suite: name of the suite.
        description: the suite's own words.
        made: (job id, attempt) of every attempt that ended in it, in order.
        report: folder of the report that was written at its end.
        verdict: the report's first sentence.
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
    metrics: dict[str, float] = {}
