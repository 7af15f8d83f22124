"""A model as its paper has it: built on the meta device, counted, priced in operations."""

from collections.abc import Mapping
from typing import Any

import torch

from dlbench.catalog import Catalog
from dlbench.errors import UsageError
from dlbench.meters.flops import forward_flops
from dlbench.meters.parameters import count
from dlbench.schema.said import clauses
from dlbench.schema.signature import Image, Pair, Signature, Tokens, Vector
from dlbench.worker.params import check_params


def show_model(
    catalog: Catalog, name: str, preset: str | None, params: Mapping[str, Any], signature: Signature | None = None
) -> dict[str, Any]:
    """Parameters, buffers, operations, parameter values with defaults, presets.

    Args:
        catalog: the shelves.
        name: of the model.
        preset: of the model; its parameters come first.
        params: over the preset's.
        signature: of a task; default: that of the preset's own paper.

    Raises:
        UsageError: the parameters or the preset do not fit; every problem is named.
    """
    module = catalog.load("models", name)
    if preset is not None and preset not in module.PRESETS:
        raise UsageError(f"model {name!r} has no preset {preset!r}; it has {', '.join(module.PRESETS) or 'none'}")
    checked = check_params(catalog, "models", name, preset, params)
    if checked["errors"]:
        raise UsageError(clauses(checked["errors"]))
    signature = signature or module.signature(preset)
    if not module.accepts(signature):
        raise UsageError(f"model {name!r} is not made for {signature}")
    complete = module.Params.model_validate(checked["params"])
    with torch.device("meta"):
        model = module.build(complete, signature)
    flops, samples = forward_flops(model, [example_batch(signature)])
    return {
        "model": name,
        "preset": preset,
        "signature": signature.model_dump(mode="json"),
        **count(model),
        "flops_per_sample": flops / samples,
        "params": checked["params"],
        "presets": sorted(module.PRESETS),
    }


def example_batch(signature: Signature) -> dict[str, torch.Tensor]:
    """A batch of one on the meta device, in the form that tasks with this signature give."""
    meta = torch.device("meta")
    batch = {"index": torch.empty(1, dtype=torch.int64, device=meta)}
    inputs = signature.input
    if isinstance(inputs, Tokens):
        batch["tokens"] = torch.empty(1, inputs.length or 1, dtype=torch.int64, device=meta)
        batch["lengths"] = torch.empty(1, dtype=torch.int64, device=meta)
    elif isinstance(inputs, Image):
        batch["image"] = torch.empty(1, inputs.channels or 1, inputs.height or 1, inputs.width or 1, device=meta)
    elif isinstance(inputs, Vector):
        batch["vector"] = torch.empty(1, inputs.size or 1, device=meta)
    elif isinstance(inputs, Pair):
        raise UsageError("models of pairs have no example batch")
    if isinstance(signature.output, Tokens):
        batch["previous"] = torch.empty(1, signature.output.length or 1, dtype=torch.int64, device=meta)
    return batch
