"""One optimiser step: forward, backward, clip, update. Train jobs and cost jobs take this same step."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import torch

from dlbench.contracts.batches import Batch
from dlbench.contracts.models import Turn
from dlbench.contracts.tasks import Task
from dlbench.errors import Unsupported
from dlbench.schema.train import TrainSettings
from dlbench.worker.optimizer import build_optimizers
from dlbench.worker.precision import Precision
from dlbench.worker.turns import require_support, turns_of

Feeds = Mapping[str, Iterator[Sequence[Batch]]]
"""Turn → the batches of one of its updates after another, without end."""

Mark = Callable[[str], None]
"""Called at the end of each part of a step: `forward`, `backward`, `optimizer`."""


def unmarked(part: str) -> None:
    """Nobody wants to know the parts of a step."""


class Update:
    """Updates parameters from one loss: those of a turn, or, without turns, all of the model.

    Args:
        task: its loss applies to the model's forward output, unless the model or the turn has a loss of its own.
        model: on the device, in training mode.
        settings: optimiser, clipping, smoothing.
        precision: what the forward pass runs in.
        turn: None: the model trains in one piece.
        mark: hears the end of each part.

    Attributes:
        loss_sum: sum of the losses of all batches since it was last zeroed, a scalar on the device.
    """

    def __init__(
        self,
        task: Task,
        model: torch.nn.Module,
        settings: TrainSettings,
        precision: Precision,
        turn: Turn | None,
        mark: Mark,
    ) -> None:
        self.mark = mark
        if turn is not None:
            settings = settings.model_copy(update=dict(turn.settings))
        self.task, self.model, self.settings, self.precision, self.turn = task, model, settings, precision, turn
        chosen = list(model.parameters()) if turn is None else turn.parameters
        self.parameters = [p for p in chosen if p.requires_grad]
        self.optimizers = build_optimizers(model, settings, None if turn is None else self.parameters)
        self.scaler = precision.scaler()
        self.own_loss = _own_loss(model, turn, settings, precision)
        self.loss_sum = torch.zeros((), device=precision.device)

    def __call__(self, batches: Sequence[Batch]) -> None:
        """One update from the mean gradient over all examples of one or several batches."""
        examples = sum(batch["index"].shape[0] for batch in batches)
        for batch in batches:
            loss = self.loss(batch)
            self.loss_sum += loss.detach()
            if len(batches) > 1:
                loss = loss * (batch["index"].shape[0] / examples)
            if self.scaler is not None:
                loss = self.scaler.scale(loss)
            self.mark("forward")
            # Other turns' parameters get no gradient from this one.
            loss.backward(inputs=None if self.turn is None else self.parameters)  # type: ignore[no-untyped-call]
            self.mark("backward")
        self._apply()

    def from_gradient_of_its_own(self, batch: Batch, main_batch: Batch, main_lr: float) -> None:
        """One update from what the turn's `gradient` says."""
        assert self.turn is not None
        assert self.turn.gradient is not None
        self.loss_sum += self.turn.gradient(self.loss, batch, main_batch, main_lr)
        self.mark("backward")
        self._apply()

    def loss(self, batch: Batch) -> torch.Tensor:
        """Mean loss over a batch, with its graph."""
        with self.precision.autocast():
            if self.own_loss is not None:
                return self.own_loss(batch)
            return self.task.loss(self.model(batch), batch, label_smoothing=self.settings.label_smoothing)

    def _apply(self) -> None:
        if self.settings.clip_norm is not None:
            if self.scaler is not None:
                self.optimizers.unscale(self.scaler)
            torch.nn.utils.clip_grad_norm_(self.parameters, self.settings.clip_norm)
        self.optimizers.step(self.scaler)
        self.optimizers.zero_grad()
        self.mark("optimizer")


def _own_loss(
    model: torch.nn.Module, turn: Turn | None, settings: TrainSettings, precision: Precision
) -> Callable[[Batch], torch.Tensor] | None:
    """The loss of the turn, else of the model, with its smoothing; None: the task's.

    Raises:
        Unsupported: it is to be smoothed, and cannot be.
    """
    own: Callable[..., torch.Tensor] | None = getattr(model, "loss", None)
    if turn is not None and turn.loss is not None:
        own = precision.adapted(turn.loss)
    if own is None or not settings.label_smoothing:
        return own
    if "label_smoothing" not in inspect.signature(own).parameters:
        raise Unsupported("train.label_smoothing: this model has a loss of its own, which smooths nothing")
    return partial(own, label_smoothing=settings.label_smoothing)


class TrainStep:
    """Takes optimiser steps on one model; nothing in a step waits for the device.

    A step of a model with turns takes every turn that is due, the main one last (`dlbench.contracts.Turn`).

    Args:
        task: its loss applies to the model's forward output, unless the model has a `loss(batch)` of its own.
        model: on the device, in training mode; its weights change.
        settings: optimiser, clipping, smoothing.
        precision: what the forward pass runs in.
        feeds: of turns beside the main one; those that have none take the step's batches (cost jobs).
        mark: hears the end of each part of a step.

    Raises:
        Unsupported: the settings ask for something that the model's turns cannot do.
    """

    def __init__(
        self,
        task: Task,
        model: torch.nn.Module,
        settings: TrainSettings,
        precision: Precision,
        feeds: Feeds | None = None,
        mark: Mark = unmarked,
    ) -> None:
        turns = turns_of(model)
        require_support(turns, settings, precision)
        self.main = Update(task, model, settings, precision, turns[0] if turns else None, mark)
        self.others = [(turn, Update(task, model, settings, precision, turn, mark)) for turn in turns[1:]]
        self.feeds = feeds or {}
        self.step = 0

    @property
    def loss_sum(self) -> torch.Tensor:
        """Sum of the (main turn's) losses of all batches since it was last zeroed, a scalar on the device."""
        return self.main.loss_sum

    def optimizer_state(self) -> list[torch.Tensor]:
        """What all optimisers remember; empty before the first step."""
        updates = [self.main, *(update for _, update in self.others)]
        members = [member for update in updates for member in update.optimizers.members]
        states = [state for member in members for state in member.state.values()]
        return [value for state in states for value in state.values() if isinstance(value, torch.Tensor)]

    def scale_lr(self, factor: float) -> None:
        """Set every learning rate that follows the schedule to its peak times a factor."""
        self.main.optimizers.scale_lr(factor)
        for turn, update in self.others:
            if turn.scheduled:
                update.optimizers.scale_lr(factor)

    def __call__(self, batches: Sequence[Batch]) -> None:
        """One update of each turn that is due; the main one's from the mean gradient over these batches."""
        self.step += 1
        for turn, update in self.others:
            if self.step % turn.every:
                continue
            theirs = next(self.feeds[turn.name]) if turn.name in self.feeds else batches
            if turn.gradient is None:
                update(theirs)
            else:
                update.from_gradient_of_its_own(theirs[0], batches[0], self.main.optimizers.lr)
        self.main(batches)
