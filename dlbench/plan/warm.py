"""What earlier studies and trainings found that a new study may be told before its first question.

It costs nothing and is not counted. What was found on other data, or with other settings, is left out.
"""

from collections.abc import Iterator, Sequence
from statistics import fmean

from dlbench.errors import DlbenchError
from dlbench.plan.candidates import Candidates
from dlbench.plan.space import MODEL
from dlbench.schema.job import Entry, Job
from dlbench.schema.record import DONE, Record, Result
from dlbench.schema.space import Axis, Point
from dlbench.schema.study import Study, StudyHead, Told

FREE = {"epochs": 0.0, "seconds": 0.0, "flops": 0.0, "curve": ()}


def of_studies(head: StudyHead, studies: Sequence[Study]) -> Iterator[tuple[Point, Told]]:
    """Finished candidates of other studies that lie in this study's space and were judged by the same objectives."""
    for study in studies:
        other = study.head
        same = (other.task, other.digest, other.objectives) == (head.task, head.digest, head.objectives)
        if not same or other.id == head.id:
            continue
        for trial in study.distinct:
            point = {axis.name: trial.point[axis.name] for axis in head.space.axes if axis.name in trial.point}
            if trial.told is not None and trial.told.state == "ok" and head.space.complaint(point) is None:
                yield point, trial.told.model_copy(update=FREE)


def of_trainings(head: StudyHead, candidates: Candidates, results: Sequence[Result]) -> Iterator[tuple[Point, Told]]:
    """Finished trainings of a grid that are just what a candidate of this study would be, all seeds of one together.

    Their validation scores are told; an objective that they did not leave makes them say nothing.
    """
    found: dict[str, tuple[Point, list[Record]]] = {}
    for result in results:
        entry, record = result.entry, result.record
        if entry.study is not None or record is None or record.status not in DONE or record.kind != "train":
            continue
        point = _point(head, entry)
        if head.space.complaint(point) is None and _is(entry.job, candidates, point):
            found.setdefault(str(sorted(point.items())), (point, []))[1].append(record)
    for point, records in found.values():
        means = {o.metric: _mean(o.metric, records) for o in head.objectives}
        if None not in means.values():
            values = tuple(mean for mean in means.values() if mean is not None)
            yield point, Told(state="ok", values=values, metrics={k: v for k, v in means.items() if v is not None})


def _mean(metric: str, records: Sequence[Record]) -> float | None:
    values = [found.value for record in records if (found := record.metric(metric)) and found.value is not None]
    return fmean(values) if values else None


def _point(head: StudyHead, entry: Entry) -> Point:
    """The candidate that a job would be, axis by axis; what does not apply is left out."""

    def value(axis: Axis) -> object:
        _, _, name = axis.name.rpartition("/")
        part, _, parameter = name.partition(".")
        job = entry.job
        if axis.name == MODEL:
            return entry.label if axis.holds(entry.label) else job.model.name
        sources = {"train": job.train.model_dump(mode="json"), "model": job.model.params}
        sources |= {"task": job.task.params, "dataset": job.dataset.params}
        return sources[part].get(parameter) if parameter else getattr(job, part)

    return head.space.walk(value)


def _is(job: Job, candidates: Candidates, point: Point) -> bool:
    """Whether a job trains just what the candidate would."""
    try:
        other = candidates.contender(point)
    except DlbenchError:
        return False
    mine = (job.task, job.dataset.digest, job.dataset.params, job.model.name, job.model.params, job.train)
    same = (other.task, other.dataset.digest, other.dataset.params, other.model.name, other.model.params, other.train)
    return mine == same and job.precision == other.precision
