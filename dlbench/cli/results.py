"""`dlbench results`: what a suite has found, as a table or as data."""

from typing import TYPE_CHECKING, Annotated

import typer

from dlbench.cli.console import as_json, out, say, warn
from dlbench.cli.options import STORE, Json, Store, Suite

if TYPE_CHECKING:
    from rich.table import Table

    from dlbench.analyze.contenders import Arena, Contender
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
        as_json([joined(result, name) for result in folder.results(name) if result.record is not None])
        for line in unreadable(folder):
            warn(line)
        return
    from dlbench.cli.best import line as study_line
    from dlbench.cli.report import load

    found = load(folder, name)
    if csv:
        from dlbench.analyze.table import job_table
        from dlbench.report.spreadsheet import to_csv

        sys.stdout.write(to_csv(job_table(found)))
        return
    console = out()
    for arena in found.arenas:
        console.print(table(found, arena))
    for study in found.studies:
        console.print(study_line(study))
    missing = sum(result.status == "missing" for result in found.results)
    if missing:
        say(f"{missing} jobs have not run yet: dlbench run goes on with them")


def joined(result: "Result", suite: str) -> dict[str, object]:
    """A record joined with what the suite's index says of it."""
    assert result.record is not None
    joined = result.record.model_dump(mode="json", by_alias=True)
    joined["model"]["label"] = result.entry.label
    return {**joined, "suite": suite, "study": result.entry.study, "varied": result.entry.varied}


def table(results: "Results", arena: "Arena") -> "Table":
    """One task on one dataset: a row for each contender, the best first; empty columns are left out."""
    from rich.table import Table

    from dlbench.analyze.verdict import score_name

    sizes = arena.batch_sizes
    speeds = [f"infer/s, batch {size}" for size in sizes]
    headings = ["model", score_name(arena), "n", "against baseline", *speeds, "parameters"]
    ranked = list(arena.ranked)
    ordered = ranked + [c for c in arena.contenders if c not in ranked]
    rows = [_row(results, arena, contender, sizes) for contender in ordered]
    known = [place for place in range(len(headings)) if any(row[place] for row in rows)]
    table = Table(*(headings[place] for place in known), title=arena.title)
    for row in rows:
        table.add_row(*(row[place] for place in known))
    return table


def _row(results: "Results", arena: "Arena", contender: "Contender", sizes: tuple[int, ...]) -> list[str]:
    from dlbench.analyze.quantities import significant
    from dlbench.analyze.summary import summarise_rounds
    from dlbench.analyze.verdict import score_text

    values = contender.values(arena.score.name) if arena.score else {}
    comparison = results.comparison(contender)
    is_baseline = contender.label == results.baseline_label(arena) and len(arena.contenders) > 1
    verdict = "baseline" if is_baseline else ""
    cells = [
        contender.name,
        score_text(arena, contender) if values else "no result",
        str(len(values)),
        comparison.paired.word if comparison else verdict,
    ]
    for size in sizes:
        speed = summarise_rounds(list(contender.rounds("infer_throughput", size).values()))
        cells.append(f"{speed.median:,.0f}" if speed else "")
    counts = {n for size in sizes for n in contender.rounds("parameters", size).values()}
    return [*cells, f"{counts.pop():,.0f}" if len(counts) == 1 else ", ".join(map(significant, counts))]
