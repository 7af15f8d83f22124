"""`dlbench show best`: what a search found, as words, as data and as a suite that can be run."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dlbench.cli.app import app
from dlbench.errors import UsageError
from dlbench.plan.load import load_suite
from dlbench.schema.job import DatasetRef, Entry, Job, ModelRef, TaskRef
from dlbench.schema.search import Objective, SearchBudget, StrategyEntry
from dlbench.schema.space import Axis, Point, Space
from dlbench.schema.study import StudyEvent, StudyHead, Told
from dlbench.schema.train import TrainSettings
from dlbench.store.folder import Store
from dlbench.store.studies import log, write_head, write_list
from dlbench.worker.describe import describe

TEXT = """
name: tuned
tasks: [image_classification: {dataset: digits}]
models: [mlp]
search: {space: {train.lr: {low: 1e-4, high: 1e-1, log: true}, model.dropout: [0, 0.5]}, budget: {trials: 3}}
seeds: 2
cost: false
"""
SPACE = Space(axes=(Axis(name="train.lr", low=1e-4, high=1e-1, log=True), Axis(name="model.dropout", choices=(0, 0.5))))


def searched(folder: Path, values: list[float]) -> Path:
    """A store with one study, whose candidates have these values."""
    (folder / "tuned.yaml").write_text(TEXT)
    suite = load_suite(folder / "tuned.yaml", [], describe)
    head = StudyHead(
        id="0123456789abcdef",
        suite="tuned",
        task="image_classification",
        dataset="digits",
        strategy=StrategyEntry(name="tpe", label="tpe"),
        seed=0,
        space=SPACE,
        objectives=(Objective(metric="val_accuracy", better="higher"),),
        budget=SearchBudget(trials=3),
        seeds=(1000,),
    )
    store = Store.open(folder / "store", create=True)
    job = Job(
        id="f" * 16,
        kind="train",
        task=TaskRef(name="image_classification"),
        dataset=DatasetRef(name="digits", digest="sha256:0", source="built-in", official=True),
        model=ModelRef(name="mlp"),
        train=TrainSettings(),
        seed=1000,
        splits=("val",),
    )
    with store.writer():
        store.write_suite(suite, [Entry(job=job, label="mlp #0", study=head.id, candidate=0)])
        write_head(store, head)
        write_list(store, suite.name, [head.id])
        for number, value in enumerate(values):
            point: Point = {"train.lr": 10.0 ** (number - 4), "model.dropout": 0.5}
            log(store, head.id, StudyEvent(t=0, kind="asked", number=number, point=point))
            log(store, head.id, StudyEvent(t=1, kind="told", number=number, told=Told(state="ok", values=(value,))))
    return folder / "store"


def said(*words: str) -> str:
    done = CliRunner().invoke(app, list(words), prog_name="dlbench", catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_best_in_words_and_as_data(tmp_path: Path) -> None:
    store = str(searched(tmp_path, [0.7, 0.9, 0.8]))
    words = said("show", "best", "tuned", "--store", store)
    assert "number 1 of tpe, val_accuracy 0.9" in words
    assert re.search(r"train.lr +0.001\n", words)
    assert "not yet trained" in words
    (found,) = json.loads(said("show", "best", "tuned", "--store", store, "--json"))
    assert (found["number"], found["values"], found["search"]) == (
        1,
        {"train.lr": 0.001, "model.dropout": 0.5},
        {"val_accuracy": 0.9},
    )
    assert found["retrained"] is None


def test_best_is_a_suite_that_can_be_read(tmp_path: Path) -> None:
    store = str(searched(tmp_path, [0.7, 0.9, 0.8]))
    (tmp_path / "best.yaml").write_text(said("show", "best", "tuned", "--store", store, "--yaml"))
    best = load_suite(tmp_path / "best.yaml", [], describe)
    assert best.name == "tuned_best"
    assert best.search is None
    assert (best.models[0].params, best.models[0].train) == ({"dropout": 0.5}, {"lr": 0.001})


def test_results_have_a_line_for_each_study(tmp_path: Path) -> None:
    store = str(searched(tmp_path, [0.7, 0.9]))
    assert "search on digits, tpe, seed 0: 2 candidates (2 ok), best val_accuracy 0.9" in said(
        "results", "tuned", "--store", store
    )


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["show", "best", "tuned", "x=1"], "takes no settings"),
        (["show", "best", "tuned"], "no candidate of tuned has a result yet"),
        (["show", "model", "mlp", "--yaml"], "only `dlbench show best SUITE`"),
    ],
)
def test_what_cannot_be_shown(words: list[str], problem: str, tmp_path: Path) -> None:
    store = str(searched(tmp_path, []))
    done = CliRunner().invoke(app, [*words, "--store", store], prog_name="dlbench")
    assert done.exit_code != 0
    assert problem in (done.output + str(done.exception))
    assert done.exception is None or isinstance(done.exception, UsageError | SystemExit)
