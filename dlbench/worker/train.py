"""The training loop: the only one. It knows no task and no model, only their contracts.

Inside a step nothing waits for the device: losses stay there and are read at validations, the learning rate is a
closed form on the host, gradients are clipped and scaled by tensors.
"""

import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch

from dlbench.contracts.batches import Batch, Part
from dlbench.contracts.models import Turn
from dlbench.contracts.tasks import Task
from dlbench.errors import Diverged
from dlbench.jobdir import JobDir
from dlbench.schema.metric import Metric
from dlbench.schema.train import TrainSettings
from dlbench.worker.best import Best
from dlbench.worker.curve import Curve
from dlbench.worker.evaluate import predict, prefixed
from dlbench.worker.precision import Precision
from dlbench.worker.schedule import Schedule
from dlbench.worker.seeds import generator
from dlbench.worker.step import TrainStep
from dlbench.worker.turns import part_size, turns_of

ABSURD = 1e6
"""A mean loss from which no training comes back: what is right would have to be likelier than e⁻¹⁰⁰⁰⁰⁰⁰."""
TICK_S = 0.5
"""How often the loop shows a sign of life and looks for `stop`."""

SMALLEST_EVALUATION_BATCH = 256
"""Without gradients a batch costs little memory, so small training batches need not make scoring slow."""


@dataclass
class Trained:
    """What training left: the model holds the weights that are to be scored."""

    metrics: list[Metric] = field(default_factory=list)
    stopped: bool = False
    pruned: bool = False


def evaluation_batch(settings: TrainSettings) -> int:
    """Batch size for scoring."""
    return max(settings.batch_size, SMALLEST_EVALUATION_BATCH)


