"""Every suite that is shipped runs: a smoke run of each, without network, exits with 0 and leaves nothing behind."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from commands import run

from dlbench.plan.smoke import BATCH, CANDIDATES, COST_BATCH, QUICK, SIZES, STEPS, smoke
from dlbench.schema.search import SearchBudget, SearchSettings, StrategyEntry
from dlbench.schema.suite import CostSettings, DatasetEntry, ModelEntry, Suite, TaskEntry
from dlbench.worker.describe import describe

ROOT = Path(__file__).parents[1]
SUITES = sorted((ROOT / "suites").glob("*.yaml"))


@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.stem)
def test_shipped_suite_runs(path: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    temporary = tmp_path_factory.mktemp("tmp")
    done = run(["run", str(path), "--smoke", "--offline"], tmp_path, {**os.environ, "TMPDIR": str(temporary)})
    assert done.code == 0, done.out + done.err
    assert f"{path.stem}: " in done.err
    assert "failed" not in done.err
    assert list(tmp_path.iterdir()) == []


def ask(requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return describe(list(requests))


def test_smoke_takes_little_data_where_its_size_can_be_chosen() -> None:
    sizes = {"train_size": 9, "test_size": 5000}
    datasets = (DatasetEntry(name="ag_news"), DatasetEntry(name="reverse", params={"max_length": 7, **sizes}))
    (task,) = smoke(Suite(name="s", tasks=(TaskEntry(name="translation", dataset=datasets),)), ask).tasks
    assert task.dataset == (
        DatasetEntry(name="ag_news"),
        DatasetEntry(name="reverse", params={"max_length": 7, **SIZES, "train_size": 9}),
    )


def test_smoke_takes_one_small_job_of_each_kind() -> None:
    suite = Suite(
        name="large",
        tasks=(
            TaskEntry(name="t", models=(ModelEntry(name="m", train={"lr": 1.0, "seconds": 9}),), train={"epochs": 9}),
        ),
        models=(ModelEntry(name="n", vary={"train.epochs": (1, 2), "model.size": (3, 4)}),),
        train={"epochs": 100, "batch_size": 256, "target": 0.9, "patience": 3, "optimizer": "sgd"},
        vary={"train.steps": (10, 20), "precision": ("fp32", "bf16")},
        seeds=(3, 4, 5),
        cost=CostSettings(batch_sizes=(64, 512), phases=("train", "infer"), rounds=9),
        budget_s=60,
        search=SearchSettings(
            strategies=(StrategyEntry(name="darts", label="d", params={"order": "first", "epochs": 200}, times=2),),
            studies=(0, 1),
            seeds=(5, 6),
            table="t",
        ),
    )
    small = smoke(suite, ask)
    assert small.train == {"optimizer": "sgd", "steps": STEPS, "batch_size": BATCH}
    assert small.seeds == (3,)
    assert small.cost == CostSettings(batch_sizes=(COST_BATCH,), phases=("train", "infer"), **QUICK)
    assert small.budget_s is None
    assert small.search is not None
    assert small.search.strategies == (
        StrategyEntry(name="darts", label="d", params={"order": "first", "epochs": None}),
    )
    assert small.search.budget == SearchBudget(trials=CANDIDATES)
    assert (small.search.studies, small.search.seeds, small.search.table) == ((0,), (5,), None)
    (task,) = small.tasks
    assert task.train == {}
    assert task.models is not None
    assert task.models[0].train == {"lr": 1.0}
    assert "train.steps" not in small.vary
    assert "train.epochs" not in small.models[0].vary
    assert smoke(suite.model_copy(update={"cost": None}), ask).cost is None
    assert smoke(suite.model_copy(update={"cost": CostSettings(batch_sizes=(1, 64))}), ask).cost.batch_sizes == (1,)
