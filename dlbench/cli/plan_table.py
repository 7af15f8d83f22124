"""A plan as rows: one for each contender, task and dataset."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from dlbench.cli.planning import Planned
from dlbench.cli.quantities import duration, size

if TYPE_CHECKING:
    from rich.table import Table

BYTES_OF_A_WEIGHT = {"bf16_pure": 2}
"""All other precisions keep 4 for each weight, and its gradient and what the optimiser keeps of it as well."""
COPIES = {"sgd": 3, "adam": 4, "adamw": 4, "muon": 4}
"""Weights, gradients and what the optimiser keeps of each; muon keeps less for matrices."""


def rows(todo: Planned) -> list[dict[str, Any]]:
    """Data of `dlbench plan --json`."""
    groups: dict[str, list[Any]] = {}
    for entry in todo.plan.entries:
        job = entry.job
        key = f"{job.task.name} {job.dataset.digest} {job.dataset.params} {entry.label} {job.precision} {job.device}"
        groups.setdefault(key, []).append(entry)
    parameters = {entry.job.id: f.parameters for f in todo.findings for entry in f.entries}
    found = []
    for entries in groups.values():
        first = entries[0]
        waiting = [e for e in entries if todo.state(e) in ("run", "again")]
        seconds = [todo.estimator.seconds(entry) for entry in waiting]
        count = next((parameters[e.job.id] for e in entries if parameters.get(e.job.id)), None)
        states = Counter(todo.state(entry) for entry in entries)
        bytes_each = BYTES_OF_A_WEIGHT.get(first.job.precision, 4) * COPIES[first.job.train.optimizer]
        found.append(
            {
                "task": first.job.task.name,
                "dataset": first.job.dataset.name,
                "dataset_params": first.job.dataset.params,
                "label": first.label,
                "varied": first.varied,
                "precision": first.job.precision,
                "device": first.job.device,
                "jobs": {"train": [], "cost": []} | _ids(entries),
                "states": dict(states),
                "skipped": first.skipped,
                "seconds": sum(s for s in seconds if s is not None) if None not in seconds else None,
                "parameters": count,
                "weights_and_optimizer_bytes": None if count is None else count * bytes_each,
            }
        )
    return found


def _ids(entries: list[Any]) -> dict[str, list[str]]:
    ids: dict[str, list[str]] = {}
    for entry in entries:
        ids.setdefault(entry.job.kind, []).append(entry.job.id)
    return ids


def table(todo: Planned) -> "Table":
    """The plan for a terminal; columns with nothing in them are left out, and no name is cut short."""
    from rich.table import Table

    found = [_cells(row) for row in rows(todo)]
    headings = [heading for heading in found[0] if any(cells[heading] for cells in found)] if found else []
    shown = Table(box=None, pad_edge=False)
    for heading in headings:
        shown.add_column(heading, overflow="fold")
    for cells in found:
        shown.add_row(*(cells[heading] for heading in headings))
    return shown


def _cells(row: dict[str, Any]) -> dict[str, str]:
    """Heading → text, of one row."""
    states = ", ".join(f"{n} {state}" for state, n in row["states"].items())
    varied = [f"{k.partition('.')[2]}={v}" for k, v in row["varied"].items() if k.startswith(("dataset.", "task."))]
    count, weights, seconds = row["parameters"], row["weights_and_optimizer_bytes"], row["seconds"]
    return {
        "task": row["task"],
        "dataset": " ".join([row["dataset"], *varied]),
        "model": row["label"],
        "precision": f"{row['precision']} on {row['device']}",
        "train": str(len(row["jobs"]["train"])),
        "cost": str(len(row["jobs"]["cost"])) if row["jobs"]["cost"] else "",
        "state": f"skipped: {row['skipped']}" if row["skipped"] else states,
        "time": duration(seconds) if seconds else "",
        "parameters": "" if count is None else f"{count:,}",
        "with optimiser": "" if weights is None else size(weights),
    }
