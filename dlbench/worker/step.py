"""One optimiser step: forward, backward, clip, update. Train jobs and cost jobs take this same step."""

import inspect
from collections.abc import Sequence
from functools import partial

import torch

from dlbench.contracts import Batch, Task
from dlbench.errors import Unsupported
from dlbench.schema.train import TrainSettings
from dlbench.worker.optimizer import build_optimizers
from dlbench.worker.precision import Precision


class TrainStep:
    """Takes optimiser steps on one model; nothing in a step waits for the device.

    Args:
        task: its loss applies to the model's forward output, unless the model has a `loss(batch)` of its own.
        model: on the device, in training mode; its weights change.
        settings: optimiser, clipping, smoothing.
        precision: what the forward pass runs in.

    Attributes:
        loss_sum: sum of the losses of all batches since it was last zeroed, a scalar on the device.
    """

    def __init__(self, task: Task, model: torch.nn.Module, settings: TrainSettings, precision: Precision) -> None:
        self.task, self.model, self.settings, self.precision = task, model, settings, precision
        self.optimizers = build_optimizers(model, settings)
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.scaler = precision.scaler()
        self.own_loss = getattr(model, "loss", None)
        if self.own_loss is not None and settings.label_smoothing:
            if "label_smoothing" not in inspect.signature(self.own_loss).parameters:
                raise Unsupported("train.label_smoothing: this model has a loss of its own, which smooths nothing")
            self.own_loss = partial(self.own_loss, label_smoothing=settings.label_smoothing)
        self.loss_sum = torch.zeros((), device=precision.device)

    def __call__(self, batches: Sequence[Batch]) -> None:
        """One update from the mean gradient over all examples of one or several batches."""
        examples = sum(batch["index"].shape[0] for batch in batches)
        for batch in batches:
            with self.precision.autocast():
                loss = self._loss(batch)
            self.loss_sum += loss.detach()
            if len(batches) > 1:
                loss = loss * (batch["index"].shape[0] / examples)
            if self.scaler is not None:
                loss = self.scaler.scale(loss)
            loss.backward()  # type: ignore[no-untyped-call]
        if self.settings.clip_norm is not None:
            if self.scaler is not None:
                self.optimizers.unscale(self.scaler)
            torch.nn.utils.clip_grad_norm_(self.parameters, self.settings.clip_norm)
        self.optimizers.step(self.scaler)
        self.optimizers.zero_grad()

    def _loss(self, batch: Batch) -> torch.Tensor:
        if self.own_loss is not None:
            return self.own_loss(batch)  # type: ignore[no-any-return]
        return self.task.loss(self.model(batch), batch, label_smoothing=self.settings.label_smoothing)
