"""Results as one table, a line for each job: what `results.csv` holds."""

from typing import Any

from dlbench.analyze.contenders import canonical
from dlbench.analyze.results import Results
from dlbench.schema.record import Result


def job_rows(results: Results) -> list[dict[str, Any]]:
    """A row for each job, whatever became of it; a column for each metric and for each thing that is varied.

    Every row has all columns, in the order in which they first occur; None where a job has nothing.
    """
    rows = [_row(results.suite.name, result) for result in results.results]
    columns = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name) for name in columns} for row in rows]


def _row(suite: str, result: Result) -> dict[str, Any]:
    entry, job, record = result.entry, result.entry.job, result.record
    row: dict[str, Any] = {
        "suite": suite,
        "task": job.task.name,
        "dataset": job.dataset.name,
        "dataset_params": canonical(job.dataset.params),
        "data_source": job.dataset.source,
        "official_data": job.dataset.official,
        "label": entry.label,
        "model": job.model.name,
        "model_params": canonical(job.model.params),
        "precision": job.precision,
        "device": job.device,
        "kind": job.kind,
        **({} if entry.study is None else {"study": entry.study, "candidate": entry.candidate}),
        "seed": job.seed,
        "batch_size": job.cost.batch_size if job.cost else job.train.batch_size,
        "round": job.cost.round if job.cost and not job.cost.largest_batch else None,
        "anchor": job.cost.anchor if job.cost else None,
        **{
            f"vary.{key}": value if isinstance(value, str | int | float) else canonical(value)
            for key, value in entry.varied.items()
        },
        "status": result.status,
        "reason": entry.skipped if entry.skipped is not None else (record.reason if record else None),
    }
    if record is not None:
        row |= {metric.name: metric.value for metric in record.metrics}
        row |= {"ran": "; ".join(record.precision.ran)}
        row |= {"flags": "; ".join(record.flags), "duration_s": record.duration_s, "started_at": record.started_at}
        row |= {"attempt": record.attempt, "git_commit": record.code.get("git_commit")}
    return row | {"job": job.id}
