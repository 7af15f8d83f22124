"""A training that is not done but looked up: the job leaves the curve and the scores of the table's row."""

from dlbench.jobdir import JobDir
from dlbench.schema.job import Job
from dlbench.schema.metric import Metric
from dlbench.worker import table
from dlbench.worker.curve import Curve


def answer(job: Job, jobdir: JobDir) -> tuple[list[Metric], str, dict[str, int]]:
    """Metrics of the splits that the job scores, a flag that says where they come from, sizes of the splits.

    Raises:
        Unsupported: the table has no such training.
    """
    assert job.table is not None
    found, about = table.row(job), table.read(job.table)
    curve = Curve(jobdir.artifacts / "curve.csv")
    columns = found["curve"]
    for number in range(len(columns["step"])):
        row = {name: values[number] for name, values in columns.items()}
        curve.add(row)
        shown = {name: value for name, value in row.items() if name not in ("step", "epoch")}
        jobdir.tell("metrics", step=row["step"], epoch=row["epoch"], values=shown)
    metrics = [
        Metric(name=name, value=value, unit=unit, better=better)
        for name, (value, unit, better) in found["metrics"].items()
        if not name.startswith("test_") or "test" in job.splits
    ]
    flag = f"from the table {job.table}: trained on {about['about']['made_on']}, not here"
    return metrics, flag, about["sizes"]
