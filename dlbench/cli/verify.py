"""`dlbench verify`: does this installation reproduce what the literature reports?"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlbench.cli import options as shared
from dlbench.cli.console import as_json, data, out, say, warn
from dlbench.cli.quantities import count
from dlbench.cli.run import NoMlflow, NoReport, Retry, Slots
from dlbench.errors import JobFailed, StoreError, UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from dlbench.analyze.published import Count, Score
    from dlbench.analyze.standing import Counted, Standing
    from dlbench.schema.record import Result
    from dlbench.store.folder import Store

REFERENCE = Path(__file__).with_name("reference.yaml")
"""The reference suite; `suites/reference.yaml` is a link to it."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: dlbench verify --quick")(verify)


def verify(
    overrides: shared.Overrides = None,
    quick: Annotated[bool, typer.Option("--quick", help="Only what needs no training: numbers of parameters.")] = False,
    figures: Annotated[
        Path | None, typer.Option(help="A file of published figures (TOML) instead of those that dlbench ships.")
    ] = None,
    store: shared.Store = shared.STORE,
    slots: Slots = None,
    retry_failed: Retry = False,
    offline: shared.Offline = False,
    mirror: shared.Mirror = None,
    unofficial: shared.Unofficial = False,
    no_mlflow: NoMlflow = False,
    no_report: NoReport = False,
    report_folder: shared.Out = None,
    json: shared.Json = False,
) -> None:
    """Run the reference suite and say of each published figure whether it is reproduced here: PASS, FAIL or neither.

    What other suites have left in the store counts too. Exits with 1 if a figure is missed.
    """
    from dlbench.analyze.published import published, read

    if quick and overrides:
        raise UsageError(f"--quick trains nothing, so {' '.join(overrides)} would change nothing")
    known = published() if figures is None else read(figures)
    if quick and not known.counts:
        raise UsageError(f"--quick looks at numbers of parameters alone, and {figures} has none: leave --quick out")
    counts = _counted(known.counts)
    told: list[Counted | Standing] = [*counts]

    def tell(folder: "Store", name: str) -> None:
        told.extend(_standings(known.scores, folder))
        _tell(told, json=json)

    if quick:
        _tell(told, json=json)
    else:
        from dlbench.cli.ending import Closing
        from dlbench.cli.planning import Flags
        from dlbench.cli.run import whole

        given = tuple(overrides or ())
        # A stand-in that was taken on a day without network is not kept.
        flags = Flags(REFERENCE, given, slots, retry_failed, None, False, offline, mirror, unofficial, re_resolve=True)
        how = Closing(mlflow=not no_mlflow, report=not no_report, show=False, out_folder=report_folder)
        whole(flags, store, "local", how, tell)
    if missed := [_label(each) for each in told if each.word == "FAIL"]:
        raise JobFailed(f"not reproduced: {', '.join(missed)}")


def _counted(counts: "Sequence[Count]") -> "list[Counted]":
    """Every model built on the meta device and counted."""
    from dlbench.analyze.standing import counted
    from dlbench.cli.wiring import describing

    asked = [{"what": "show", "name": each.model, "preset": each.preset, "params": each.params} for each in counts]
    if asked:
        say(f"counting the parameters of {count(len(asked), 'model')}")
    with describing() as (_, describe):
        return [counted(each, answer) for each, answer in zip(counts, describe(asked), strict=True)]


def _standings(scores: "Sequence[Score]", folder: "Store") -> "list[Standing]":
    """Every score against what any suite of the store has of it."""
    from dlbench.analyze.standing import standing

    results = _results(scores, folder)
    return [standing(score, results) for score in scores]


def _results(scores: "Sequence[Score]", folder: "Store") -> "list[Result]":
    """The jobs of all suites that concern a score, each once."""
    from dlbench.schema.record import Result

    entries = {}
    for name in folder.suites():
        try:
            for entry in folder.entries(name):
                if entry.skipped is None and any(score.concerns(entry.job) for score in scores):
                    entries[entry.job.id] = entry
        except StoreError as error:
            warn(f"{name} is left out: {error}")
    return [Result(entry=entry, record=folder.record(id)) for id, entry in entries.items()]


def _tell(told: "Sequence[Counted | Standing]", *, json: bool) -> None:
    """Tables and a summary, or data."""
    from dlbench.analyze.standing import Counted, Standing

    if json:
        as_json([_facts(each) for each in told])
        return
    counts = [each for each in told if isinstance(each, Counted)]
    standings = [each for each in told if isinstance(each, Standing)]
    if counts:
        out().print(_counts_table(counts))
    if standings:
        out().print(_scores_table(standings))
    for each in told:
        if each.reason:
            data(f"{each.word}: {_label(each)}: {each.reason}")
    words = Counter(each.word for each in told)
    tally = ", ".join(f"{words[word]} {word}" for word in ("PASS", "FAIL", "not enough data"))
    data(f"{count(len(told), 'figure')}: {tally}")


def _label(each: "Counted | Standing") -> str:
    from dlbench.analyze.standing import Counted

    return f"parameters of {each.count.label}" if isinstance(each, Counted) else each.score.label


def _counts_table(counts: "Sequence[Counted]") -> "Table":
    from rich.table import Column, Table

    numbers = [Column(name, justify="right", no_wrap=True) for name in ("published", "here")]
    table = Table("model", *numbers, "", "source", "what is counted", title="Numbers of parameters")
    for each in counts:
        of, here = each.count, "none" if each.here is None else f"{each.here:,}"
        table.add_row(of.label, f"{of.figure:,}", here, each.word, of.source, of.convention)
    return table


def _scores_table(standings: "Sequence[Standing]") -> "Table":
    from rich.table import Table

    from dlbench.analyze.standing import band_text, here_text, published_text

    columns = ("figure", "published", "band", "here", "", "source", "what is compared, and the band")
    table = Table(*columns, title="Test scores: mean ± half the 95 % interval over seeds")
    for each in standings:
        score = each.score
        figures = (published_text(score), band_text(score), here_text(each))
        table.add_row(score.label, *figures, each.word, score.source, f"{score.convention}. Band: {score.reason}")
    return table


def _facts(each: "Counted | Standing") -> dict[str, Any]:
    from dlbench.analyze.standing import Counted

    if isinstance(each, Counted):
        facts = each.count.model_dump(mode="json") | {"kind": "count", "here": each.here}
    else:
        ours, (low, high) = each.ours, each.score.limits
        here = None if ours is None else {"mean": ours.mean, "margin": ours.margin, "n": ours.n}
        facts = each.score.model_dump(mode="json") | {"kind": "score", "band": [low, high], "here": here}
    return {**facts, "word": each.word, "reason": each.reason}