class Training:
    """One train job's loop over one model.

    Args:
        task: built, on the device.
        model: on the device, in training mode; its weights change.
        settings: budget, optimiser, schedule, stopping.
        precision: what forward passes run in.
        seed: order of the examples comes from it.
        jobdir: events and the curve go there, `stop` is looked for there.
        clock: seconds; another one only in tests.
        ask: whether to go on, asked after each validation but the last; None: nobody asks.
    """

    def __init__(
        self,
        task: Task,
        model: torch.nn.Module,
        settings: TrainSettings,
        precision: Precision,
        seed: int,
        jobdir: JobDir,
        clock: Callable[[], float] = time.perf_counter,
        ask: Callable[[], bool | None] | None = None,
    ) -> None:
        self.ask = ask
        self.task, self.model, self.settings, self.precision = task, model, settings, precision
        self.jobdir, self.clock = jobdir, clock
        self.order = generator(seed, "order")
        turns = turns_of(model)
        self.part = turns[0].part if turns else None
        feeds = {turn.name: self._feed(turn, generator(seed, f"order of {turn.name}")) for turn in turns[1:]}
        self.take_step = TrainStep(task, model, settings, precision, feeds)
        batches = math.ceil(part_size(task.sizes["train"], self.part) / settings.batch_size)
        self.steps_per_epoch = math.ceil(batches / settings.accumulate)
        self.total_steps = self._total_steps()
        self.schedule = Schedule(settings, self.total_steps)
        self.curve = Curve(jobdir.artifacts / "curve.csv")
        self.step = 0
        self.factor = 1.0
        self._batches_seen = 0
        self._scores: list[Metric] = []
        self._validating_s = 0.0
        self._started = 0.0
        self._next_tick = 0.0

    def _total_steps(self) -> int | None:
        if self.settings.steps is not None:
            return self.settings.steps
        if self.settings.epochs is not None:
            return max(1, math.ceil(self.settings.epochs * self.steps_per_epoch - 1e-9))
        return None

    def run(self) -> Trained:
        """Train until the budget, the patience or the target ends it, or `stop` appears.

        Raises:
            Diverged: the training loss is not finite at a validation, or beyond `ABSURD`.
        """
        every = self.settings.evaluate_every or self.steps_per_epoch
        best: Best | None = None
        self._started = self.clock()
        self._next_tick = self._started + TICK_S
        for micro_batches in self._micro_batches(self.part, self.order):
            self.factor = self.schedule.factor(self.step, self._progress(self.step + 0.5))
            self.take_step.scale_lr(self.factor)
            self.take_step(micro_batches)
            self._batches_seen += len(micro_batches)
            self.step += 1
            if self.clock() >= self._next_tick and self._tick():
                return Trained(stopped=True)
            finished = self._progress() >= 1
            if not finished and self.step % every:
                continue
            best = self._validate(best)
            if finished or self._early(best):
                break
            if self.ask is not None and not self._goes_on():
                if self.jobdir.asked_to_stop():
                    return Trained(stopped=True)
                return Trained(metrics=[*prefixed(self._scores, "val"), *self._metrics(best)], pruned=True)
        assert best is not None  # the loop ends only behind a validation
        best.restore()
        return Trained(metrics=self._metrics(best))

    def _goes_on(self) -> bool:
        """The answer to the question whether to go on; the time of waiting for it is nobody's."""
        assert self.ask is not None
        began = self.clock()
        go = self.ask()
        self._started += self.clock() - began
        return go is not False

    def _feed(self, turn: Turn, order: torch.Generator) -> Iterator[list[Batch]]:
        part_size(self.task.sizes["train"], turn.part)  # an empty part would be searched for a batch for ever
        return self._micro_batches(turn.part, order)

    def _micro_batches(self, part: Part | None, order: torch.Generator) -> Iterator[list[Batch]]:
        """The batches of one optimiser step after another, epoch after epoch."""
        size, group = self.settings.batch_size, self.settings.accumulate
        while True:
            # A plugin's task need know no parts, as long as its models have no turns.
            epoch = self.task.batches("train", size, order, **({} if part is None else {"part": part}))
            while step := list(itertools.islice(epoch, group)):
                yield step

    def _progress(self, step: float | None = None) -> float:
        """Fraction of the budget that is spent, at a step (default: now)."""
        if self.settings.seconds is not None:
            return (self.clock() - self._started - self._validating_s) / self.settings.seconds
        assert self.total_steps is not None
        return (self.step if step is None else step) / self.total_steps

    def _tick(self) -> bool:
        """Show a sign of life; whether the parent wants an early end."""
        self._next_tick = self.clock() + TICK_S
        if self.total_steps is None:
            seconds = self.settings.seconds or 0.0
            self.jobdir.tell("progress", done=self._progress() * seconds, total=seconds, unit="s")
        else:
            self.jobdir.tell("progress", done=self.step, total=self.total_steps, unit="steps")
        return self.jobdir.asked_to_stop()

    def _validate(self, best: Best | None) -> Best:
        """Score the validation split, add a row to the curve, take in the score."""
        train_loss = self._train_loss()  # waits for the device, whose work belongs to training
        began = self.clock()
        predictions = predict(self.task, self.model, "val", evaluation_batch(self.settings), self.precision)
        self._scores = metrics = self.task.score(predictions, "val")
        now = self.clock()
        self._validating_s += now - began
        row: dict[str, float | None] = {
            "step": self.step,
            "epoch": round(self.step / self.steps_per_epoch, 6),
            "elapsed_s": now - self._started,
            "lr": self.settings.lr * self.factor,
            "train_loss": train_loss,
            **{f"val_{metric.name}": metric.value for metric in metrics},
        }
        self.curve.add(row)
        shown = {key: value for key, value in row.items() if key not in ("step", "epoch")}
        self.jobdir.tell("metrics", step=self.step, epoch=row["epoch"], values=shown)
        if best is None:
            best = Best(self.model, metrics[0].better, keep=self.settings.keep == "best")
        best.see(metrics[0].value, len(self.curve.rows) - 1)
        return best

    def _train_loss(self) -> float | None:
        """Mean training loss since the last validation; reading it waits for the device."""
        if self._batches_seen == 0:
            return None
        loss = self.take_step.loss_sum.item() / self._batches_seen
        self.take_step.loss_sum.zero_()
        self._batches_seen = 0
        if not abs(loss) <= ABSURD:  # nor is it where it is not a number
            raise Diverged(
                f"the training loss was {loss:.4g} by step {self.step}: try a lower train.lr, or train.clip_norm"
            )
        return loss

    def _early(self, best: Best) -> bool:
        patience, target = self.settings.patience, self.settings.target
        if patience is not None and best.waited >= patience:
            return True
        return self.settings.stop_at_target and target is not None and best.reached(target)

    def _metrics(self, best: Best) -> list[Metric]:
        """What the loop itself can say: the validation scores of the weights that are kept, times, steps."""
        rows = self.curve.rows
        kept = rows[best.row if self.settings.keep == "best" and best.row >= 0 else -1]
        last = rows[-1]
        loss = kept["train_loss"]
        why = "no step was taken since the validation before" if loss is None else None
        metrics = [
            Metric(name="train_loss", value=loss, unit="nats", better="lower", reason=why),
            Metric(name="train_time_s", value=last["elapsed_s"], unit="s", better="lower"),
            Metric(name="steps", value=self.step, unit="steps", better="neither"),
            Metric(name="kept_step", value=kept["step"], unit="steps", better="neither"),
        ]
        if self.settings.target is not None:
            metrics += self._to_target(best)
        return metrics

    def _to_target(self, best: Best) -> list[Metric]:
        """Steps and seconds until the first validation that reached the target, evaluation included."""
        target = self.settings.target
        assert target is not None
        score = next(key for key in self.curve.rows[0] if key.startswith("val_"))
        scores = [(row, row[score]) for row in self.curve.rows]
        reached = [row for row, value in scores if value is not None and best.sign * value >= best.sign * target]
        reason = None if reached else f"{score} did not reach {target}; the best was {best.score}"
        first = reached[0] if reached else {"step": None, "elapsed_s": None}
        return [
            Metric(name="steps_to_target", value=first["step"], unit="steps", better="lower", reason=reason),
            Metric(name="time_to_target_s", value=first["elapsed_s"], unit="s", better="lower", reason=reason),
        ]
