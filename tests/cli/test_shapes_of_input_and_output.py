"""Whole runs of tasks whose answers are no single class: names that are spelled, and a tag for each token."""

import numpy as np
import pytest
from terminal import Terminal, environment

TASKS = [
    {"captioning": {"dataset": {"digits": {"train_size": 700, "val_size": 60, "test_size": 80}}}},
    {"tagging": {"dataset": {"brackets": {"max_length": 12, "train_size": 400, "val_size": 60, "test_size": 80}}}},
]


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    terminal = Terminal(tmp_path_factory.mktemp("shapes"), environment(tmp_path_factory.getbasetemp()))
    suite = terminal.write(
        "shapes",
        tasks=TASKS,
        models=[{"gru": {"hidden_size": 48, "embedding_size": 16}}, {"lstm": {"hidden_size": 48}}],
        train={"epochs": 8, "batch_size": 32, "lr": 0.01, "label_smoothing": 0.02},
        vary={"precision": ["fp32", "int8"]},
    )
    said = terminal("run", suite, "--no-mlflow")
    assert "shapes: 8 ok" in said.err
    return terminal


def test_both_learn_and_tell_scores_of_their_kind(shapes: Terminal) -> None:
    for record in shapes.records("shapes"):
        scores = {metric["name"]: metric["value"] for metric in record["metrics"] if metric["name"].startswith("test_")}
        if record["task"]["name"] == "captioning":
            assert list(scores)[:3] == ["test_exact_match", "test_chrf", "test_perplexity"]
            assert scores["test_exact_match"] > 0.8
            assert scores["test_perplexity"] < 2
        else:
            assert list(scores)[:3] == ["test_accuracy", "test_exact_match", "test_loss"]
            assert scores["test_exact_match"] <= scores["test_accuracy"] > 0.9


def test_what_is_kept_counts_to_the_scores(shapes: Terminal) -> None:
    for record in shapes.records("shapes"):
        folder = shapes.folder / ".dlbench" / "jobs" / record["id"] / str(record["attempt"])
        columns = np.load(folder / "artifacts" / "predictions.npz")
        scores = {metric["name"]: metric["value"] for metric in record["metrics"]}
        assert scores["test_exact_match"] == pytest.approx(columns["exact"].mean())
        if record["task"]["name"] == "tagging":
            assert scores["test_accuracy"] == pytest.approx(columns["correct"].sum() / columns["source_length"].sum())
        else:
            assert (folder / "artifacts" / "samples.json").exists()


def test_report_shows_pictures_with_what_was_written_and_both_own_scores(shapes: Terminal) -> None:
    report = (shapes.folder / "reports" / "shapes" / "report.md").read_text()
    assert "xact match" in report
    assert "ccuracy" in report
    assert "to be written as " in report
    assert "samples_" in report
    assert "By length of the source" in report
    assert report.count("A second opinion, over test examples") == 2


def test_a_task_without_a_phase_keeps_the_costs_of_all_others(terminal: Terminal) -> None:
    suite = terminal.write(
        "phases",
        tasks=TASKS,
        models=[{"gru": {"hidden_size": 16}}],
        seeds=0,
        cost={"batch_sizes": [8], "phases": ["train", "decode"], "rounds": 1, "limit_s": 0.05},
    )
    said = terminal("run", suite, "--no-mlflow")
    assert "phases: 2 ok" in said.err
    for record in terminal.records("phases"):
        found = {metric["name"]: metric for metric in record["metrics"]}
        assert found["train_throughput"]["value"] > 0
        if record["task"]["name"] == "captioning":
            assert found["decode_throughput"]["value"] > 0
        else:
            assert found["decode_throughput"]["value"] is None
            assert found["decode_throughput"]["reason"] == "task 'tagging' has no such phase"
