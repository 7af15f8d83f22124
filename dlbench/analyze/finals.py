"""Which contenders are the winners of which studies, and how far a search's own estimate of its winner was off.

A suite's index does not say which study a winner came from. It is told by the label (the strategy's; or `best`,
`best 1`, … of a single study), by the seed where several studies share a label, and, to be safe, by the job itself: its
model's parameters and its training must be what the candidate says.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from dlbench.analyze.contenders import Arena, Contender, finished
from dlbench.analyze.results import Results
from dlbench.analyze.studies import StudyGroup, objective, value_of
from dlbench.analyze.summary import Summary, summarise
from dlbench.schema.base import Json
from dlbench.schema.job import Job
from dlbench.schema.record import Result
from dlbench.schema.space import Point
from dlbench.schema.study import Study, Trial


@dataclass(frozen=True, eq=False)
class Final:
    """A winner of a study that was trained again, next to the suite's defaults.

    Attributes:
        train: its train results that belong to this study.
    """

    study: Study
    trial: Trial
    arena: Arena
    contender: Contender
    train: tuple[Result, ...]


@dataclass(frozen=True)
class Estimate:
    """What the search thought of a candidate, and what its trainings with the suite's seeds gave.

    Attributes:
        searched: first objective, mean over the search's seeds.
        validation: of the same metric over the suite's seeds; None while nothing has finished.
        test: of the same metric on the test split; None too where the objective is no score.
    """

    searched: float
    validation: Summary | None
    test: Summary | None


def finals(results: Results, group: StudyGroup, study: Study) -> tuple[Final, ...]:
    """The winners of a study that the suite retrains, the best first."""
    found: list[Final] = []
    label = re.escape(study.head.strategy.label)
    for arena in results.arenas:
        if (arena.task, arena.dataset) != (study.head.task, study.head.dataset):
            continue
        for contender in arena.contenders:
            matched = re.fullmatch(rf"(?:best|{label})(?: (\d+))?", contender.label)
            if matched is None or (contender.label.startswith("best") and len(group.labels) > 1):
                continue
            train = [r for r in contender.train if len(group.studies) == 1 or r.entry.job.seed == study.head.seed]
            trial = _trial(study, train, int(matched[1] or 1))
            if trial is not None:
                found.append(Final(study, trial, arena, contender, tuple(train)))
    return tuple(found)


def _trial(study: Study, train: Sequence[Result], rank: int) -> Trial | None:
    """The candidate that jobs are of: the one of that rank, or, if they are of another, that one."""
    if not train:
        return None
    ranked = study.best(len(study.trials))
    expected = ranked[rank - 1 : rank]
    return next((t for t in (*expected, *ranked) if realises(t.point, train[0].entry.job)), None)


def realises(point: Point, job: Job) -> bool:
    """Whether a job has the values of a candidate; `model` (a label) and `device` (resolved) are not looked at."""
    parts: dict[str, dict[str, Json]] = {
        "model": job.model.params,
        "train": job.train.model_dump(mode="json"),
        "task": job.task.params,
        "dataset": job.dataset.params,
    }
    for axis, value in point.items():
        head, _, name = axis.rpartition("/")[2].partition(".")
        if axis == "precision" and value != job.precision:
            return False
        if name and head in parts and _plain(parts[head].get(name)) != _plain(value):
            return False
    return True


def _plain(value: Json) -> Json:
    return json.loads(json.dumps(value))


def estimate(final: Final) -> Estimate | None:
    """The search's estimate of a winner beside the truth; None for one without a value."""
    searched = value_of(final.trial)
    if searched is None:
        return None
    metric = objective(final.study).metric
    split, _, score = metric.partition("_")
    test = f"test_{score}" if split == "val" else None
    return Estimate(searched, _summary(final, metric), _summary(final, test) if test else None)


def _summary(final: Final, metric: str) -> Summary | None:
    found = [record.metric(metric) for _, record in finished(final.train)]
    return summarise([one.value for one in found if one is not None and one.value is not None])
