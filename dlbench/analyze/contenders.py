"""Results → arenas (a task on a dataset) → contenders (a label at a precision on a device), each with its jobs.

Only finished jobs give values; all others stay listed. Knows nothing of statistics and of what a report looks like.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from dlbench.schema.base import Json
from dlbench.schema.job import CostPoint, Entry, Job
from dlbench.schema.metric import Metric
from dlbench.schema.record import Record, Result
from dlbench.schema.train import cost_fields

OWN_AXES = ("dataset.", "task.", "precision", "device")
"""What a suite varies and an arena or a contender already tells apart; the rest is a matter of the label."""


@dataclass(frozen=True, eq=False)
class Contender:
    """One of those compared in an arena, with all its jobs.

    Attributes:
        name: the label, with precision and device where a suite has several; unique in its arena.
        train: its train results, one a seed, in order of the seed.
        cost: its cost results, in order of batch size and round; anchors and searches for the largest batch included.
    """

    name: str
    label: str
    precision: str
    device: str
    train: tuple[Result, ...]
    cost: tuple[Result, ...]

    def values(self, metric: str) -> dict[int, float]:
        """Seed → value of a quality metric, of finished jobs that have one."""
        return {
            result.entry.job.seed or 0: found.value
            for result, found in self._qualities.get(metric, ())
            if found.value is not None
        }

    def reached(self, metric: str) -> dict[int, float]:
        """Seed → value, infinite where a finished job could not give one: a target that was not reached."""
        return {
            result.entry.job.seed or 0: float("inf") if found.value is None else found.value
            for result, found in self._qualities.get(metric, ())
        }

    @cached_property
    def _qualities(self) -> dict[str, list[tuple[Result, Metric]]]:
        """Metric → its finished train results that have it: a report asks for each many times."""
        found: dict[str, list[tuple[Result, Metric]]] = {}
        for result, record in finished(self.train):
            for name, metric in _by_name(record).items():
                found.setdefault(name, []).append((result, metric))
        return found

    def rounds(self, metric: str, batch_size: int) -> dict[int, float]:
        """Round → value of a cost metric at a batch size, of finished jobs that have one.

        Anchors are no rounds: they were measured at another time, and show whether the machine has drifted since
        (`dlbench.analyze.drift`). No median and no ratio counts them.
        """
        return dict(self._costs.get((metric, batch_size), {}))

    @cached_property
    def _costs(self) -> dict[tuple[str, int], dict[int, float]]:
        """Metric and batch size → round → value: a report asks for each many times."""
        found: dict[tuple[str, int], dict[int, float]] = {}
        for point, record in self.measured:
            for name, metric in _by_name(record).items():
                if not point.anchor and metric.value is not None:
                    found.setdefault((name, point.batch_size), {})[point.round] = metric.value
        return found

    @cached_property
    def measured(self) -> tuple[tuple[CostPoint, Record], ...]:
        """Its finished cost jobs at a batch size: rounds and anchors, without searches for the largest batch."""
        pairs = [(result.entry.job.cost, record) for result, record in finished(self.cost)]
        return tuple((point, record) for point, record in pairs if point is not None and not point.largest_batch)

    @cached_property
    def batch_sizes(self) -> tuple[int, ...]:
        """Batch sizes of its finished rounds, ascending."""
        return tuple(sorted({point.batch_size for point, _ in self.measured if not point.anchor}))

    def largest_batch(self, phase: str) -> Metric | None:
        """What the search for the largest batch of a phase found, with or without a value; None if there was none."""
        name = f"{phase}_largest_batch"
        return next((found for _, record in finished(self.cost) if (found := record.metric(name)) is not None), None)

    def reasons(self, metric: str) -> tuple[str, ...]:
        """Why a cost metric has no value, each reason once."""
        return tuple(self._reasons.get(metric, ()))

    @cached_property
    def _reasons(self) -> dict[str, dict[str, None]]:
        found: dict[str, dict[str, None]] = {}
        for _, record in self.measured:
            for name, metric in _by_name(record).items():
                if metric.value is None and metric.reason:
                    found.setdefault(name, {})[metric.reason] = None
        return found

    @cached_property
    def seeds(self) -> frozenset[int]:
        """Seeds whose train job has finished."""
        return frozenset(result.entry.job.seed or 0 for result, _ in finished(self.train))

    @cached_property
    def emulated(self) -> bool:
        """Whether a job ran in a precision that the device only emulates: shown, never ranked."""
        return self.precision.endswith("_emulated") or any(
            flag.startswith("emulated") for _, record in finished((*self.train, *self.cost)) for flag in record.flags
        )


@dataclass(frozen=True, eq=False)
class Arena:
    """A task on a dataset: all that is compared within.

    Attributes:
        title: the dataset, with what tells it apart from the suite's others.
        anchor: the title in `[a-z0-9-]`, unique in the suite.
        score: the task's own metric, such as `test_accuracy`; None while nothing has finished.
        stand_in_for: dataset that the suite prefers and that could not be had; None if it could.
    """

    title: str
    anchor: str
    task: str
    dataset: str
    contenders: tuple[Contender, ...]
    score: Metric | None
    official: bool
    source: str
    digest: str
    stand_in_for: str | None = None

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """Batch sizes at which any contender's cost was measured, ascending."""
        return tuple(sorted({size for contender in self.contenders for size in contender.batch_sizes}))

    @property
    def measured_only(self) -> bool:
        """Whether costs alone are asked for here: jobs there are, but nothing is trained (`seeds: 0`)."""
        return any(c.cost for c in self.contenders) and not any(c.train for c in self.contenders)

    @cached_property
    def seeds(self) -> frozenset[int]:
        """Seeds with which anyone has a score."""
        name = self.score.name if self.score is not None else ""
        return frozenset(seed for contender in self.contenders for seed in contender.values(name))

    @cached_property
    def ranked(self) -> tuple[Contender, ...]:
        """Those with a score for every seed that anyone has a score for, the best mean first.

        Unequal seeds are never ranked: empty if the rule leaves fewer than two, or the score has no direction.
        """
        if self.score is None or self.score.better == "neither":
            return ()
        scores = {contender: contender.values(self.score.name) for contender in self.contenders}
        fair = [c for c, values in scores.items() if values and values.keys() == self.seeds and not c.emulated]
        fair.sort(key=lambda contender: fmean(scores[contender].values()), reverse=self.score.better == "higher")
        return tuple(fair) if len(fair) > 1 else ()

    @property
    def best(self) -> Contender | None:
        """The first of the ranked; None while nothing is ranked."""
        return self.ranked[0] if self.ranked else None

    @property
    def ordered(self) -> tuple[Contender, ...]:
        """Every contender: the ranked ones from the best on, then the others in the suite's order."""
        ranked = set(self.ranked)
        return (*self.ranked, *(contender for contender in self.contenders if contender not in ranked))


