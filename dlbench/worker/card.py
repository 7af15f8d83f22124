"""The model card of a train job: one page of Markdown that says what was trained on what, and how it scored."""

import torch

from dlbench.meters.parameters import count
from dlbench.schema.job import Work
from dlbench.schema.metric import Metric


def model_card(todo: Work, model: torch.nn.Module, metrics: list[Metric], sizes: dict[str, int]) -> str:
    """Markdown, after Mitchell et al. 2019 (Model Cards for Model Reporting), as far as a machine can know."""
    job = todo.job
    official = "" if job.dataset.official else " (an unofficial copy: figures do not compare with published ones)"
    splits = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
    numbers = ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in count(model).items())
    scores = "\n".join(
        f"| {m.name} | {'not measured: ' + (m.reason or '') if m.value is None else f'{m.value:.6g}'} | {m.unit} |"
        for m in metrics
    )
    settings = job.train.model_dump(mode="json", exclude_defaults=True)
    return f"""# {todo.label}

Model `{job.model.name}`{f", preset `{job.model.preset}`" if job.model.preset else ""}, trained for `{job.task.name}`.

- Dataset: `{job.dataset.name}` from {job.dataset.source}{official}; {splits}; digest `{job.dataset.digest}`
- Size: {numbers}
- Parameters: `{job.model.params}`
- Training: `{settings}`, seed {job.seed}
- Precision {job.precision} on {job.device}, {job.threads} thread{"s" if job.threads > 1 else ""}
- Job `{job.id}`, attempt {todo.attempt}

| metric | value | unit |
|---|---:|---|
{scores}
"""
