"""Jobs of one side that failed where the other's finished: a failure needs no statistics."""

from collections.abc import Sequence
from typing import Literal

from dlbench.analyze.contenders import Contender
from dlbench.analyze.partners import Match
from dlbench.analyze.targets import FAILED
from dlbench.analyze.versus_rows import Row
from dlbench.schema.record import Result

JobKind = Literal["train", "cost"]
JOB_KINDS: tuple[JobKind, ...] = ("train", "cost")
JOBS = "finished jobs"
"""Stands for a metric where jobs of one side failed that the other finished."""


def jobs_of(contender: Contender, kind: JobKind) -> tuple[Result, ...]:
    """Its jobs of a kind."""
    return contender.train if kind == "train" else contender.cost


def job_rows(match: Match, kind: JobKind, foreign: Sequence[str]) -> list[Row]:
    """A row where jobs of one side failed that the other finished; no row where none did.

    Args:
        foreign: what makes A's and B's machines two; empty where they are one.
    """
    a, b = _ends(jobs_of(match.a, kind)), _ends(jobs_of(match.b, kind))
    lost = [b[key] for key in a.keys() & b.keys() if a[key] == "ok" and b[key] in FAILED]
    won = [a[key] for key in a.keys() & b.keys() if b[key] == "ok" and a[key] in FAILED]
    if not lost and not won:
        return []
    both = sum(key in b for key in a)
    ends = ", ".join(f"{len([e for e in lost or won if e == end])} {end}" for end in sorted({*(lost or won)}))
    judged = not foreign or kind == "train"
    return [
        Row(
            where=match.title,
            kind="jobs",
            metric=f"{JOBS} ({kind})",
            batch_size=None,
            unit="count",
            better="higher",
            n=(both, both),
            a=float(sum(a[key] == "ok" for key in a.keys() & b.keys())),
            b=float(sum(b[key] == "ok" for key in a.keys() & b.keys())),
            word="fails" if lost else "works",
            judgement="undecided" if not judged else "regression" if lost else "improvement",
            note=f"{'B' if lost else 'A'}: {ends}" + ("" if judged else f"; another machine: {', '.join(foreign)}"),
        )
    ]


def _ends(results: Sequence[Result]) -> dict[tuple[object, ...], str]:
    """What became of each job: by seed, or by batch size and round."""
    found: dict[tuple[object, ...], str] = {}
    for result in results:
        point = result.entry.job.cost
        if point is None:
            found[(result.entry.job.seed,)] = result.status
        elif not point.anchor:
            found[(point.batch_size, point.round, point.largest_batch, point.phases)] = result.status
    return found
