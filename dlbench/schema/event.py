"""What a running worker tells: lines of `events.jsonl`."""

from typing import Literal

from dlbench.schema.base import Value


class Event(Value):
    """One line of `events.jsonl`.

    Attributes:
        t: seconds since the epoch.
        kind: `phase` (a phase begins, `name` says which: wait, load, train, test, measure), `progress`
            (a sign of life: `done` of `total`, in `unit`), `metrics` (a validation: `step`, `epoch`, `values`)
            or `log` (a line for the user in `name`).
    """

    t: float
    kind: Literal["phase", "progress", "metrics", "log"]
    name: str | None = None
    done: float | None = None
    total: float | None = None
    unit: str | None = None
    step: int | None = None
    epoch: float | None = None
    values: dict[str, float | None] = {}
