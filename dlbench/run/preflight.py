"""Can every job be built? Asked once for each configuration, before anything is spent."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dlbench.schema.base import Json, Value
from dlbench.schema.job import Entry, Job, Work

Check = Callable[[list[dict[str, Json]]], list[dict[str, Json]]]


ARRANGED = {"channels_last", "grad_checkpointing", "compile"}
"""Training settings that a model, or the machine, may refuse when it is built."""

FACTS = ("parameters", "flops_per_sample", "elements_per_sample", "train_size")
"""What a check tells of what it could build."""


class Finding(Value):
    """What is known of one configuration.

    Attributes:
        entries: all jobs of the configuration.
        parameters: of the model; None if it cannot be built.
        flops_per_sample: of a forward pass, where they could be counted.
        elements_per_sample: likewise, that its operators write.
        train_size: examples in the training split.
        status: what its jobs would end as (`skipped`, `failed`), None if it can be built.
        reason: why it cannot be built.
    """

    entries: tuple[Entry, ...]
    parameters: int | None = None
    flops_per_sample: float | None = None
    elements_per_sample: float | None = None
    train_size: int | None = None
    status: str | None = None
    reason: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the configuration can be built."""
        return self.status is None


def preflight(
    entries: Sequence[Entry],
    check: Check,
    *,
    data_roots: Mapping[str, Path] | None = None,
    plugins: Mapping[str, tuple[str, ...]] | None = None,
) -> list[Finding]:
    """Try to build every distinct configuration (task, dataset, model, precision, device; not the seed).

    Args:
        entries: jobs; those that the plan skips are passed over.
        check: builds works elsewhere (`Warm.check`).
        data_roots: digest of a dataset → folder of its files.
        plugins: shelf → files of the user.
    """
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.skipped is None:
            groups.setdefault(_configuration(entry.job), []).append(entry)
    works = [
        Work(
            job=group[0].job,
            attempt=0,
            label=group[0].label,
            data_root=(data_roots or {}).get(group[0].job.dataset.digest),
            plugins=dict(plugins or {}),
        ).model_dump(mode="json")
        for group in groups.values()
    ]
    answers = check(works) if works else []
    return [_finding(group, answer) for group, answer in zip(groups.values(), answers, strict=True)]


def _finding(group: list[Entry], answer: dict[str, Json]) -> Finding:
    if answer["ok"]:
        return Finding(entries=tuple(group), **{key: answer.get(key) for key in FACTS})
    return Finding(entries=tuple(group), status=answer["status"], reason=answer["reason"])


def _configuration(job: Job) -> str:
    train = job.train.model_dump(include=ARRANGED)
    parts = [job.task.model_dump(), job.dataset.model_dump(), job.model.model_dump(), train, job.precision, job.device]
    return json.dumps(parts, sort_keys=True, default=str)
