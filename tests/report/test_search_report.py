"""Reports of suites with searches: complete, escaped, quick with many candidates, and light without any."""

import subprocess
import sys
from pathlib import Path

import pytest
from studies import arena_results, cases, recipe_results, recipe_study
from synthetic import quality, suite

from dlbench.analyze.results import Results
from dlbench.report.build import build_report
from dlbench.schema.search import PrunerEntry

ANCHORS = ("search", "search-history", "search-importance", "search-candidates", "search-slices")


def test_a_report_shows_what_a_study_found(tmp_path: Path) -> None:
    build_report(recipe_results(), tmp_path)
    page, text = (tmp_path / "index.html").read_text(), (tmp_path / "report.md").read_text()
    for anchor in (*ANCHORS, "search-front"):
        assert f'<section id="{anchor}"' in page
    assert "search-arena" not in page
    assert "tpe tried 60 candidates (41 finished, 9 pruned, 8 infeasible and 2 failed)" in text
    assert "better than lstm (88.2 %)" in text
    assert "Failures and gaps" not in text
    assert "Candidates without a result" in text
    assert len(list((tmp_path / "figures").glob("search_*.svg"))) >= 9


def test_a_report_compares_strategies(tmp_path: Path) -> None:
    build_report(arena_results(3), tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "4 strategies" not in text
    assert "5 strategies tried all 125 candidates in 13 studies" in text
    for label in ("random-2x", "evolution", "darts"):
        assert f"To reach the best 2 % on ag_news, {label}" in text
    assert "Kendall tau-b" in text
    assert (tmp_path / "figures" / "search_shared_ag-news.svg").exists()


def test_hyperband_is_held_to_a_quarter_of_random_searchs_epochs(tmp_path: Path) -> None:
    results = arena_results(3)
    pruner = PrunerEntry(name="hyperband")
    for study in results.studies:
        if study.head.strategy.label == "evolution":
            object.__setattr__(study, "head", study.head.model_copy(update={"pruner": pruner}))
    build_report(results, tmp_path)
    sentences = [line for line in (tmp_path / "report.md").read_text().splitlines() if "To reach the best" in line]
    held = [line for line in sentences if "a quarter of random's epochs" in line]
    assert [line for line in sentences if ", evolution" in line] == held
    ratio = float(held[0].partition("epochs: ")[2].partition(" times")[0].removesuffix("×"))
    assert ("also manages" in held[0]) == (ratio <= 0.25)


@pytest.mark.parametrize("name", ["not begun", "none ok", "half", "odd names", "no default"])
def test_any_search_has_a_report(name: str, tmp_path: Path) -> None:
    index = build_report(cases()[name], tmp_path)
    page = index.read_text()
    assert "<b>x|y</b>" not in page
    assert "&lt;b&gt;x|y&lt;/b&gt;" in page or name != "odd names"


def test_the_page_of_five_thousand_candidates_is_small(tmp_path: Path) -> None:
    results = Results(suite(), quality("lstm", [0.9] * 5), [recipe_study(5000)])
    index = build_report(results, tmp_path)
    assert index.stat().st_size < 4e6
    assert "2,000 are drawn" in (tmp_path / "report.md").read_text()


def test_a_report_without_a_study_never_imports_optuna(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from synthetic import quality, suite\n"
        "from dlbench.analyze.results import Results; from dlbench.report.build import build_report\n"
        f"build_report(Results(suite(), quality('a', [0.9, 0.8])), Path({str(tmp_path)!r}))\n"
        "print('optuna' in sys.modules)"
    )
    here = str(Path(__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", code], cwd=here, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
