"""The params of an attempt's run: what a person compares runs by.

Each is a column, so they are few: what is switched off is left out, and of training what stands at its default, but
for the main settings; what the suite varies is always there. `record.json`, which is attached, has everything.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from dlbench.schema.base import Json
from dlbench.schema.job import Entry, Job
from dlbench.schema.record import Record
from dlbench.schema.train import TrainSettings, cost_fields
from dlbench.store.names import flat, word

MAIN = frozenset({"epochs", "steps", "seconds", "batch_size", "optimizer", "lr", "weight_decay", "schedule"})
"""Settings of training that are shown wherever they stand."""

ELSEWHERE = frozenset({"threads"})
"""Settings of training that the record has a field for."""

_SEVERAL: Mapping[str, Callable[[Job], str]] = {
    "dataset": lambda job: job.dataset.name,
    "precision": lambda job: job.precision,
    "device": lambda job: job.device,
}


def params(entry: Entry, record: Record) -> dict[str, str]:
    """Name → value in words.

    Args:
        entry: what the suite calls the job, and what it varies.
    """
    values = {
        "label": entry.label,
        "kind": record.kind,
        "task": record.task.name,
        **flat(record.task.params, "task"),
        "dataset": record.dataset.name,
        **flat(record.dataset.params, "dataset"),
        "model": record.model.name,
        "model.preset": record.model.preset,
        **flat(record.model.params, "model"),
        **{f"train.{name}": value for name, value in _training(record)},
        "precision": record.precision.asked,
        "device": record.device,
        "threads": record.threads,
        "seed": record.seed,
        **flat(record.inputs, "inputs"),
        **flat(_cost(record), "cost"),
    }
    known = {key: value for key, value in values.items() if not _off(value)}
    # An axis that names a block, say, is a param of its own; one that is switched off is shown as such.
    varied = {key: values.get(key, value) for key, value in entry.varied.items()}
    return {key: word(value) for key, value in {**varied, **known}.items() if value is not None}


def apart(entries: Iterable[Entry]) -> tuple[str, ...]:
    """What tells contenders of one label apart: those of dataset, precision and device that a suite has several of."""
    lines = list(entries)
    return tuple(name for name, value in _SEVERAL.items() if len({value(line.job) for line in lines}) > 1)


def told_apart(entry: Entry, names: Iterable[str]) -> list[str]:
    """Values of those, of one job."""
    return [_SEVERAL[name](entry.job) for name in names]


def _training(record: Record) -> Iterator[tuple[str, Json]]:
    """Of a cost job only what touches a step's cost."""
    defaults = TrainSettings().model_dump(mode="json")
    names = cost_fields() if record.kind == "cost" else record.train.keys() - ELSEWHERE
    for name, value in record.train.items():
        if name in names and (name in MAIN or value != defaults.get(name)):
            yield name, value


def _cost(record: Record) -> Mapping[str, Json]:
    return {} if record.cost is None else record.cost.model_dump(mode="json", exclude_defaults=True)


def _off(value: Json) -> bool:
    return value is None or value is False or value in ("", [], {})
