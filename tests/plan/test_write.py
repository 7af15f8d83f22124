"""What is written as YAML reads as the same suite, and looks as a person would have written it."""

from pathlib import Path

import pytest

from dlbench.plan.best import best_suite
from dlbench.plan.load import load_suite
from dlbench.plan.write import number_text, write_suite
from dlbench.schema.search import Objective, SearchBudget, StrategyEntry
from dlbench.schema.space import Axis, Point, Space
from dlbench.schema.study import StudyHead
from dlbench.schema.suite import Suite
from dlbench.worker.describe import describe

SUITES = sorted((Path(__file__).parents[2] / "suites").glob("*.yaml"))


def read(text: str, folder: Path) -> Suite:
    path = folder / "written.yaml"
    path.write_text(text, encoding="utf-8")
    return load_suite(path, [], describe)


@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.stem)
def test_a_written_suite_reads_as_the_same(path: Path, tmp_path: Path) -> None:
    suite = load_suite(path, [], describe)
    text = write_suite(suite)
    assert read(text, tmp_path) == suite
    assert "!!" not in text
    assert max(map(len, text.splitlines())) < 200


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e-3, "1e-3"), (0.01, "0.01"), (3.2e-4, "3.2e-4"), (0.1, "0.1"), (1.0, "1.0"), (0.0, "0.0"), (1e-5, "1e-5"),
     (0.0012345678901234567, "1.2345678901234567e-3"), (-2e-3, "-2e-3"), (1e20, "1e20"), (182.5, "182.5")],
)  # fmt: skip
def test_numbers_are_written_as_people_do(value: float, text: str) -> None:
    assert number_text(value) == text
    assert float(text) == value


def test_text_that_looks_like_something_else_is_quoted(tmp_path: Path) -> None:
    suite = read("name: a\ntasks: [text_classification: {dataset: temporal_order}]\nmodels: [linear]\n", tmp_path)
    for text in (
        "1e-3",
        "null",
        "yes",
        ".inf",
        "a: b",
        "x # y",
        "- a",
        "0x10",
        "é",
        " padded ",
        "'",
        '"',
        "{a}",
        "~",
        "*a",
        "\\n",
    ):
        told = suite.model_copy(update={"description": text})
        assert read(write_suite(told), tmp_path).description == text


SPACE = Space(
    axes=(
        Axis(name="model", choices=("lstm", "gru")),
        Axis(name="lstm/model.hidden_size", choices=(32, 64), when={"model": ("lstm",)}),
        Axis(name="train.lr", low=1e-4, high=1e-1, log=True),
        Axis(name="precision", choices=("fp32", "bf16")),
        Axis(name="task.max_length", low=16, high=64, integer=True),
        Axis(name="dataset.length", choices=(10, 20)),
    )
)


def head(task: str = "text_classification", dataset: str = "temporal_order") -> StudyHead:
    return StudyHead(
        id="x",
        suite="mine",
        task=task,
        dataset=dataset,
        strategy=StrategyEntry(name="tpe", label="tpe"),
        seed=0,
        space=SPACE,
        objectives=(Objective(metric="val_accuracy", better="higher"),),
        budget=SearchBudget(trials=3),
        seeds=(1000,),
    )


MINE = """
name: mine
tasks: [text_classification: {dataset: [ag_news, {temporal_order: {train_size: 400}}]}]
models: [{model: lstm, train: {steps: 5}}, {gru: {layers: 1}}]
train: {epochs: 3, lr: 1e-3}
vary: {train.batch_size: [32, 64]}
exclude: [{model: gru, train.batch_size: 32}]
search: {space: {train.lr: {low: 1e-4, high: 1e-1, log: true}}, budget: {trials: 4}}
seeds: 5
report: {baseline: gru}
"""


def test_the_best_candidate_is_written_into_its_suite(tmp_path: Path) -> None:
    suite = read(MINE, tmp_path)
    point: Point = {
        "model": "lstm", "lstm/model.hidden_size": 64, "train.lr": 0.0123, "precision": "bf16",
        "task.max_length": 32, "dataset.length": 20,
    }  # fmt: skip
    best = best_suite(suite, [(head(), point)])
    text = write_suite(best)
    assert read(text, tmp_path) == best
    assert (best.name, best.search, best.precision, best.report.baseline) == ("mine_best", None, "bf16", None)
    (model,) = best.models
    assert (model.label, model.params, model.train) == ("lstm", {"hidden_size": 64}, {"steps": 5, "lr": 0.0123})
    (task,) = best.tasks
    assert task.params == {"max_length": 32}
    assert [one.params for one in task.dataset] == [{}, {"train_size": 400, "length": 20}]
    assert best.vary == suite.vary
    assert best.exclude == ()
    assert best.seeds == suite.seeds
    assert "search" not in text


def test_tasks_have_winners_of_their_own(tmp_path: Path) -> None:
    suite = read(MINE.replace("tasks: [", "tasks: [text_classification: {dataset: sst2}, "), tmp_path)
    one: Point = {"model": "lstm", "train.lr": 0.5, "precision": "bf16"}
    two: Point = {"model": "gru", "train.lr": 0.25, "precision": "fp32"}
    best = best_suite(suite, [(head(dataset="sst2"), one), (head(), two)])
    assert read(write_suite(best), tmp_path) == best
    assert best.models == ()
    labels = [[(m.label, m.train["lr"], m.vary["precision"]) for m in task.models or ()] for task in best.tasks]
    assert labels == [[("lstm", 0.5, ("bf16",))], [("gru", 0.25, ("fp32",))]]