def finished(results: Iterable[Result]) -> list[tuple[Result, Record]]:
    """Results that count as done, with their records."""
    return [
        (result, result.record)
        for result in results
        if result.record is not None and result.record.status == "ok" and result.entry.skipped is None
    ]


def _by_name(record: Record) -> dict[str, Metric]:
    """Its metrics; of two with one name the first, as `Record.metric` has it."""
    return {metric.name: metric for metric in reversed(record.metrics)}


def canonical(value: Json) -> str:
    """A JSON value as a key: equal values give equal strings."""
    return json.dumps(value, sort_keys=True, default=str)


def _arena_key(job: Job) -> tuple[str, str, str, str, str]:
    return (
        job.task.name,
        canonical(job.task.params),
        job.dataset.name,
        canonical(job.dataset.params),
        job.dataset.digest,
    )


def _own_varied(entry: Entry) -> dict[str, Json]:
    return {key: value for key, value in entry.varied.items() if not key.startswith(OWN_AXES)}


def _contender_key(entry: Entry) -> tuple[str, str, str, str]:
    return entry.label, entry.job.precision, entry.job.device, canonical(_own_varied(entry))


def arenas_of(results: Sequence[Result], preferred: Mapping[str, Sequence[str]]) -> tuple[Arena, ...]:
    """Every arena of a suite, in the suite's order.

    Args:
        preferred: task → first choices of its dataset, as the suite lists them; a task without any is left out.
    """
    groups: dict[tuple[str, ...], list[Result]] = {}
    for result in results:
        groups.setdefault(_arena_key(result.entry.job), []).append(result)
    titles = _titles([group[0].entry.job for group in groups.values()])
    places = anchors(titles)
    several = (
        len({result.entry.job.precision for result in results}) > 1,
        len({result.entry.job.device for result in results}) > 1,
    )
    return tuple(
        _arena(title, anchor, group, preferred, several)
        for title, anchor, group in zip(titles, places, groups.values(), strict=True)
    )


def _arena(
    title: str,
    anchor: str,
    group: Sequence[Result],
    preferred: Mapping[str, Sequence[str]],
    several: tuple[bool, bool],
) -> Arena:
    job = group[0].entry.job
    first_choices = preferred.get(job.task.name, ())
    wanted = first_choices[0] if first_choices and job.dataset.name not in first_choices else None
    return Arena(
        title=title,
        anchor=anchor,
        task=job.task.name,
        dataset=job.dataset.name,
        contenders=_contenders(group, several),
        score=_own_score(group),
        official=job.dataset.official,
        source=job.dataset.source,
        digest=job.dataset.digest,
        stand_in_for=wanted,
    )


