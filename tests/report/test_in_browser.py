"""The page in a real browser: every chart is drawn, nothing is logged, nothing is asked of the network."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from poison import poisoned
from studies import arena_results, recipe_results
from synthetic import quality, suite
from synthetic_costs import checkpointed, everything
from synthetic_news import news

from dlbench.analyze.results import Results
from dlbench.report.build import build_report

BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --enable-logging=stderr --virtual-time-budget=30000"
)


pytestmark = [pytest.mark.browser, pytest.mark.skipif(BROWSER is None, reason="no Chromium here")]


def seen(page: Path, profile: Path) -> str:
    """The page's elements once its scripts have run; nothing may have been logged on the way."""
    assert BROWSER is not None
    done = subprocess.run(
        [BROWSER, *FLAGS.split(), f"--user-data-dir={profile}", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "CONSOLE" not in done.stderr, done.stderr
    return done.stdout


def acted(index: Path, script: str) -> Path:
    """A copy of a page whose reader does something once all charts are drawn."""
    before, after = index.read_text().rsplit("</body>", 1)
    wait = "const all = () => document.querySelectorAll('.chart:not(.drawn)').length"
    act = f"<script>{wait}; const act = () => all() ? setTimeout(act, 100) : (() => {{{script}}})(); act();</script>"
    page = index.with_name("acted.html")
    page.write_text(f"{before}{act}</body>{after}")
    return page


@pytest.mark.parametrize("kind", ["news", "poisoned", "search", "arena", "costs", "costs alone"])
def test_every_chart_is_drawn(kind: str, tmp_path: Path) -> None:
    made = {
        "news": lambda: Results(suite(), news(tmp_path / "jobs")),
        "poisoned": lambda: Results(suite(), poisoned()),
        "search": recipe_results,
        "arena": lambda: arena_results(3),
        "costs": lambda: Results(suite(), everything()),
        "costs alone": lambda: Results(suite(), checkpointed()),
    }
    page = seen(build_report(made[kind](), tmp_path / "report"), tmp_path / "profile")
    charts = len(re.findall(r'class="chart', page))
    assert charts >= 3
    assert len(re.findall(r'class="chart drawn"', page)) == charts


@pytest.mark.parametrize(
    "chosen",
    [
        """document.querySelector(".models button[data-series=lstm]").click()""",
        """document.querySelector("td button[data-series=lstm]").click()""",
        """[...document.querySelectorAll(".role-legend-label text")].find((text) => text.textContent === "lstm")
             .dispatchEvent(new MouseEvent("click", { bubbles: true }))""",
    ],
    ids=["in the list", "in a table", "in a legend"],
)
def test_a_model_that_is_picked_stands_out_everywhere(chosen: str, tmp_path: Path) -> None:
    index = build_report(Results(suite(), news(tmp_path / "jobs")), tmp_path / "report")
    page = seen(acted(index, chosen), tmp_path / "profile")
    charts = page.split('class="chart drawn"')[1:]
    assert len(charts) >= 8
    of_models = [chart for chart in charts if "Confusion matrix" not in chart.partition(">")[0]]
    faded = [set(re.findall(r'opacity="(0\.[01]\d*)"', chart)) & {"0.12", "0.054", "0.102"} for chart in of_models]
    assert all(faded)
    pressed = set(re.findall(r'data-series="([^"]+)" aria-pressed="true"', page))
    assert pressed == {"lstm"}
    assert re.search(r'<tr class="picked">\s*<td[^>]*><button[^>]* data-series="lstm"', page)


def test_rows_can_be_filtered_and_charts_read_as_tables(tmp_path: Path) -> None:
    results = Results(suite(), [one for name in "abcdefgh" for one in quality(name, [0.9, 0.91])])
    index = build_report(results, tmp_path / "report")
    script = """
      const field = document.querySelector(".filter input");
      field.value = "c"; field.dispatchEvent(new Event("input"));
      document.querySelector("details.data").open = true;"""
    page = seen(acted(index, script), tmp_path / "profile")
    board = page.partition('id="leaderboard"')[2]
    assert "<output>1 of 8 rows</output>" in board
    assert len(re.findall(r'<tr hidden="">', board.partition("</table>")[0])) == 7
    assert re.search(r'<details class="data"[^>]* open="">.*?<td>a</td>', page, re.DOTALL)
