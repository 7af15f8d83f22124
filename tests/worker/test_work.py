"""Jobs as a worker does them: what ends up in the record and in the folder, however the job ends."""

import csv
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from dlbench.jobdir import JobDir
from dlbench.schema.job import CostPoint
from dlbench.worker.precision import unsupported

Do = Callable[..., Any]


def curve(jobdir: JobDir) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((jobdir.artifacts / "curve.csv").read_text())))


def test_a_train_job_leaves_scores_curve_predictions_card_and_fingerprint(do: Do) -> None:
    record, jobdir = do()
    assert record.status == "ok", record.reason
    names = [metric.name for metric in record.metrics]
    assert names[:4] == ["test_accuracy", "test_loss", "val_accuracy", "val_loss"]
    accuracy = record.metric("test_accuracy")
    assert accuracy is not None
    assert accuracy.value is not None
    assert accuracy.value > 0.8
    assert (record.dataset.train, record.dataset.val, record.dataset.test) == (256, 64, 64)
    assert record.precision.ran == ("float32",)
    assert record.fingerprint is not None
    rows = curve(jobdir)
    assert [row["step"] for row in rows] == ["8", "16"]
    assert {"epoch", "elapsed_s", "lr", "train_loss", "val_accuracy"} <= set(rows[0])
    with np.load(jobdir.artifacts / "predictions.npz") as kept:
        assert (kept["target"] == kept["predicted"]).mean() == pytest.approx(accuracy.value)
    assert {a.role for a in record.artifacts} == {"curve", "predictions", "model_card"}
    assert "test_accuracy" in (jobdir.artifacts / "model_card.md").read_text()


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(do: Do) -> None:
    dropout = {"params": {"dropout": 0.3}}
    first, second, other = do(**dropout)[0], do(**dropout)[0], do(**dropout, seed=1)[0]
    assert first.fingerprint == second.fingerprint
    assert first.fingerprint != other.fingerprint
    assert first.metric("test_loss") == second.metric("test_loss")


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "muon"])
def test_every_optimizer_learns(do: Do, optimizer: str) -> None:
    record, _ = do(train={"epochs": 5, "batch_size": 32, "lr": 0.02, "optimizer": optimizer})
    assert record.status == "ok", record.reason
    assert (record.metrics[0].value or 0) > 0.8


def test_accumulated_batches_are_one_large_batch(do: Do) -> None:
    train = {"steps": 6, "lr": 0.1, "optimizer": "sgd", "momentum": 0.0, "keep": "last"}
    large, _ = do(train={**train, "batch_size": 64})
    small, _ = do(train={**train, "batch_size": 16, "accumulate": 4})
    assert small.metric("test_loss").value == pytest.approx(large.metric("test_loss").value, rel=1e-5)  # type: ignore[union-attr]
    assert small.metric("steps").value == 6  # type: ignore[union-attr]


def test_bf16_runs_in_bf16_and_says_so(do: Do) -> None:
    if why := unsupported("bf16", torch.device("cpu")):
        pytest.skip(why)
    record, _ = do(precision="bf16")
    assert record.precision.ran == ("bfloat16",)
    assert (record.metrics[0].value or 0) > 0.8


def test_what_the_device_lacks_is_skipped_with_the_reason(do: Do) -> None:
    record, _ = do(precision="tf32")
    assert record.status == "skipped"
    assert "tensor cores" in (record.reason or "")
    record, _ = do(device="cuda:7")
    assert record.status == "skipped"
    assert "cuda:7" in (record.reason or "")


@pytest.mark.parametrize(("how", "status"), [("infinite", "diverged"), ("error", "failed"), ("memory", "oom")])
def test_a_job_that_cannot_end_well_says_why(do: Do, how: str, status: str) -> None:
    record, _ = do(model="explodes", params={"how": how})
    assert record.status == status, record.reason
    assert record.reason
    assert "\n" not in record.reason


def test_a_loss_that_no_training_comes_back_from_is_divergence_although_it_is_finite(do: Do) -> None:
    record, _ = do(train={"epochs": 3, "batch_size": 32, "lr": 1e6, "optimizer": "sgd", "evaluate_every": 1})
    assert record.status == "diverged"
    assert "the training loss was" in (record.reason or "")
    assert "nan" not in (record.reason or "")


