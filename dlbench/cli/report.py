"""`dlbench report`: pages from the store."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dlbench.cli.console import data, say
from dlbench.cli.options import STORE, Out, Store, Suite

if TYPE_CHECKING:
    from dlbench.analyze.results import Results
    from dlbench.store.folder import Store as Folder


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: dlbench report rnn_vs_transformer --out /tmp/report")(report)


def report(suite: Suite, store: Store = STORE, out: Out = None) -> None:
    """Write the report of a suite: index.html, report.md, results.csv and figures."""
    from dlbench.cli.wiring import suite_name
    from dlbench.store.folder import Store as Folder

    folder = Folder.open(store, create=False)
    name = suite_name(folder, suite)
    say(f"writing the report of {name}")
    data(str(write(load(folder, name), name, out)))


def load(store: "Folder", name: str) -> "Results":
    """A suite's results, ready for analysis."""
    from dlbench.analyze.results import Results

    return Results(store.suite(name), store.results(name))


def write(results: "Results", name: str, out: Path | None) -> Path:
    """Write the pages; the path of index.html."""
    from dlbench.report.build import build_report

    return build_report(results, out or Path("reports") / name)