def _own_score(group: Sequence[Result]) -> Metric | None:
    """The first metric of the task's score: on the test split, or, where a study keeps that back, on validation."""
    for prefix in ("test_", "val_"):
        for _, record in finished(group):
            found = next((metric for metric in record.metrics if metric.name.startswith(prefix)), None)
            if record.kind == "train" and found is not None:
                return found
    return None


def _contenders(group: Sequence[Result], several: tuple[bool, bool]) -> tuple[Contender, ...]:
    by_key: dict[tuple[str, ...], list[Result]] = {}
    for result in group:
        by_key.setdefault(_contender_key(result.entry), []).append(result)
    kinds = [{member.entry.job.kind for member in members} for members in by_key.values()]
    contents = [_cost_content(members[0].entry.job) for members in by_key.values()]
    trained = {content for content, kind in zip(contents, kinds, strict=True) if "train" in kind}
    # Cost jobs under a label of their own are no contender where trained ones share their configuration.
    kept = [
        (members, kind, content)
        for members, kind, content in zip(by_key.values(), kinds, contents, strict=True)
        if "train" in kind or content not in trained
    ]
    # Contenders that differ in the learning rate alone share their cost jobs, which the index may list once.
    shared = _cost_by_content(group) if any("cost" not in kind for _, kind, _ in kept) else {}
    names = _names([members[0].entry for members, _, _ in kept], several)
    return tuple(
        _contender(name, members, () if "cost" in kind else shared.get(content, ()))
        for name, (members, kind, content) in zip(names, kept, strict=True)
    )


def _cost_by_content(group: Sequence[Result]) -> dict[str, list[Result]]:
    found: dict[str, list[Result]] = {}
    for result in group:
        if result.entry.job.kind == "cost":
            found.setdefault(_cost_content(result.entry.job), []).append(result)
    return found


def _contender(name: str, members: Sequence[Result], shared: Sequence[Result]) -> Contender:
    entry = members[0].entry
    train = [member for member in members if member.entry.job.kind == "train"]
    cost = [*(member for member in members if member.entry.job.kind == "cost"), *shared]
    return Contender(
        name=name,
        label=entry.label,
        precision=entry.job.precision,
        device=entry.job.device,
        train=tuple(sorted(train, key=lambda member: member.entry.job.seed or 0)),
        cost=tuple(sorted(cost, key=_cost_order)),
    )


def _cost_content(job: Job) -> str:
    # A cost job's batch size is its own, whatever the contender trains with.
    fields = cost_fields() - {"batch_size"}
    train = {name: value for name, value in job.train.model_dump().items() if name in fields}
    return canonical([job.model.model_dump(exclude={"preset"}), train, job.precision, job.device])


def _cost_order(result: Result) -> tuple[int, int]:
    point = result.entry.job.cost
    return (point.batch_size, point.round) if point is not None else (0, 0)


def _names(entries: Sequence[Entry], several: tuple[bool, bool]) -> list[str]:
    precisions, devices = several
    names = []
    for entry in entries:
        parts = [entry.label]
        if precisions and entry.job.precision not in entry.label:
            parts.append(entry.job.precision)
        if devices and entry.job.device not in entry.label:
            parts.append(entry.job.device)
        names.append(" · ".join(parts))
    times = Counter(names)
    return [
        name if times[name] == 1 else f"{name} · {assignments(_own_varied(entry))}"
        for name, entry in zip(names, entries, strict=True)
    ]


def _titles(jobs: Sequence[Job]) -> list[str]:
    """Dataset names, each with the task and the parameters that tell it apart."""
    tasks = {job.task.name for job in jobs}
    titles = []
    for job in jobs:
        same = [other for other in jobs if other.dataset.name == job.dataset.name]
        told = {
            **_differing(job.task.params, [other.task.params for other in same if other.task.name == job.task.name]),
            **_differing(job.dataset.params, [other.dataset.params for other in same]),
        }
        title = f"{job.dataset.name} ({assignments(told)})" if told else job.dataset.name
        titles.append(f"{job.task.name} on {title}" if len(tasks) > 1 else title)
    return titles


def _differing(params: Mapping[str, Json], others: Sequence[Mapping[str, Json]]) -> dict[str, Json]:
    return {key: value for key, value in params.items() if len({canonical(other.get(key)) for other in others}) > 1}


def assignments(values: Mapping[str, Json]) -> str:
    """`length 60, lr 0.001`: last part of each key, and its value."""
    return ", ".join(f"{key.rpartition('.')[2]} {value}" for key, value in values.items())


def anchors(titles: Sequence[str]) -> list[str]:
    """The titles in `[a-z0-9-]`, each unique."""
    found: list[str] = []
    for title in titles:
        base = "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in title.lower()).split()) or "data"
        anchor, number = base[:60], 1
        while anchor in found:
            number += 1
            anchor = f"{base[:60]}-{number}"
        found.append(anchor)
    return found
