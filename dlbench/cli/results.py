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


MOST_SIZES = 3
"""Batch sizes that the table of an arena without scores shows, for it has two speeds at each."""


def table(results: "Results", arena: "Arena") -> "Table":
    """One task on one dataset: a row for each contender, the best first; empty columns are left out.

    Where nothing is trained there are speeds of training instead of scores.
    """
    from rich.table import Column, Table

    sizes = arena.batch_sizes
    shown = _spread(sizes) if arena.measured_only else sizes
    columns = {"model": [contender.name for contender in arena.ordered]}
    if not arena.measured_only:
        columns |= _quality(results, arena)
    for size in shown:
        phases = ("train", "infer") if arena.measured_only else ("infer",)
        columns |= {f"{phase}/s, batch {size}": _speeds(arena, f"{phase}_throughput", size) for phase in phases}
    columns["parameters"] = [_parameters(contender, sizes) for contender in arena.ordered]
    known = {heading: cells for heading, cells in columns.items() if any(cells)}
    told = f"batch sizes {', '.join(map(str, shown))} of {len(sizes)}; the report has all" if shown != sizes else None
    # Folded, never cut: labels differ in their ends.
    table = Table(*(Column(heading, overflow="fold") for heading in known), title=arena.title, caption=told)
    for row in zip(*known.values(), strict=True):
        table.add_row(*row)
    return table


def _spread(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """The smallest, the middle and the largest, where there are more."""
    return sizes if len(sizes) <= MOST_SIZES else (sizes[0], sizes[len(sizes) // 2], sizes[-1])


def _quality(results: "Results", arena: "Arena") -> dict[str, list[str]]:
    from dlbench.analyze.verdict import score_name, score_text

    scores: list[str] = []
    counts: list[str] = []
    words: list[str] = []
    for contender in arena.ordered:
        values = contender.values(arena.score.name) if arena.score else {}
        comparison = results.comparison(contender)
        own = contender.label == results.baseline_label(arena) and results.reference(arena, contender) is None
        is_baseline = own and len(arena.contenders) > 1
        scores.append(score_text(arena, contender) if values else "no result")
        counts.append(str(len(values)))
        words.append(comparison.paired.word if comparison else "baseline" if is_baseline else "")
    return {score_name(arena): scores, "n": counts, "against baseline": words}


def _speeds(arena: "Arena", metric: str, size: int) -> list[str]:
    """Medians over rounds; where there is none, what became of the jobs. All are empty where nobody has one."""
    from dlbench.analyze.summary import summarise_rounds

    found = [summarise_rounds(list(contender.rounds(metric, size).values())) for contender in arena.ordered]
    if not any(found):
        return [""] * len(found)
    return [
        f"{speed.median:,.0f}" if speed else _instead(contender, size) if arena.measured_only else ""
        for contender, speed in zip(arena.ordered, found, strict=True)
    ]


def _instead(contender: "Contender", size: int) -> str:
    """`skipped`, `oom`: what became of the cost jobs at a batch size, if it is the same for all."""
    points = [(result.entry.job.cost, result.status) for result in contender.cost]
    rounds = [(p, status) for p, status in points if p is not None and not p.anchor and not p.largest_batch]
    statuses = {status for point, status in rounds if point.batch_size == size}
    return statuses.pop() if len(statuses) == 1 and "ok" not in statuses else ""


def _parameters(contender: "Contender", sizes: tuple[int, ...]) -> str:
    from dlbench.analyze.quantities import significant

    counts = {n for size in sizes for n in contender.rounds("parameters", size).values()}
    return f"{counts.pop():,.0f}" if len(counts) == 1 else ", ".join(map(significant, counts))
