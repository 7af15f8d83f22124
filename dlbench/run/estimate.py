"""How long a job will take: learned from records of the same or of similar configurations, else a rough guess."""

import json
from collections.abc import Iterable
from statistics import median

from dlbench.run.preflight import Finding
from dlbench.schema.base import Json
from dlbench.schema.job import Entry, Job
from dlbench.schema.record import DONE, Record

STEP_S = 3.5e-3
"""Seconds of an optimiser step that do not depend on the model's size. This and the next two are for one processor
core, fitted to the training times of 115 contenders in the published reports (`tests/benchmarks/bench_guess.py`): half
of the guesses are within a factor of 1.34, nine of ten within 1.91, all within 2.40.
"""
ELEMENT_S = 4e-9
"""Seconds of a step for each element that the operators of its forward pass write."""
OPERATION_S = 1.1e-11
"""Seconds of a step for each operation of its forward pass."""
START_S = 1.0
"""Seconds before the first step and behind the last."""
COST_LIMITS = 1.25
"""Times of the limit on a timing that all meters of one phase take together."""
TRIALS = 10
"""Steps of a search for the largest batch."""
TRIAL_S = 3.0
"""Seconds of such a step: most of them are with large batches."""


class Estimator:
    """Durations by configuration.

    Args:
        records: earlier records, in any order.
        findings: for a guess about what there is no record of.
    """

    def __init__(self, records: Iterable[Record] = (), findings: Iterable[Finding] = ()) -> None:
        self._findings = {entry.job.id: finding for finding in findings for entry in finding.entries}
        self._same: dict[str, list[float]] = {}
        self._similar: dict[str, list[float]] = {}
        for record in records:
            self.learn(record)

    def learn(self, record: Record) -> None:
        """Take in how long an `ok` record took; others say nothing about the next attempt."""
        if record.status not in DONE:
            return
        self._same.setdefault(_configuration(record), []).append(record.duration_s)
        self._similar.setdefault(_family(record), []).append(record.duration_s / _amount(record.train))

    def seconds(self, entry: Entry) -> float | None:
        """Seconds that a job will take; None if nothing like it is known.

        The median over any seed and round of the same configuration; else over the same model family on the same
        task and dataset, scaled by the length of training; else a guess from what its forward pass does.
        """
        learned = self._learned(entry)
        return self._guess(entry) if learned is None else learned

    def guesses(self, entries: Iterable[Entry]) -> bool:
        """Whether any of these durations is a guess."""
        return any(self._learned(entry) is None for entry in entries)

    def _learned(self, entry: Entry) -> float | None:
        same = self._same.get(_configuration(entry.job))
        if same:
            return median(same)
        similar = self._similar.get(_family(entry.job))
        return median(similar) * _amount(entry.job.train.model_dump()) if similar else None

    def _guess(self, entry: Entry) -> float | None:
        train, found = entry.job.train, self._findings.get(entry.job.id)
        if entry.job.cost is not None:
            cost = entry.job.cost
            return TRIALS * TRIAL_S if cost.largest_batch else START_S + len(cost.phases) * COST_LIMITS * cost.limit_s
        if train.seconds is not None:
            return train.seconds + START_S
        if found is None or found.train_size is None or found.flops_per_sample is None:
            return None
        batch = train.batch_size * train.accumulate
        steps = train.steps or (train.epochs or 1) * found.train_size / batch
        sample_s = ELEMENT_S * (found.elements_per_sample or 0.0) + OPERATION_S * found.flops_per_sample
        return START_S + steps * (STEP_S + batch * sample_s)

    def total(self, entries: Iterable[Entry], slots: int) -> tuple[float, int]:
        """Seconds that jobs will take together, and how many of them nothing is known of.

        Args:
            entries: the jobs to run.
            slots: how many run side by side, exclusive ones apart.
        """
        total_s, unknown = 0.0, 0
        for entry in entries:
            seconds = self.seconds(entry)
            if seconds is None:
                unknown += 1
            else:
                total_s += seconds if entry.job.exclusive else seconds / slots
        return total_s, unknown


def _configuration(it: Job | Record) -> str:
    """All that a duration depends on; seed, round and where the data came from are left out."""
    train = it.train if isinstance(it, Record) else it.train.model_dump(mode="json")
    return _key([_family(it), it.task.params, it.dataset.params, it.model.params, train, it.threads, _precision(it)])


def _family(it: Job | Record) -> str:
    budget = it.train if isinstance(it, Record) else it.train.model_dump()
    unit = next((unit for unit in ("epochs", "steps", "seconds") if budget.get(unit) is not None), None)
    cost = None if it.cost is None else it.cost.model_dump(exclude={"round", "anchor"})
    return _key([it.kind, it.task.name, it.dataset.name, it.model.name, it.device.partition(":")[0], cost, unit])


def _precision(it: Job | Record) -> str:
    return it.precision.asked if isinstance(it, Record) else it.precision


def _amount(train: dict[str, Json]) -> float:
    """Length of training in its own unit; one is as good as any where there is none (a cost job)."""
    return float(next((train[unit] for unit in ("epochs", "steps", "seconds") if train.get(unit)), 1.0))


def _key(parts: list[Json]) -> str:
    return json.dumps(parts, sort_keys=True, default=str)
