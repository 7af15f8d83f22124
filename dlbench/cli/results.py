"""`dlbench results`: what a suite has found, as a table or as data."""

from typing import TYPE_CHECKING, Annotated

import typer

from dlbench.cli.console import as_json_list, inert, out, say, warn
from dlbench.cli.options import STORE, Json, Store, Suite
from dlbench.cli.quantities import count

if TYPE_CHECKING:
    from rich.table import Table

    from dlbench.analyze.contenders import Arena
    from dlbench.analyze.results import Results
    from dlbench.schema.record import Result


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: dlbench results rnn_vs_transformer --csv > results.csv")(results)


def results(
    suite: Suite,
    store: Store = STORE,
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="A line for each job, as CSV on stdout.")] = False,
) -> None:
    """Show what a suite has found: a table of contenders, or every record with --json or --csv."""
    import sys

    from dlbench.cli.unreadable import unreadable
    from dlbench.cli.wiring import suite_name
    from dlbench.store.folder import Store as Folder

    folder = Folder.open(store, create=False)
    name = suite_name(folder, suite)
    if json:
        as_json_list(joined(result, name) for result in folder.results(name) if result.record is not None)
        for line in unreadable(folder):
            warn(line)
        return
    from dlbench.cli.best import line as study_line
    from dlbench.cli.report import load

    found = load(folder, name)
    if csv:
        from dlbench.analyze.table import job_rows
        from dlbench.report.spreadsheet import to_csv

        sys.stdout.write(to_csv(job_rows(found)))
        return
    console = out()
    for arena in found.arenas:
        console.print(table(found, arena))
    for study in found.studies:
        console.print(study_line(study))
    missing = sum(result.status == "missing" for result in found.results)
    if missing:
        say(f"{count(missing, 'job')} not run yet: `dlbench run` goes on")


def joined(result: "Result", suite: str) -> dict[str, object]:
    """A record joined with what the suite's index says of it."""
    assert result.record is not None
    joined = result.record.model_dump(mode="json", by_alias=True)
    joined["model"]["label"] = result.entry.label
    return {**joined, "suite": suite, "study": result.entry.study, "varied": result.entry.varied}


def table(results: "Results", arena: "Arena") -> "Table":
    """One task on one dataset: a row for each contender, the best first."""
    from rich.table import Column, Table

    from dlbench.analyze.glance import leaderboard, sizes_shown

    sheet, shown, sizes = leaderboard(results, arena), sizes_shown(arena), arena.batch_sizes
    told = f"batch sizes {', '.join(map(str, shown))} of {len(sizes)}; the report has all" if shown != sizes else None
    # Folded, never cut: labels differ in their ends.
    table = Table(*(Column(heading, overflow="fold") for heading in sheet.columns), title=sheet.title, caption=told)
    for row in sheet.rows:
        table.add_row(*map(inert, row))
    return table
