"""Training by turns: whose examples, whose parameters, when, with which optimiser; and what DARTS leaves behind."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlbench.contracts.models import Turn
from dlbench.errors import Unsupported
from dlbench.jobdir import JobDir
from dlbench.schema.job import CostPoint, DatasetRef, TaskRef
from dlbench.schema.metric import Metric
from dlbench.schema.record import Record
from dlbench.schema.train import TrainSettings
from dlbench.worker.arrange import arrange
from dlbench.worker.outputs import outputs_of
from dlbench.worker.precision import Precision, unsupported
from dlbench.worker.step import TrainStep
from dlbench.worker.train import Training
from dlbench.worker.turns import part_size, turns_of

CPU = torch.device("cpu")
FP32 = Precision("fp32", CPU)
SGD = TrainSettings(optimizer="sgd", momentum=0.0, lr=0.1, batch_size=2, epochs=1)
VALUES = (1.0, 5.0, 2.0, 7.0)


class Numbers:
    """A task of numbers; part k of n is every n-th from k on."""

    def __init__(self, values: Sequence[float] = VALUES) -> None:
        self.values = torch.tensor(values)
        self.sizes = {"train": len(values), "val": 2}
        self.asked: list[tuple[str, Any]] = []

    def batches(
        self, split: str, batch_size: int, generator: Any = None, part: tuple[int, int] | None = None
    ) -> Iterator[dict[str, Tensor]]:
        self.asked.append((split, part))
        rows = torch.arange(self.sizes[split])[slice(None) if part is None else slice(part[0], None, part[1])]
        for index in rows.split(batch_size):
            yield {"value": self.values[index], "index": index}

    def loss(self, output: Tensor, batch: dict[str, Tensor], *, label_smoothing: float = 0.0) -> Tensor:
        return (output - batch["value"].mean()) ** 2 / 2

    def predict(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        return model(batch).expand(len(batch["index"]))

    def score(self, predictions: Tensor, split: str) -> list[Metric]:
        return [Metric(name="error", value=predictions.abs().mean().item(), unit="", better="lower")]


class Pair(nn.Module):
    """a + b, trained by turns."""

    def __init__(self, **second: Any) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor(0.5)), nn.Parameter(torch.tensor(-1.0))
        self.second = {"part": (1, 2), **second}

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        return self.a + self.b

    def turns(self) -> list[Turn]:
        return [Turn("first", [self.a], part=(0, 2)), Turn("second", [self.b], **self.second)]


def trained(model: nn.Module, tmp_path: Path, task: Numbers | None = None, **settings: Any) -> Training:
    jobdir = JobDir(tmp_path)
    jobdir.artifacts.mkdir(exist_ok=True)
    given = SGD.model_copy(update={"keep": "last", **settings})
    training = Training(task or Numbers(), model, given, FP32, seed=0, jobdir=jobdir)  # type: ignore[arg-type]
    training.run()
    return training


def test_two_turns_on_two_halves_are_what_one_computes_by_hand(tmp_path: Path) -> None:
    """The second goes before the main one; each sees only its half: means 1.5 and 6."""
    model, task = Pair(settings={"lr": 0.3}), Numbers()
    training = trained(model, tmp_path, task, epochs=2)
    a, b = 0.5, -1.0
    losses = []
    for _ in range(2):
        b -= 0.3 * (a + b - 6)
        losses.append((a + b - 1.5) ** 2 / 2)
        a -= 0.1 * (a + b - 1.5)
    assert training.steps_per_epoch == 1
    assert training.step == 2
    assert (model.a.item(), model.b.item()) == pytest.approx((a, b))
    assert {part for split, part in task.asked if split == "train"} == {(0, 2), (1, 2)}
    assert [row["train_loss"] for row in training.curve.rows] == pytest.approx(losses, rel=1e-4)


def test_a_turn_that_is_taken_every_third_step(tmp_path: Path) -> None:
    model = Pair(every=3)
    model.b.register_post_accumulate_grad_hook(lambda _: counted.append(1))
    counted: list[int] = []
    trained(model, tmp_path, epochs=None, steps=8)
    assert len(counted) == 2
    assert model.b.item() != -1


def test_a_part_that_is_shorter_starts_again_while_the_epoch_goes_on(tmp_path: Path) -> None:
    task = Numbers((1.0, 2.0, 3.0, 4.0, 5.0))
    training = trained(Pair(), tmp_path, task, batch_size=1, epochs=2)
    assert training.steps_per_epoch == 3
    assert training.step == 6
    assert task.asked.count(("train", (0, 2))) == 2
    assert task.asked.count(("train", (1, 2))) == 3


def test_only_scheduled_turns_follow_the_schedule(tmp_path: Path) -> None:
    rates = {}
    for scheduled in (True, False):
        training = trained(Pair(scheduled=scheduled), tmp_path, epochs=4, schedule="linear")
        rates[scheduled] = training.take_step.others[0][1].optimizers.lr
        assert training.take_step.main.optimizers.lr < 0.05
    assert rates[True] < 0.05
    assert rates[False] == 0.1


def test_a_turn_has_settings_of_its_own_and_a_loss_of_its_own(tmp_path: Path) -> None:
    model = Pair(settings={"optimizer": "adam", "lr": 0.25, "clip_norm": None}, loss=lambda batch: -100 * model.b)
    step = trained(model, tmp_path, clip_norm=1e-3).take_step
    assert isinstance(step.others[0][1].optimizers.members[0], torch.optim.Adam)
    assert isinstance(step.main.optimizers.members[0], torch.optim.SGD)
    assert model.b.item() == pytest.approx(-0.75)
    assert model.a.item() == pytest.approx(0.5 + 0.1e-3)


def test_a_turn_leaves_no_gradient_on_the_parameters_of_others() -> None:
    seen = []
    model = Pair()
    step = TrainStep(Numbers(), model, SGD, FP32)  # type: ignore[arg-type]
    update = step.others[0][1]
    update._apply = lambda: seen.append((model.a.grad, model.b.grad))  # type: ignore[method-assign]
    batch = next(Numbers().batches("train", 2))
    update([batch])
    assert seen[0][0] is None
    assert seen[0][1] is not None


def test_accumulated_batches_reach_every_turn(tmp_path: Path) -> None:
    one, many = Pair(), Pair()
    trained(one, tmp_path, epochs=3)
    trained(many, tmp_path, epochs=3, batch_size=1, accumulate=2)
    assert one.b.item() == pytest.approx(many.b.item())
    assert one.a.item() == pytest.approx(many.a.item())


def test_a_gradient_of_its_own_is_given_both_batches_and_the_learning_rate_of_the_main_turn(tmp_path: Path) -> None:
    told: list[tuple[list[int], list[int], float]] = []

    def gradient(loss: Callable[[Any], Tensor], batch: Any, main_batch: Any, main_lr: float) -> Tensor:
        told.append((batch["index"].tolist(), main_batch["index"].tolist(), main_lr))
        model.b.grad = torch.tensor(2.0)
        return loss(batch).detach()

    model = Pair(gradient=gradient)
    trained(model, tmp_path, epochs=2, schedule="multi_step", milestones=(0.5,))
    assert told == [([1, 3], [0, 2], pytest.approx(0.1)), ([1, 3], [0, 2], pytest.approx(0.01))]
    assert model.b.item() == pytest.approx(-1 - 0.2 - 0.02)


def test_cost_jobs_step_without_feeds_and_every_turn_takes_their_batches() -> None:
    task, model = Numbers(), Pair()
    step = TrainStep(task, model, SGD, FP32)  # type: ignore[arg-type]
    step([next(task.batches("train", 4))])
    b = -1 - 0.1 * (0.5 - 1 - 3.75)
    assert model.b.item() == pytest.approx(b)
    assert model.a.item() == pytest.approx(0.5 - 0.1 * (0.5 + b - 3.75))


def never(*_: Any) -> Tensor:
    raise AssertionError


@pytest.mark.parametrize(
    ("settings", "precision", "sentence"),
    [
        ({"accumulate": 2}, "fp32", "train.accumulate: turn 'second' has a gradient of its own"),
        ({}, "bf16", "precision bf16: turn 'second' has a gradient of its own"),
    ],
)
def test_what_a_gradient_of_its_own_cannot_do_is_refused(
    settings: dict[str, Any], precision: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlbench.worker.precision.unsupported", lambda *_: None)
    given = SGD.model_copy(update=settings)
    with pytest.raises(Unsupported, match=sentence):
        TrainStep(Numbers(), Pair(gradient=never), given, Precision(precision, CPU))  # type: ignore[arg-type]
    TrainStep(Numbers(), Pair(), given, Precision(precision, CPU))  # type: ignore[arg-type]


def test_models_with_turns_are_not_compiled() -> None:
    with pytest.raises(Unsupported, match=r"train.compile: this model trains by turns"):
        arrange(Pair(), TrainSettings(compile=True), CPU)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda model: [Turn("a", [model.a]), Turn("a", [model.b])], "names of their own"),
        (lambda model: [Turn("a", [model.a]), Turn("b", [model.a])], "trained by two turns"),
        (lambda model: [Turn("a", [model.a]), Turn("b", [])], "turn 'b' needs parameters"),
        (lambda model: [Turn("a", [model.a], every=2)], "the main turn, 'a', is taken in every step"),
        (lambda model: [Turn("a", [model.a], gradient=never)], "the main turn, 'a', is taken in every step"),
    ],
)
def test_turns_that_contradict_each_other_are_an_error_of_the_model(change: Any, sentence: str) -> None:
    model = Pair()
    model.turns = lambda: change(model)  # type: ignore[method-assign]
    with pytest.raises(ValueError, match=sentence):
        turns_of(model)


def test_too_few_examples_for_all_parts_are_refused(tmp_path: Path) -> None:
    assert [part_size(5, part) for part in (None, (0, 2), (1, 2), (2, 3))] == [5, 3, 2, 1]
    with pytest.raises(Unsupported, match="only 1 examples: too few for turns over 2 parts"):
        trained(Pair(), tmp_path, Numbers((1.0,)))


def test_alternatives_are_scored_on_the_validation_split() -> None:
    class Many(Pair):
        def alternatives(self) -> Iterator[tuple[dict[str, Any], Any]]:
            for value in (1.0, float("nan"), 3.0):
                yield {"shift": value}, self.being(value)

        @contextmanager
        def being(self, value: float) -> Iterator[None]:
            before = self.b.item()
            self.b.data.fill_(value)
            try:
                yield
            finally:
                self.b.data.fill_(before)

    rows = outputs_of(Numbers(), Many(), 2, FP32)["shared"]  # type: ignore[arg-type]
    assert [row["score"] for row in rows] == [1.5, None, 3.5]
    assert outputs_of(Numbers(), Pair(), 2, FP32) == {}  # type: ignore[arg-type]


Do = Callable[..., tuple[Record, JobDir]]


@pytest.mark.parametrize("order", ["first", "second"])
def test_darts_on_digits_leaves_a_genotype_and_the_scores_of_all_cells(do_digits: Do, order: str) -> None:
    record, _ = do_digits(supernet=order)
    assert record.status == "ok", record.reason
    assert set(record.outputs) == {"genotype", "alpha", "shared"}
    genotype, alpha, shared = (record.outputs[key] for key in ("genotype", "alpha", "shared"))
    assert list(genotype) == ["edge_1_0", "edge_2_0", "edge_2_1"]
    assert len(shared) == 125
    assert sum({key: row[key] for key in genotype} == genotype for row in shared) == 1
    assert all(0 <= row["score"] <= 1 for row in shared)
    moved = torch.tensor(alpha).abs().max()
    assert moved > 0.05, "α learns"
    assert do_digits(supernet=order)[0].fingerprint == record.fingerprint


@pytest.mark.parametrize(
    ("train", "precision"),
    [
        ({"clip_norm": 1.0, "grad_checkpointing": True, "channels_last": True}, "fp32"),
        ({"optimizer": "muon", "accumulate": 2, "label_smoothing": 0.1}, "fp32"),
        ({"optimizer": "sgd", "nesterov": True, "schedule": "cosine"}, "bf16"),
    ],
)
def test_darts_goes_with_the_other_settings(do_digits: Do, train: dict[str, Any], precision: str) -> None:
    if why := unsupported(precision, CPU):
        pytest.skip(why)
    record, _ = do_digits(train=train, precision=precision, supernet="first")
    assert record.status == "ok", record.reason
    assert len(record.outputs["shared"]) == 125


def test_what_darts_cannot_do_is_skipped_with_the_reason(do_digits: Do) -> None:
    record, _ = do_digits(train={"accumulate": 2}, supernet="second")
    assert record.status == "skipped"
    assert record.reason == "train.accumulate: turn 'alpha' has a gradient of its own, of one batch at a time"


def test_the_cost_of_a_supernet_is_that_of_both_turns(do_digits: Do) -> None:
    record, _ = do_digits(cost=CostPoint(batch_size=16, phases=("train",), round=0, limit_s=0.2), supernet="first")
    assert record.status == "ok", record.reason
    assert record.metric("train_throughput") is not None


def test_a_genotype_is_trained_as_it_stands(do_digits: Do) -> None:
    record, _ = do_digits(edge_1_0="skip_connect", edge_2_0="conv_1x1", edge_2_1="conv_3x3")
    assert record.status == "ok", record.reason
    assert record.outputs == {}


@pytest.fixture
def do_digits(make_work: Callable[..., Any], tmp_path: Path) -> Do:
    """Train `nas_cell` on a few digits, in this process."""
    from dlbench.worker.work import work

    count = 0

    def run(
        train: dict[str, Any] | None = None, precision: str = "fp32", cost: CostPoint | None = None, **params: Any
    ) -> tuple[Record, JobDir]:
        nonlocal count
        count += 1
        jobdir = JobDir(tmp_path / f"digits{count}")
        todo = make_work(
            model="nas_cell",
            params={"nodes": 3, "channels": 4, "cells": 1, "stages": 1, "alpha_lr": 0.03, **params},
            train={"epochs": 2, "batch_size": 32, "lr": 0.02, **(train or {})},
            precision=precision,
            cost=cost,
        )
        sizes = {"train_size": 128, "val_size": 40, "test_size": 20}
        dataset = DatasetRef(name="digits", params=sizes, digest="sha256:0", source="built-in", official=True)
        changes = {"task": TaskRef(name="image_classification"), "dataset": dataset}
        jobdir.create(todo.model_copy(update={"job": todo.job.model_copy(update=changes)}))
        work(jobdir.path)
        record = jobdir.record()
        assert record is not None
        return record, jobdir

    return run
