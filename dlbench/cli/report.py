"""`dlbench report`: pages from the store."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dlbench.cli.console import data, say, warn
from dlbench.cli.options import STORE, Out, Store, Suite
from dlbench.errors import EnvironmentFault

if TYPE_CHECKING:
    from dlbench.analyze.results import Results
    from dlbench.store.folder import Store as Folder


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: dlbench report rnn_vs_transformer --out /tmp/report")(report)


def report(suite: Suite, store: Store = STORE, out: Out = None) -> None:
    """Write the report of a suite: HTML, Markdown, CSV, Parquet, figures as SVG, PNG and PDF, tables as LaTeX."""
    from dlbench.cli.wiring import suite_name
    from dlbench.store.folder import Store as Folder

    folder = Folder.open(store, create=False)
    name = suite_name(folder, suite)
    say(f"writing the report of {name}")
    data(str(write(load(folder, name), name, out)))


def load(store: "Folder", name: str) -> "Results":
    """A suite's results, ready for analysis; warns of records that cannot be read."""
    from dlbench.analyze.results import Results
    from dlbench.cli.unreadable import unreadable
    from dlbench.plan.write import write_suite
    from dlbench.store.studies import studies

    suite = store.suite(name)
    results = Results(suite, store.results(name), studies(store, name), write_suite(suite))
    for line in unreadable(store):
        warn(line)
    return results


def place(name: str, out: Path | None) -> Path:
    """The folder of a suite's report."""
    return out or Path("reports") / name


def check_place(name: str, out: Path | None) -> None:
    """See that the report can be written, before time is spent on what it would show. Makes nothing.

    Raises:
        EnvironmentFault: its folder is something else, or cannot be made or written.
    """
    folder = place(name, out)
    there = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    if not there.is_dir():
        problem = f"{there} is not a folder"
    elif not os.access(there, os.W_OK | os.X_OK):
        problem = f"{there} is read-only"
    else:
        return
    raise EnvironmentFault(f"the report cannot be written to {folder}: {problem}. Name another folder with --out.")


def write(results: "Results", name: str, out: Path | None) -> Path:
    """Write the pages; the path of index.html.

    Raises:
        EnvironmentFault: they cannot be written there.
    """
    from dlbench.report.build import build_report

    folder = place(name, out)
    try:
        return build_report(results, folder)
    except OSError as error:
        raise EnvironmentFault(
            f"the report cannot be written to {folder}: {error.strerror}; "
            f"`dlbench report {name} --out DIR` writes it later"
        ) from error
