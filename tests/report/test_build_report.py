"""The files of a report: whole, small, and there for every kind of suite."""

import re
from pathlib import Path

import pandas as pd
import pytest
from synthetic import costs, job, quality, result, suite
from synthetic_news import news

from dlbench.analyze.results import Results
from dlbench.report.build import build_report
from dlbench.schema.record import Result


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("news")
    results = Results(suite(report={"baseline": "lstm"}), news(folder / "jobs"))
    return build_report(results, folder / "report").parent


def test_a_report_has_its_files(report: Path) -> None:
    text = (report / "report.md").read_text()
    linked = set(re.findall(r"\]\(figures/([^)]+)\)", text))
    assert linked == {path.name for path in (report / "figures").glob("*.svg")}
    for name in linked:
        svg = report / "figures" / name
        assert svg.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
        assert svg.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    expected = {"scores", "learning_epochs", "learning_seconds", "loss_epochs", "infer_throughput"}
    assert {f"{figure}_ag-news.svg" for figure in expected} <= linked
    sections = re.findall(r"^## (.+)", text, re.MULTILINE)
    assert sections[:3] == ["Verdict", "Leaderboard", "Comparisons"]
    assert sections[-1] == "How it was measured"
    assert (report / "index.html").stat().st_size < 3e6


def test_every_job_is_in_the_data_files(report: Path) -> None:
    rows = pd.read_parquet(report / "results.parquet")
    assert len(rows) == len(pd.read_csv(report / "results.csv")) == 75
    scores = rows[rows["kind"] == "train"].groupby("label")["test_accuracy"].mean()
    assert scores.idxmin() == "rnn"


def test_tables_are_there_for_a_paper(report: Path) -> None:
    assert {path.name for path in (report / "tables").iterdir()} >= {"leaderboard.tex", "comparisons.tex"}
    text = (report / "tables" / "leaderboard.tex").read_text()
    assert text.count("\\\\\n") == 6
    assert r"\label{tab:leaderboard}" in text
    assert r"\% $\pm$" in text


def test_the_leaderboard_tells_the_truth(report: Path) -> None:
    text = (report / "report.md").read_text()
    board = text.partition("## Leaderboard")[2].partition("##")[0]
    names = re.findall(r"^\| (\w+) \| [\d.]+ % ± [\d.]+ \| 5 \|", board, re.MULTILINE)
    assert set(names) == {"linear", "rnn", "lstm", "gru", "transformer"}
    assert names[-1] == "rnn"
    assert re.search(r"\| lstm \| .* \| baseline \|", board)
    assert re.search(r"\| rnn \| .* \| worse \(−\d\.\d points\) \|", board)


def test_a_report_replaces_the_pictures_of_the_one_before(report: Path, tmp_path: Path) -> None:
    old = tmp_path / "figures" / "old.svg"
    old.parent.mkdir()
    old.write_text("<svg/>")
    build_report(Results(suite(), []), tmp_path)
    assert not old.exists()


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ([], "The suite has no jobs yet."),
        (quality("a", [None, None]), "2 of 2 jobs have no result: 2 not run yet."),
        (quality("a", [0.9]), "there is nothing yet to compare it with"),
        ([result(job("a"), "a", status="oom", reason="needs 9 GB")], "needs 9 GB"),
        (quality("a", [0.9], skipped="bf16 has no kernel on this CPU"), "bf16 has no kernel on this CPU"),
        (quality("a", [0.9], flags=("other load 1.3",)), "other load 1.3"),
        ([*quality("a", [0.9, 0.9]), *quality("b", [0.8, None])], "nothing is ranked yet"),
        (costs("a", {"infer_throughput": [100.0]}), "costs of one contender alone are known"),
    ],
)
def test_unfinished_suites_have_a_report(results: list[Result], said: str, tmp_path: Path) -> None:
    index = build_report(Results(suite(), results), tmp_path)
    assert said in (tmp_path / "report.md").read_text()
    assert said in index.read_text()
    assert (tmp_path / "results.csv").is_file()


def test_the_page_of_two_hundred_jobs_is_small(tmp_path: Path) -> None:
    models = ("linear", "rnn", "lstm", "gru", "transformer")
    results = [
        one
        for length in (30, 60, 100)
        for one in news(
            tmp_path / str(length),
            rounds=5,
            models=models[1:],
            dataset={"name": "temporal_order", "params": {"length": length}, "source": "built-in"},
            varied={"dataset.length": length},
        )
    ] + news(tmp_path / "news")
    assert len(results) >= 200
    index = build_report(Results(suite(), results), tmp_path / "report")
    assert index.stat().st_size < 3e6
    assert "varied_dataset_length" in (tmp_path / "report" / "report.md").read_text()


def test_values_of_an_axis_are_not_rounded(tmp_path: Path) -> None:
    results = [
        one
        for size in (32, 128)
        for one in quality(f"a batch_size={size}", [0.9, 0.91], varied={"train.batch_size": size})
    ]
    build_report(Results(suite(), results), tmp_path)
    (svg,) = (tmp_path / "figures").glob("varied_train_batch_size_*.svg")
    assert {">32<", ">128<"} <= set(re.findall(r">\d+<", svg.read_text()))


def test_the_suite_lies_beside_its_report(tmp_path: Path) -> None:
    build_report(Results(suite(), quality("a", [0.9]), written="schema: 1\nname: synthetic\n"), tmp_path)
    assert (tmp_path / "suite.yaml").read_text() == "schema: 1\nname: synthetic\n"
    assert "```yaml\nschema: 1\nname: synthetic\n```" in (tmp_path / "report.md").read_text()


def test_two_grids_over_the_same_settings_have_maps_of_their_own(tmp_path: Path) -> None:
    settings = [(size, width) for size in (32, 64) for width in (8, 16)]
    results = []
    for size, width in settings:
        own = {"model.hidden_size": size, "model.embedding_size": width}
        label = f"hidden_size={size} embedding_size={width}"
        results += quality(f"lstm {label}", [0.8, 0.801], varied=own)
        results += quality(f"gru {label} dropout=0", [0.7, 0.701], varied={**own, "model.dropout": 0})
    build_report(Results(suite(), results), tmp_path)
    maps = sorted(path.name for path in (tmp_path / "figures").glob("effects_*.svg"))
    assert len(maps) == 2
    told = [re.findall(r">(\d\d\.\d%)<", (tmp_path / "figures" / name).read_text()) for name in maps]
    assert [{cell[:2] for cell in cells} for cells in told] == [{"80"}, {"70"}]


def test_figures_of_one_name_do_not_replace_one_another(tmp_path: Path) -> None:
    plugin = tmp_path / "twice.py"
    plugin.write_text(
        """\"\"\"The same name twice.\"\"\"
from dlbench.schema.blocks import Figure, Section
from dlbench.sections import _charts

POSITION = 5

def figure(word):
    layer = {"mark": {"type": "text"}, "encoding": {"text": {"field": "model"}}}
    return Figure(name="same", title=word, alt=word, caption="", spec=_charts.chart([{"model": word}], [layer]))

def build(results):
    return Section(title="Twice", anchor="twice", blocks=(figure("one"), figure("two")))
"""
    )
    build_report(Results(suite(plugins={"sections": [str(plugin)]}), quality("a", [0.9])), tmp_path / "report")
    figures = tmp_path / "report" / "figures"
    assert ">one<" in (figures / "same.svg").read_text()
    assert ">two<" in (figures / "same_2.svg").read_text()
