"""`dlbench compare`: is B better or worse than A, faster or slower, and may a gate act on it?"""

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlbench.cli.console import as_json, data, inert, out, say, warn
from dlbench.cli.options import STORE, Json, Store
from dlbench.errors import JobFailed, UsageError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

    from dlbench.analyze.versus import Versus
    from dlbench.analyze.versus_rows import Judgement, Row, Settings
    from dlbench.schema.blocks import Table

EPILOG = """
Example: dlbench compare main-store pr-store --gate --markdown > comment.md

Examples: dlbench compare lstm transformer --suite rnn_vs_transformer

dlbench compare model:lstm model:gru --metric test_f1_macro --threshold test_f1_macro=0.01

dlbench compare HEAD~1 HEAD --suite rnn_vs_transformer --gate --threshold train_throughput=10%

dlbench compare ../old/.dlbench:reference reference --json
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(compare)


Word = "A store, STORE:SUITE, a suite, a contender, or a git revision; store: suite: model: rev: before it say which."


def compare(
    a: Annotated[str, typer.Argument(help=f"What is compared with. {Word}", metavar="A")],
    b: Annotated[str, typer.Argument(help="What the verdicts are on; of the same kind.", metavar="B")],
    suite: Annotated[str | None, typer.Option("--suite", help="The suite, where a store has several.")] = None,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", help="Compare this metric instead of the usual ones; repeatable.")
    ] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            "--threshold",
            help="Smallest change that counts, instead of the noise floor: METRIC=VALUE, in the metric's unit; of a "
            "cost a fraction or 10%. Repeatable.",
            metavar="METRIC=VALUE",
        ),
    ] = None,
    gate: Annotated[
        bool, typer.Option("--gate", help="Exit 1 on a regression, 2 where nothing can be judged.")
    ] = False,
    across_machines: Annotated[
        bool,
        typer.Option("--across-machines", help="Judge costs although hardware, torch or threads differ."),
    ] = False,
    store: Store = STORE,
    markdown: Annotated[bool, typer.Option("--markdown", help="A comment for a pull request, on stdout.")] = False,
    json: Json = False,
) -> None:
    """Compare B with A, two stores, suites, models or revisions: quality, cost and what is configured otherwise.

    A word is the first of these that fits: STORE:SUITE, a folder with a store, a suite, a contender of a suite, a git
    revision that records were made at. Costs count as changed beyond the noise floor that `dlbench calibrate` measured,
    else beyond 5 %. Quality is judged from 5 common seeds on, a cost from 3 rounds on; a missed target is infinite.
    """
    if markdown and json:
        raise UsageError("--markdown and --json both want stdout: take one")
    least = thresholds(threshold or ())

    from dlbench.analyze.versus import found
    from dlbench.analyze.versus_rows import Settings
    from dlbench.cli.sides import Sides, partners

    settings = Settings(tuple(metric or ()), least, across_machines)
    sides = Sides(store, suite)
    one, other = sides.find(a), sides.find(b)
    versus = found(one.title, other.title, partners(one, other), settings)
    _check_names(versus, settings)
    if json:
        as_json(as_data(versus))
    elif markdown:
        from dlbench.report.comparison import comment

        data(inert(comment(versus)).rstrip("\n"))
    else:
        _show(out(), versus)
    _warn(versus)
    _judge(versus, gate=gate)


def thresholds(pairs: "list[str] | tuple[str, ...]") -> dict[str, float]:
    """`train_throughput=10%` → `{"train_throughput": 0.1}`.

    Raises:
        UsageError: a pair is no METRIC=VALUE with a value from 0 on.
    """
    found = {}
    for pair in pairs:
        name, _, text = pair.partition("=")
        try:
            value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            value = math.nan
        if not name or not 0 <= value < math.inf:
            raise UsageError(f"--threshold {pair!r}: is not METRIC=VALUE; a value is 0.01, or 10%")
        found[name] = value
    return found


def as_data(versus: "Versus") -> dict[str, Any]:
    """The comparison as JSON: what could not be computed, or is not finite, is null."""
    from dlbench.analyze.versus_rows import summary

    return {
        "a": versus.a,
        "b": versus.b,
        "summary": summary(versus.rows),
        "rows": [{key: _finite(value) for key, value in asdict(row).items()} for row in versus.rows],
        "changed": [{**asdict(change), "of": list(names)} for change, names in versus.changed],
        "alone": [asdict(one) for one in versus.alone],
        "warnings": list(versus.warnings),
    }


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _check_names(versus: "Versus", settings: "Settings") -> None:
    """See that no metric of an option is misspelt: a gate on nothing would pass for ever."""
    from dlbench.catalog import did_you_mean

    compared = tuple(dict.fromkeys(row.metric for row in versus.rows))
    for option, names, known, what in (
        ("--metric", settings.metrics, versus.metrics, "neither A nor B has it"),
        ("--threshold", settings.thresholds, compared, "it is not compared"),
    ):
        for name in names if known else ():
            if name not in known:
                has = f" There are {', '.join(known[:MOST_NAMES])}{', …' if len(known) > MOST_NAMES else ''}."
                raise UsageError(f"{option} {name!r}: {what}.{did_you_mean(name, known)}{inert(has)}")


def _show(console: "Console", versus: "Versus") -> None:
    from dlbench.analyze.versus_rows import summary
    from dlbench.report.comparison import alone_table, changes_table, rows_table

    console.print(f"B {inert(versus.b)} against A {inert(versus.a)}: {summary(versus.rows)}")
    shown = [row for judgement in ORDER for row in versus.judged(judgement)]
    told = [row for row in shown if row.judgement in ("regression", "improvement")]
    if len(shown) > MOST_ROWS:
        shown = told
    for where in dict.fromkeys(row.where for row in shown):
        console.print(_rich(rows_table([row for row in shown if row.where == where], named=False), where))
    if versus.changed:
        console.print(_rich(changes_table(versus), "Changed in configuration"))
    if versus.alone:
        console.print(_rich(alone_table(versus.alone), "Not compared"))
    if len(shown) < len(versus.rows):
        say(f"{len(versus.rows) - len(shown)} rows in which nothing was told are not shown; --json has all")


ORDER: "tuple[Judgement, ...]" = ("regression", "improvement", "undecided", "unchanged")
MOST_NAMES = 20
"""Metrics that an error lists."""
MOST_ROWS = 40
"""Rows beyond which a terminal shows those alone in which something was told."""
STYLES = {"normal": "", "good": "green", "warning": "yellow", "error": "red"}


def _rich(table: "Table", title: str | None = None) -> "RichTable":
    """A neutral table for the terminal: no cell is cut, and none is markup."""
    from rich.table import Column, Table
    from rich.text import Text

    from dlbench.report.cells import as_cell, cell_text

    columns = (Column(column.name, overflow="fold") for column in table.columns)
    shown = Table(*columns, title=Text(inert(title)) if title else None, title_justify="left")
    for row in table.rows:
        cells = [as_cell(value) for value in row]
        shown.add_row(
            *(
                Text(inert(cell_text(cell, column)), style=STYLES[cell.tone])
                for cell, column in zip(cells, table.columns, strict=True)
            )
        )
    return shown


def _warn(versus: "Versus") -> None:
    for warning in versus.warnings:
        warn(inert(warning))


def _judge(versus: "Versus", *, gate: bool) -> None:
    """Say what the gate saw, and act on it.

    Raises:
        UsageError: nothing can be compared; with a gate also where nothing can be judged.
        JobFailed: the gate found a regression.
    """
    from dlbench.report.comparison import sentence

    if not versus.rows:
        raise UsageError(f"nothing of B can be compared with A{_reasons(versus)}")
    if not gate:
        return
    undecided = versus.judged("undecided")
    for note, rows in _by_note(undecided).items():
        say(inert(f"not enough data to gate {_named(rows)}: {note}"))
    if lonely := [one.what for one in versus.alone if one.side != "neither"]:
        say(f"not gated, for it has no partner: {inert(', '.join(lonely))}")
    if regressions := versus.judged("regression"):
        raise JobFailed(inert("\n".join(f"gate: {sentence(row)}" for row in regressions)))
    if len(undecided) == len(versus.rows):
        raise UsageError("gate: nothing could be judged, so nothing was guarded")
    judged = len(versus.rows) - len(undecided)
    say(f"gate: no regression in {judged} of {len(versus.rows)} comparisons")


def _reasons(versus: "Versus") -> str:
    return inert(": " + "; ".join(f"{one.what} ({one.why})" for one in versus.alone[:3])) if versus.alone else ""


def _by_note(rows: "tuple[Row, ...]") -> "dict[str, list[Row]]":
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.note or row.word, []).append(row)
    return found


def _named(rows: "list[Row]") -> str:
    names = [f"{row.metric} of {row.where}" for row in rows]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
