"""From a job's description to live objects: dataset, task, model, on a device with seeds set."""

from dataclasses import dataclass
from typing import cast

import torch

from dlbench.catalog import Catalog
from dlbench.contracts.models import ModelModule
from dlbench.contracts.tasks import Task, TaskModule
from dlbench.errors import Unsupported
from dlbench.schema.job import Job, Work
from dlbench.worker.allocator import keep_freed_memory
from dlbench.worker.apart import mark_used
from dlbench.worker.arrange import arrange
from dlbench.worker.data import BoundDataset
from dlbench.worker.memory_limit import limit_memory
from dlbench.worker.precision import Precision
from dlbench.worker.seeds import make_deterministic, seed_globally


@dataclass
class Bench:
    """All that a job works on.

    Attributes:
        limit_bytes: memory that it may take on the device; None: nobody limits it.
    """

    task: Task
    device: torch.device
    precision: Precision
    catalog: Catalog
    job: Job
    limit_bytes: int | None = None

    def model(self, device: torch.device | None = None) -> torch.nn.Module:
        """A new model with the seed's weights, in training mode.

        Weights are drawn on the CPU and then moved, so that a seed means the same weights on every device.
        """
        module = cast(ModelModule, self.catalog.load("models", self.job.model.name))
        params = module.Params.model_validate(self.job.model.params)
        if not module.accepts(self.task.signature):
            raise Unsupported(f"model {self.job.model.name!r} is not made for {self.task.signature}")
        target = device or self.device
        with torch.device(target if target.type == "meta" else "cpu"):
            seed_globally(self.job.seed or 0, "weights")
            model = module.build(params, self.task.signature)
        model = self.precision.prepare(model.to(target).train())
        arrange(model, self.job.train, torch.device(self.job.device))
        return model


def set_threads(threads: int) -> None:
    """Threads of torch's operators in this process."""
    torch.set_num_threads(threads)


def pick_device(name: str) -> torch.device:
    """The torch device of a job.

    Raises:
        Unsupported: this machine has none.
    """
    device = torch.device(name)
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise Unsupported(f"device {name}: this machine (or this torch build) has no CUDA device")
        if device.index is not None and device.index >= torch.cuda.device_count():
            raise Unsupported(f"device {name}: this machine has only {torch.cuda.device_count()}")
        torch.cuda.set_device(device)
        device = torch.device("cuda", torch.cuda.current_device())
    return device


def build_task(catalog: Catalog, job: Job, work: Work) -> Task:
    """The job's task over its dataset, on the CPU."""
    dataset_module = catalog.load("datasets", job.dataset.name)
    params = dataset_module.Params.model_validate(job.dataset.params)
    dataset = BoundDataset(dataset_module, params, work.data_root, job.dataset.digest)
    module = cast(TaskModule, catalog.load("tasks", job.task.name))
    return module.build(module.Params.model_validate(job.task.params), dataset)


def set_up(work: Work) -> Bench:
    """Threads, device, precision, determinism, seeds, data, task."""
    job = work.job
    mark_used()
    set_threads(job.threads)
    keep_freed_memory()
    device = pick_device(job.device)
    limit_bytes = limit_memory(device, job.cost.memory_gib if job.cost is not None else None)
    precision = Precision(job.precision, device)
    make_deterministic(device, job.threads)  # in cost jobs too: what is trained is what is measured
    catalog = Catalog(work.plugins)
    task = build_task(catalog, job, work)
    if job.train.label_smoothing and task.signature.output.kind not in ("classes", "tags", "tokens"):
        raise Unsupported(f"train.label_smoothing needs classes; task {job.task.name!r} answers with boxes or images")
    task.to(device)
    return Bench(task, device, precision, catalog, job, limit_bytes)
