"""The page in a real browser: every chart is drawn, nothing is logged, nothing is asked of the network."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from poison import poisoned
from studies import arena_results, recipe_results
from synthetic import suite
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


@pytest.mark.browser
@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
@pytest.mark.parametrize("kind", ["news", "poisoned", "search", "arena", "costs", "costs alone"])
def test_every_chart_is_drawn(kind: str, tmp_path: Path) -> None:
    assert BROWSER is not None
    made = {
        "news": lambda: Results(suite(), news(tmp_path / "jobs")),
        "poisoned": lambda: Results(suite(), poisoned()),
        "search": recipe_results,
        "arena": lambda: arena_results(3),
        "costs": lambda: Results(suite(), everything()),
        "costs alone": lambda: Results(suite(), checkpointed()),
    }
    index = build_report(made[kind](), tmp_path / "report")
    done = subprocess.run(
        [BROWSER, *FLAGS.split(), f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", index.as_uri()],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    charts = len(re.findall(r'class="chart', done.stdout))
    assert charts >= 3
    assert len(re.findall(r'class="chart drawn"', done.stdout)) == charts
    assert "CONSOLE" not in done.stderr, done.stderr
