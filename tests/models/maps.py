"""Walks models of images on the meta device, where size costs nothing."""

from types import ModuleType
from typing import Any

import torch
from torch import nn

from dlbench.schema.signature import Classes, Image, Signature


def images(channels: int, size: int, classes: int = 10) -> Signature:
    return Signature(input=Image(channels=channels, height=size, width=size), output=Classes(classes=classes))


def meta_model(module: ModuleType, preset: str | None, signature: Signature | None = None, **params: Any) -> nn.Module:
    with torch.device("meta"):
        complete = module.Params(**{**(module.PRESETS[preset] if preset else {}), **params})
        built = module.build(complete, signature or module.signature(preset))
    assert isinstance(built, nn.Module)
    return built


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def outputs(model: nn.Module, channels: int, size: int, kinds: tuple[type[nn.Module], ...]) -> list[tuple[int, ...]]:
    """Shapes without the batch of what modules of some kinds return, in the order of the forward pass."""
    shapes: list[tuple[int, ...]] = []
    hooks = [
        module.register_forward_hook(lambda _, __, output: shapes.append(tuple(output.shape[1:])))
        for module in model.modules()
        if isinstance(module, kinds)
    ]
    model({"image": torch.empty(2, channels, size, size, device="meta")})
    for hook in hooks:
        hook.remove()
    return shapes


def gradients_reach_everything(model: nn.Module, channels: int, size: int) -> None:
    """One forward and backward pass over noise through the model's own loss, or cross entropy of its logits."""
    batch = {"image": torch.randn(4, channels, size, size), "target": torch.arange(4)}
    logits = model(batch)
    assert logits.shape == (4, 10)
    own_loss = getattr(model, "loss", None)
    loss = own_loss(batch) if own_loss else nn.functional.cross_entropy(logits, batch["target"])
    loss.backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not silent
