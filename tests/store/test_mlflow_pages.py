"""What a person reads who only ever opens MLflow: notes, tables, saved views, best and final values, few params."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from mlflow_store import end, entry, invocation, store_with

from dlbench.schema.invocation import Sheet
from dlbench.schema.metric import Metric
from dlbench.schema.record import Artifact
from dlbench.store.folder import Store
from dlbench.store.sync import SyncReport, sync
from dlbench.store.upkeep import steps

pytestmark = pytest.mark.filterwarnings(
    "ignore:The ``noload`` loader strategy:DeprecationWarning"
)  # mlflow's use of it

LINES = [entry("lstm", 0), entry("lstm", cost=1)]
BOARD = Sheet(
    title="ag_news",
    columns=("model", "accuracy", "against baseline"),
    rows=(("gru", "91.2 % ± 0.2, n = 5", "better"), ("a|b <i>_c_", "90.1 % ± 0.3, n = 5", "baseline")),
)
COMPARED = Sheet(title="Comparisons", columns=("contender", "verdict"), rows=(("gru", "better"),))
FOUND: dict[str, Any] = {
    "verdict": "On ag_news, gru is the most accurate.",
    "caveats": ("The data is an unofficial copy.",),
    "leaderboards": (BOARD,),
    "comparisons": COMPARED,
    "scores": {"test_accuracy": "higher"},
}
NOTE = "mlflow.note.content"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_with(tmp_path / "store", LINES)


def _client(uri: str) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def _experiment(uri: str) -> Any:
    return _client(uri).get_experiment_by_name("s")


def _run(uri: str, kind: str, name: str | None = None) -> Any:
    found = _client(uri).search_runs([_experiment(uri).experiment_id], f"tags.`dlbench.kind` = '{kind}'")
    return next(run for run in found if name is None or run.info.run_name == name)


def _artifact(uri: str, run: Any, name: str) -> str:
    return Path(_client(uri).download_artifacts(run.info.run_id, name)).read_text()


def test_the_run_of_an_invocation_tells_the_comparison(store: Store, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    invocation(store, [end(store, LINES[0])], **FOUND)
    sync(store.root, uri)
    run = _run(uri, "invocation")
    assert run.data.tags[NOTE].split("\n\n") == [
        "Which one?",
        "**On ag\\_news, gru is the most accurate.**",
        "⚠ The data is an unofficial copy.",
        "| model&emsp; | accuracy&emsp; | against baseline&emsp; |\n"
        "| --- | --- | --- |\n"
        "| gru&emsp; | 91.2 % ± 0.2, n = 5&emsp; | better&emsp; |\n"
        "| a\\|b &lt;i&gt;\\_c\\_&emsp; | 90.1 % ± 0.3, n = 5&emsp; | baseline&emsp; |",
    ]
    # MLflow's own reader of its tables takes them.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    shown = {one["path"]: one["type"] for one in json.loads(run.data.tags["mlflow.loggedArtifacts"])}
    assert shown == {"leaderboard.json": "table", "comparisons.json": "table"}
    board = _client(uri).load_table(_experiment(uri).experiment_id, "leaderboard.json", [run.info.run_id])
    assert list(board["model"]) == ["gru", "a|b <i>_c_"]
    assert json.loads(_artifact(uri, run, "comparisons.json")) == {
        "columns": ["contender", "verdict"],
        "data": [["gru", "better"]],
    }


def test_a_long_table_is_cut_between_rows(store: Store, uri: str) -> None:
    rows = tuple((f"model {number}", "90.1 % ± 0.3, n = 5", "indistinguishable") for number in range(200))
    invocation(store, [end(store, LINES[0])], **{**FOUND, "leaderboards": (BOARD.model_copy(update={"rows": rows}),)})
    sync(store.root, uri)
    note = _run(uri, "invocation").data.tags[NOTE]
    assert len(note) <= 5000
    shown = note.count("indistinguishable")
    assert shown >= 30
    assert note.endswith(f"{200 - shown} more in leaderboard.json.")
    assert len(json.loads(_artifact(uri, _run(uri, "invocation"), "leaderboard.json"))["data"]) == 200


def test_several_datasets_stand_in_one_table(store: Store, uri: str) -> None:
    other = Sheet(title="sst2", columns=("model", "train/s, batch 64"), rows=(("gru", "1,200"),))
    invocation(store, [end(store, LINES[0])], **{**FOUND, "leaderboards": (BOARD, other)})
    sync(store.root, uri)
    run = _run(uri, "invocation")
    assert "**ag\\_news**" in run.data.tags[NOTE]
    table = json.loads(_artifact(uri, run, "leaderboard.json"))
    assert table["columns"] == ["dataset", "model", "accuracy", "against baseline", "train/s, batch 64"]
    assert table["data"][2] == ["sst2", "gru", "", "", "1,200"]


def test_the_experiment_tells_the_latest_verdict_and_does_not_grow(store: Store, uri: str) -> None:
    made = [end(store, line) for line in LINES]
    invocation(store, made[:1], ended_at=None, verdict=None)
    sync(store.root, uri)
    assert _experiment(uri).tags[NOTE] == "Which one?"

    invocation(store, made[:1], **FOUND)
    sync(store.root, uri)
    note = _experiment(uri).tags[NOTE]
    run = _run(uri, "invocation").info.run_id
    assert note.startswith("Which one?\n\n**On ag\\_news, gru is the most accurate.**\n\n⚠ The data")
    assert note.endswith(
        f" · [overview](#/experiments/1/runs/{run})"
        " · [Scores](#/experiments/1/runs?viewStateShareKey=dlbench-scores)"
        " · [Costs](#/experiments/1/runs?viewStateShareKey=dlbench-costs)"
    )
    before = _experiment(uri).tags
    shutil.rmtree(store.root / "mlflow")
    assert sync(store.root, uri) == SyncReport()
    assert _experiment(uri).tags == before

    invocation(store, made[1:], 2, **{**FOUND, "verdict": "Now lstm wins."})
    sync(store.root, uri)
    assert "**Now lstm wins.**" in _experiment(uri).tags[NOTE]
    assert "gru is the most accurate" not in _experiment(uri).tags[NOTE]


def test_what_a_person_wrote_about_an_experiment_stays(store: Store, uri: str) -> None:
    made = [end(store, line) for line in LINES]
    invocation(store, made[:1], **FOUND)
    sync(store.root, uri)
    client, experiment = _client(uri), _experiment(uri).experiment_id
    client.set_experiment_tag(experiment, NOTE, "Our own words.")
    client.delete_experiment_tag(experiment, "mlflow.sharedViewState.dlbench-costs")
    invocation(store, made[1:], 2, **{**FOUND, "verdict": "Now lstm wins.", "scores": {"test_bleu": "higher"}})
    sync(store.root, uri)
    tags = _experiment(uri).tags
    assert tags[NOTE] == "Our own words."
    assert "mlflow.sharedViewState.dlbench-costs" not in tags
    assert "test_bleu" in tags["mlflow.sharedViewState.dlbench-scores"]  # nobody touched that one


def test_the_note_of_an_experiment_from_before_is_taken_over_if_it_is_the_description(
    store: Store, uri: str, tmp_path: Path
) -> None:
    _client(uri).create_experiment("s", str(tmp_path / "artifacts"), tags={NOTE: "Which one?"})
    invocation(store, [end(store, LINES[0])], **FOUND)
    sync(store.root, uri)
    assert "gru is the most accurate" in _experiment(uri).tags[NOTE]


def test_an_older_store_does_not_take_the_note_back(store: Store, uri: str, tmp_path: Path) -> None:
    other = store_with(tmp_path / "other", LINES)
    invocation(other, [end(other, LINES[0])], 1, **{**FOUND, "verdict": "The old verdict."})
    invocation(store, [end(store, LINES[0])], 2, **FOUND)
    sync(other.root, uri)
    sync(store.root, uri)
    sync(other.root, uri)
    assert "gru is the most accurate" in _experiment(uri).tags[NOTE]


def test_a_memory_that_somebody_changed_is_as_good_as_none() -> None:
    for memory in ("{", "[]", '{"digests": 3}', "null"):
        tags = {NOTE: "one", "dlbench.written": memory}
        assert list(steps(tags, {NOTE: "two"}, "2")) == []
        assert dict(steps(tags, {NOTE: "two"}, "2", plain="one"))[NOTE] == "two"


def test_a_description_as_long_as_a_book_is_cut(store: Store, uri: str) -> None:
    store.write_suite(store.suite("s").model_copy(update={"description": "word " * 2000}), LINES)
    invocation(store, [end(store, LINES[0])], **FOUND)
    assert sync(store.root, uri).error is None


@pytest.mark.parametrize("last", [0, 1, 2, 3, 4])
def test_an_upkeep_killed_at_any_point_is_completed_by_the_next(last: int) -> None:
    first, second = {NOTE: "one", "view": "1"}, {NOTE: "two", "view": "2"}
    tags: dict[str, str] = dict(steps({}, first, "1"))
    tags |= dict(list(steps(tags, second, "2"))[:last])
    tags |= dict(steps(tags, second, "2"))
    assert {name: tags[name] for name in second} == second
    assert list(steps(tags, second, "2")) == []
    tags[NOTE] = "by hand"
    assert list(steps(tags, {NOTE: "three"}, "3")) == []


def test_a_saved_view_shows_few_columns_averaged_over_seeds(store: Store, uri: str) -> None:
    invocation(store, [end(store, line) for line in LINES], **FOUND)
    sync(store.root, uri)
    tags = _experiment(uri).tags
    state = json.loads(json.loads(tags["mlflow.sharedViewState.dlbench-scores"])["state"])
    assert state["groupBy"] == {
        "aggregateFunction": "average",
        "groupByKeys": [{"mode": "param", "groupByData": "label"}],
    }
    # The view's own filter, order and columns find what they name.
    client, experiment = _client(uri), _experiment(uri).experiment_id
    for key, name in (("scores", "lstm · seed 0"), ("costs", "lstm · cost b64 round 2")):
        state = json.loads(json.loads(tags[f"mlflow.sharedViewState.dlbench-{key}"])["state"])
        (run,) = client.search_runs([experiment], state["searchFilter"], order_by=[f"{state['orderByKey']} DESC"])
        assert run.info.run_name == name
        params = [one.split("`")[1] for one in state["selectedColumns"] if one.startswith("params.")]
        assert set(params) <= set(run.data.params)
        assert len(state["selectedColumns"]) <= 10
    shown = [
        one.split("`")[1]
        for one in json.loads(tags["mlflow.sharedViewState.dlbench-scores"])["state"].split('"')
        if one.startswith("metrics.")
    ]
    assert {"test_accuracy", "val_accuracy_best", "val_accuracy_final"} <= set(shown)


def test_a_run_shows_the_best_and_the_final_value_of_its_curve(store: Store, uri: str) -> None:
    made = end(
        store,
        LINES[0],
        metrics=(
            Metric(name="test_accuracy", value=0.91, unit="fraction", better="higher", n=7600),
            Metric(name="val_accuracy", value=0.95, unit="fraction", better="higher", n=100),
        ),
    )
    curve = "step,elapsed_s,train_loss,val_accuracy,val_loss\n10,1,0.9,0.8,0.7\n20,2,0.5,0.95,0.4\n30,3,0.4,0.9,0.5\n"
    (store.jobdir(*made).artifacts / "curve.csv").write_text(curve)
    invocation(store, [made])
    sync(store.root, uri)
    run = _run(uri, "train")
    values = run.data.metrics
    assert (values["val_accuracy_best"], values["val_accuracy_final"], values["val_accuracy"]) == (0.95, 0.9, 0.95)
    assert (values["val_loss_best"], values["val_loss_final"]) == (0.4, 0.5)
    (best,) = _client(uri).get_metric_history(run.info.run_id, "val_accuracy_best")
    assert (best.step, best.timestamp - run.info.start_time) == (20, 2000)
    assert [name for name in values if name.endswith(("_best", "_final")) and "train" in name] == []


def test_what_is_varied_is_a_param_even_where_it_is_switched_off(store: Store, uri: str) -> None:
    line = entry("lstm", 3, varied={"train.compile": False, "train.lr": 0.002, "model.kernels": []})
    store.write_suite(store.suite("s"), [line])
    invocation(store, [end(store, line)])
    sync(store.root, uri)
    params = _run(uri, "train").data.params
    assert (params["train.compile"], params["train.lr"], params["model.kernels"]) == ("false", "0.002", "[3, 5]")


def test_of_a_cost_job_only_settings_that_touch_costs_are_params(store: Store, uri: str) -> None:
    invocation(store, [end(store, LINES[1])])
    sync(store.root, uri)
    params = _run(uri, "cost").data.params
    assert {name: value for name, value in params.items() if name.startswith(("train.", "cost."))} == {
        "train.optimizer": "adamw",
        "cost.batch_size": "64",
        "cost.phases": '["train"]',
        "cost.round": "1",
    }


def test_a_name_tells_what_the_label_leaves_open(store: Store, uri: str) -> None:
    plain = entry("lstm", 0)
    other = entry("lstm", 1)
    lower = other.model_copy(update={"job": other.job.model_copy(update={"precision": "bf16"})})
    store.write_suite(store.suite("s"), [plain, lower])
    invocation(store, [end(store, plain), end(store, lower)], **FOUND)
    sync(store.root, uri)
    _run(uri, "train", "lstm · fp32 · seed 0")
    _run(uri, "train", "lstm · bf16 · seed 1")
    scores = json.loads(json.loads(_experiment(uri).tags["mlflow.sharedViewState.dlbench-scores"])["state"])
    assert [key["groupByData"] for key in scores["groupBy"]["groupByKeys"]] == ["label", "precision"]


def test_small_mistakes_are_attached_and_large_ones_are_not(store: Store, uri: str) -> None:
    mistakes = Artifact(path="artifacts/mistakes.json", sha256="0" * 64, role="mistakes")
    for line, size in ((LINES[0], 90_000), (entry("gru"), 2_000_000)):
        made = end(store, line, artifacts=(mistakes,))
        (store.jobdir(*made).artifacts / "mistakes.json").write_text("x" * size)
    store.write_suite(store.suite("s"), [LINES[0], entry("gru")])
    sync(store.root, uri)
    for name, files in (("lstm · seed 0", {"record.json", "mistakes.json"}), ("gru · seed 0", {"record.json"})):
        run = _run(uri, "train", name)
        assert {file.path for file in _client(uri).list_artifacts(run.info.run_id)} == files


def test_what_is_no_number_in_a_curve_is_missing_and_the_rest_is_shown(store: Store, uri: str) -> None:
    made = end(store, LINES[0])
    torn = "step,elapsed_s,val_accuracy,val_loss\n10,1,0.8,0.7\n20,?,0.9,abc\n?,3,0.1,0.1\n40,4,0.85,0.5\n50,5,0."
    (store.jobdir(*made).artifacts / "curve.csv").write_text(torn)
    invocation(store, [made])
    assert sync(store.root, uri).error is None
    run = _run(uri, "train")
    shown = {
        name: [(point.step, point.value) for point in _client(uri).get_metric_history(run.info.run_id, f"curve/{name}")]
        for name in ("val_accuracy", "val_loss")
    }
    assert shown == {"val_accuracy": [(10, 0.8), (20, 0.9), (40, 0.85)], "val_loss": [(10, 0.7), (40, 0.5)]}
    assert (run.data.metrics["val_loss_best"], run.data.metrics["val_accuracy_final"]) == (0.5, 0.85)
