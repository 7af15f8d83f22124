"""What changed in configuration between A and B: training, model, data, precision, threads, versions, machine, code.

Only what differs is named, old and new. Reads what jobs were asked for and what their records say was there.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dlbench.analyze.contenders import Contender, canonical
from dlbench.analyze.partners import Match
from dlbench.analyze.quantities import quantity
from dlbench.schema.base import Json
from dlbench.schema.record import Record, Result
from dlbench.schema.train import cost_fields

ABSENT = "–"
"""Stands for what one side does not say."""
MACHINE = ("cpu", "architecture", "cores", "cpu_capability")
"""What of a machine, besides its memory and its GPUs, decides over its costs: the same as in the id of a cost job."""
CODE = "code revision"
"""Jobs that are asked for alike and have other ids: the `REVISION` of a module, or a plug-in, is another."""
_FOUND = ("versions.", "machine.", "code.", "precision.ran")
"""Starts of the names of what a record has found, which nobody asked for."""


@dataclass(frozen=True)
class Change:
    """One thing that is not the same, as text."""

    key: str
    old: str
    new: str


def changes(match: Match) -> tuple[Change, ...]:
    """Everything in which the two of a match differ; nothing where nothing does."""
    found = _differing(_facts((*match.a.train, *match.a.cost)), _facts((*match.b.train, *match.b.cost)))
    if any(change.key == "model" for change in found):  # of two families, what only one of them knows is no change
        found = [
            change for change in found if not change.key.startswith("model.") or ABSENT not in (change.old, change.new)
        ]
    asked = [change for change in found if not change.key.startswith(_FOUND)]
    return (*found, *([] if asked else _revision(match)))


def shared(changed: Mapping[str, Sequence[Change]]) -> list[tuple[Change, tuple[str, ...]]]:
    """Each change once, with the names of all whom it befell, in order."""
    found: dict[Change, list[str]] = {}
    for name, some in changed.items():
        for change in some:
            found.setdefault(change, []).append(name)
    return [(change, tuple(names)) for change, names in found.items()]


def machine_changes(a: Contender, b: Contender) -> tuple[str, ...]:
    """What makes the costs of two those of two machines: hardware, device, driver, torch or threads.

    Empty where nothing does, and where one side says nothing of its machine.
    """
    ours, theirs = (a.cost, b.cost) if a.cost and b.cost else (a.train, b.train)
    known, others = _gathered(map(_costly, ours)), _gathered(map(_costly, theirs))
    return tuple(change.key for change in _differing(known, others) if ABSENT not in (change.old, change.new))


def _differing(ours: Mapping[str, str], theirs: Mapping[str, str]) -> list[Change]:
    pairs = {key: (ours.get(key, ABSENT), theirs.get(key, ABSENT)) for key in {**ours, **theirs}}
    return [Change(key, old, new) for key, (old, new) in pairs.items() if old != new]


def _facts(results: Sequence[Result]) -> dict[str, str]:
    seeds = [result.entry.job.seed for result in results if result.entry.job.seed is not None]
    facts = _gathered(_flat(result) for result in results)
    return facts | ({"seeds": ", ".join(map(str, sorted(set(seeds))))} if seeds else {})


def _gathered(found: Iterable[dict[str, Json]]) -> dict[str, str]:
    """Key → its value in all jobs, as text; several where they differ."""
    texts: dict[str, dict[str, None]] = {}
    for facts in found:
        for key, value in facts.items():
            texts.setdefault(key, {})[_text(value)] = None
    return {key: " or ".join(sorted(values)) for key, values in texts.items()}


def _text(value: Json) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else canonical(value)


def _flat(result: Result) -> dict[str, Json]:
    """All that one job says of itself."""
    job, record = result.entry.job, result.record
    train = job.train.model_dump(mode="json", exclude={"threads"})
    if job.kind == "cost":
        train = {key: value for key, value in train.items() if key in cost_fields()}
    measured = {"phases", "limit_s", "memory_gib", "decode_length"}
    point = job.cost.model_dump(mode="json", include=measured) if job.cost else {}
    return {
        "model": job.model.name,
        "model.preset": job.model.preset,
        **{f"model.{key}": value for key, value in job.model.params.items()},
        **{f"train.{key}": value for key, value in train.items()},
        **{f"task.{key}": value for key, value in job.task.params.items()},
        "dataset": job.dataset.name,
        **{f"dataset.{key}": value for key, value in job.dataset.params.items()},
        "dataset digest": job.dataset.digest,
        "dataset source": job.dataset.source,
        "precision": job.precision,
        "device": job.device,
        f"threads ({job.kind})": job.threads,
        **({} if job.cost and job.cost.largest_batch else {f"cost.{key}": value for key, value in point.items()}),
        **(_seen(record) if record is not None else {}),
    }


def _seen(record: Record) -> dict[str, Json]:
    """What was there when the job ran."""
    ran = {"precision.ran": list(record.precision.ran)} if record.precision.ran else {}
    code = {key: value for key, value in record.code.items() if key in ("git_commit", "git_dirty")}
    machine = {key: record.machine[key] for key in ("host", "os", "waiting") if key in record.machine}
    return {
        **{f"{key} ({record.kind})": value for key, value in ran.items()},
        **{f"versions.{key}": value for key, value in record.versions.items()},
        **{f"machine.{key}": value for key, value in (machine | _hardware(record)).items()},
        **{f"code.{key}": value for key, value in code.items()},
    }


def _hardware(record: Record) -> dict[str, Json]:
    machine = record.machine
    found = {key: machine[key] for key in MACHINE if key in machine}
    if isinstance(memory := machine.get("memory_bytes"), int | float):
        found["memory"] = quantity(round(memory / 2**30) * 2**30, "bytes")  # a kernel's own share changes with updates
    if machine.get("gpus"):
        found |= {"gpus": machine["gpus"], "driver": machine.get("driver")}
    return found


def _costly(result: Result) -> dict[str, Json]:
    """What decides over the costs that a job measures, as far as its record says."""
    record = result.record
    if record is None:
        return {}
    facts = {key: value for key, value in _hardware(record).items() if record.device != "cpu" or key not in _GPU}
    torch = {"torch": record.versions["torch"]} if "torch" in record.versions else {}
    return {"device": record.device.partition(":")[0], **facts, **torch, "threads": record.threads}


_GPU = ("gpus", "driver")


def _revision(match: Match) -> list[Change]:
    """Ids of the first pair of jobs that were asked for alike and are not the same."""
    theirs = {result.entry.job.seed: result.entry.job.id for result in match.b.train}
    for result in match.a.train:
        other = theirs.get(result.entry.job.seed)
        if other is not None and other != result.entry.job.id:
            return [Change(CODE, f"job {result.entry.job.id}", f"job {other}")]
    return []
