"""Optimisers, fused wherever torch has a fused kernel; which parameters decay, which Muon takes."""

from collections.abc import Collection, Iterable

import torch
from torch import nn

from dlbench.schema.train import TrainSettings


class Optimizers:
    """One or two torch optimisers that act as one: all that the training loop needs of them."""

    def __init__(self, members: Iterable[torch.optim.Optimizer]) -> None:
        self.members = tuple(members)
        self._groups = [(group, group["lr"]) for member in self.members for group in member.param_groups]
        self._factor = 1.0

    @property
    def lr(self) -> float:
        """The learning rate of the next update."""
        lr: float = self._groups[0][0]["lr"]
        return lr

    def scale_lr(self, factor: float) -> None:
        """Set every learning rate to its peak times a factor."""
        if factor == self._factor:
            return
        self._factor = factor
        for group, peak in self._groups:
            group["lr"] = peak * factor

    def step(self, scaler: torch.amp.GradScaler | None) -> None:
        """One update, through the loss scaler if there is one."""
        for member in self.members:
            if scaler is None:
                member.step()
            else:
                scaler.step(member)
        if scaler is not None:
            scaler.update()

    def unscale(self, scaler: torch.amp.GradScaler) -> None:
        """Divide the gradients by the loss scale, so that they can be clipped."""
        for member in self.members:
            scaler.unscale_(member)

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for member in self.members:
            member.zero_grad(set_to_none=True)


def build_optimizers(
    model: nn.Module, settings: TrainSettings, only: Collection[nn.Parameter] | None = None
) -> Optimizers:
    """The optimiser that a suite asks for, over some of a model's parameters (default: all that can be trained).

    Weight decay acts on tensors of two and more dimensions, but not on embeddings; biases and norms are left out.
    Muon (Jordan et al. 2024) takes every matrix that is no embedding, the output layer's too, with its step matched to
    AdamW's (Liu et al. 2025, Muon is Scalable, §2.2); everything else goes to AdamW at the same learning rate.
    """
    decayed, plain = _split_by_decay(model, only)
    if settings.optimizer != "muon":
        return Optimizers([_single(decayed, plain, settings)])
    matrices = [p for p in decayed if p.ndim == 2]
    rest = [p for p in decayed if p.ndim != 2]
    others = _groups(rest, plain, settings.weight_decay)
    members: list[torch.optim.Optimizer] = [_adamw(others, settings)] if others else []
    if not matrices:
        return Optimizers(members)
    muon = torch.optim.Muon(
        matrices,
        lr=settings.lr,
        weight_decay=settings.weight_decay,
        momentum=settings.momentum,
        nesterov=True,
        adjust_lr_fn="match_rms_adamw",
    )
    return Optimizers([muon, *members])


def _split_by_decay(
    model: nn.Module, only: Collection[nn.Parameter] | None
) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    embeddings = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, nn.Embedding | nn.EmbeddingBag)
        for parameter in module.parameters(recurse=False)
    }
    trainable = [p for p in (model.parameters() if only is None else only) if p.requires_grad]
    decayed = [p for p in trainable if p.ndim >= 2 and id(p) not in embeddings]
    chosen = {id(p) for p in decayed}
    return decayed, [p for p in trainable if id(p) not in chosen]


def _groups(decayed: list[nn.Parameter], plain: list[nn.Parameter], decay: float) -> list[dict[str, object]]:
    groups = [{"params": decayed, "weight_decay": decay}, {"params": plain, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def _adamw(groups: list[dict[str, object]], settings: TrainSettings) -> torch.optim.Optimizer:
    return torch.optim.AdamW(groups, lr=settings.lr, betas=settings.betas, eps=settings.eps, fused=True)


def _single(decayed: list[nn.Parameter], plain: list[nn.Parameter], settings: TrainSettings) -> torch.optim.Optimizer:
    groups = _groups(decayed, plain, settings.weight_decay)
    if settings.optimizer == "adamw":
        return _adamw(groups, settings)
    if settings.optimizer == "adam":
        return torch.optim.Adam(groups, lr=settings.lr, betas=settings.betas, eps=settings.eps, fused=True)
    return torch.optim.SGD(groups, lr=settings.lr, momentum=settings.momentum, nesterov=settings.nesterov, fused=True)