def test_the_best_weights_are_scored_unless_the_last_are_asked_for(do: Do) -> None:
    train = {"epochs": 6, "batch_size": 32, "lr": 3.0, "optimizer": "sgd", "momentum": 0.9}  # jumps about
    best, folder = do(train=train)
    last, _ = do(train={**train, "keep": "last"})
    scores = [float(row["val_accuracy"]) for row in curve(folder)]
    assert best.metric("val_accuracy").value == max(scores)  # type: ignore[union-attr]
    assert last.metric("val_accuracy").value == scores[-1]  # type: ignore[union-attr]
    assert max(scores) > scores[-1], "this recipe was chosen because it ends below its best"


def test_time_and_steps_to_target_count_from_the_first_step_to_the_validation_that_reached_it(do: Do) -> None:
    record, folder = do(train={"epochs": 20, "batch_size": 32, "lr": 0.01, "target": 0.8, "stop_at_target": True})
    rows = curve(folder)
    assert float(rows[-1]["val_accuracy"]) >= 0.8
    assert all(float(row["val_accuracy"]) < 0.8 for row in rows[:-1])
    assert record.metric("steps_to_target").value == float(rows[-1]["step"])  # type: ignore[union-attr]
    assert record.metric("time_to_target_s").value == float(rows[-1]["elapsed_s"])  # type: ignore[union-attr]
    missed, _ = do(train={"epochs": 1, "batch_size": 32, "lr": 1e-6, "target": 0.999})
    steps = missed.metric("steps_to_target")
    assert steps is not None
    assert steps.value is None
    assert "did not reach" in (steps.reason or "")


def test_patience_ends_training_early(do: Do) -> None:
    record, folder = do(train={"epochs": 50, "batch_size": 32, "lr": 1e-12, "patience": 3})
    rows = curve(folder)
    assert len(rows) == 4
    assert record.metric("steps").value == 32  # type: ignore[union-attr]


def test_a_budget_in_seconds_ends_by_the_clock(do: Do) -> None:
    record, _ = do(train={"seconds": 0.3, "batch_size": 32, "schedule": "cosine"})
    assert 0.3 <= record.metric("train_time_s").value < 3  # type: ignore[union-attr, operator]
    assert record.metric("steps").value > 10  # type: ignore[union-attr, operator]


def test_a_checkpoint_holds_the_scored_weights(do: Do) -> None:
    _, folder = do(train={"epochs": 1, "checkpoint": True})
    weights = torch.load(folder.path / "checkpoint.pt", weights_only=True)
    assert weights["0.weight"].shape == (16, 8)


def test_a_cost_job_measures_every_phase(do: Do) -> None:
    point = CostPoint(batch_size=16, phases=("train", "infer"), round=0)
    record, _ = do(cost=point)
    assert record.status == "ok", record.reason
    values = {metric.name: metric for metric in record.metrics}
    assert {
        "parameters",
        "trainable_parameters",
        "flops_per_sample",
        "train_throughput",
        "infer_throughput",
        "infer_latency_p50_ms",
        "infer_latency_p90_ms",
        "infer_latency_p99_ms",
        "train_peak_memory_bytes",
        "infer_peak_memory_bytes",
    } <= set(values)
    assert values["parameters"].value == 8 * 16 + 16 + 16 * 3 + 3
    assert values["flops_per_sample"].value == 2 * (8 * 16 + 16 * 3)
    assert values["infer_throughput"].raw is not None
    assert len(values["infer_throughput"].raw) >= 5
    assert values["train_throughput"].value < values["infer_throughput"].value  # type: ignore[operator]


def test_a_batch_larger_than_the_data_cannot_be_measured_and_says_so(do: Do) -> None:
    record, _ = do(cost=CostPoint(batch_size=100_000, phases=("infer",), round=0))
    assert record.status == "failed"
    assert "fewer than 100000 examples" in (record.reason or "")


def test_stop_ends_the_job_as_interrupted(do: Do, make_work, tmp_path) -> None:  # type: ignore[no-untyped-def]
    from dlbench.worker.work import work

    jobdir = JobDir(tmp_path / "stopped")
    jobdir.create(make_work(train={"seconds": 60, "batch_size": 32}))
    jobdir.ask_to_stop()
    work(jobdir.path)
    record = jobdir.record()
    assert record is not None
    assert record.status == "interrupted"
    assert record.duration_s < 10
