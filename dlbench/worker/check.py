"""Can every job be built? Each configuration on the meta device, in one child, before anything is spent."""

from contextlib import suppress
from typing import Any

import torch

from dlbench.catalog import Catalog
from dlbench.contracts.tasks import Task
from dlbench.errors import DlbenchError, Unsupported
from dlbench.meters.flops import forward_flops
from dlbench.schema.job import Work
from dlbench.schema.signature import Classes, Signature, Tags, Tokens
from dlbench.worker.build import Bench, build_task, pick_device
from dlbench.worker.elements import Elements
from dlbench.worker.precision import Precision
from dlbench.worker.seeds import generator


def check(works: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each work: `{"ok": true, parameters, …, flops_per_sample, elements_per_sample, train_size, scores}` or
    `{"ok": false, status, reason}`.

    Operations and elements are of a forward pass, None where that does not run on the meta device.
    """
    tasks: dict[str, Task] = {}
    return [_check_one(Work.model_validate(work), tasks) for work in works]


def _check_one(work: Work, tasks: dict[str, Task]) -> dict[str, Any]:
    job = work.job
    try:
        catalog = Catalog(work.plugins)
        precision = Precision(job.precision, pick_device(job.device))
        key = f"{job.task.model_dump_json()} {job.dataset.model_dump_json()} {work.data_root}"
        if key not in tasks:
            tasks[key] = build_task(catalog, job, work)
        bench = Bench(tasks[key], torch.device("meta"), precision, catalog, job)
        model = bench.model(torch.device("meta"))
    except Unsupported as error:
        return {"ok": False, "status": "skipped", "reason": str(error)}
    except DlbenchError as error:
        return {"ok": False, "status": "failed", "reason": str(error)}
    except Exception as error:  # a plugin can raise anything; the reason names it, the run goes on
        return {"ok": False, "status": "failed", "reason": f"{type(error).__name__}: {error}"}
    task = bench.task
    batch = next(task.batches("train", min(job.train.batch_size, task.sizes["train"]), generator(0, "check")))
    flops, samples = None, 1
    elements = Elements()
    outputs: list[Any] = []
    watching = model.register_forward_hook(lambda module, inputs, output: outputs.append(output))
    # a plugin's forward pass can raise anything on the meta device; only an estimate is lost
    with suppress(Exception), elements:
        flops, samples = forward_flops(model, [batch])
    watching.remove()
    if outputs and (wrong := _misshapen(outputs[0], task.signature)) is not None:
        return {"ok": False, "status": "failed", "reason": wrong}
    return {
        "ok": True,
        "parameters": sum(p.numel() for p in model.parameters()),
        "trainable_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "flops_per_sample": None if flops is None else flops / samples,
        "elements_per_sample": None if flops is None else elements.count / samples,
        "train_size": task.sizes["train"],
        "scores": dict(task.scores),
    }


def _misshapen(output: Any, signature: Signature) -> str | None:
    """Why a model's output is not what a task can score; None if it may be."""
    wanted = signature.output
    if not isinstance(output, torch.Tensor) or not isinstance(wanted, Classes | Tags | Tokens):
        return None
    width = wanted.vocabulary if isinstance(wanted, Tokens) else wanted.classes
    dimensions = ("batch", "classes") if isinstance(wanted, Classes) else ("batch", "tokens", "classes")
    if output.dim() == len(dimensions) and output.shape[-1] == width:
        return None
    shape = " × ".join(map(str, output.shape))
    return f"its forward pass gives {shape} numbers, where {' × '.join(dimensions)} are asked for, {width} classes"
