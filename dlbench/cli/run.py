"""`dlbench run` and `dlbench plan`: the whole way from a suite file to a report."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from signal import SIGINT
from typing import TYPE_CHECKING, Annotated

import typer

from dlbench.cli import options as shared
from dlbench.cli.console import as_json, as_json_list, complain, data, out, say, warn
from dlbench.errors import JobFailed

if TYPE_CHECKING:
    from dlbench.cli.ending import Closing
    from dlbench.cli.planning import Flags, Planned
    from dlbench.contracts.executors import Executor as Works
    from dlbench.plan.plan import Plan
    from dlbench.run.loop import Outcome, RunOptions
    from dlbench.schema.job import Entry
    from dlbench.store.folder import Store


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: dlbench run suites/rnn_vs_transformer.yaml train.epochs=2 seeds=3")(run)
    app.command(epilog="Example: dlbench sweep suites/sweep_lstm.yaml --trials 16")(sweep)
    app.command(epilog="Example: dlbench plan suites/rnn_vs_transformer.yaml")(plan)


Slots = Annotated[int | None, typer.Option(min=1, help="Jobs side by side; default: cores over threads, or GPUs.")]
Retry = Annotated[bool, typer.Option("--retry-failed", help="Make failed, diverged and out-of-memory jobs again.")]
NoMlflow = Annotated[bool, typer.Option("--no-mlflow", help="Do not mirror results to MLflow.")]
NoReport = Annotated[bool, typer.Option("--no-report", help="Do not write the report.")]
Executor = Annotated[str, typer.Option(help="Where jobs run: a name from `dlbench list executors`.")]
Timeout = Annotated[str | None, typer.Option(help="Longest running time of one job: 90s, 10m, 2h.")]

Trials = Annotated[int | None, typer.Option(min=1, help="Candidates for each study; replaces the suite's budget.")]
Pruner = Annotated[
    str | None, typer.Option(help="median, successive_halving, hyperband, patient, wilcoxon, or none of these: none.")
]

FAILURES = ("failed", "oom", "diverged", "timeout", "lost")


def run(
    suite: shared.SuiteFile,
    overrides: shared.Overrides = None,
    store: shared.Store = shared.STORE,
    slots: Slots = None,
    executor: Executor = "local",
    retry_failed: Retry = False,
    timeout: Timeout = None,
    smoke: shared.Smoke = False,
    offline: shared.Offline = False,
    mirror: shared.Mirror = None,
    unofficial: shared.Unofficial = False,
    re_resolve: shared.ReResolve = False,
    no_mlflow: NoMlflow = False,
    no_report: NoReport = False,
    report_folder: shared.Out = None,
    json: shared.Json = False,
) -> None:
    """Run a suite: plan, train, measure, track, report. Run it again to go on where it stopped."""
    from dlbench.cli.ending import Closing
    from dlbench.cli.planning import Flags

    flags = Flags(
        suite, tuple(overrides or ()), slots, retry_failed, timeout, smoke, offline, mirror, unofficial, re_resolve
    )
    how = Closing(mlflow=not no_mlflow, report=not no_report, show=not json, out_folder=report_folder)
    whole(flags, store, executor, how, _print_records if json else None)


def sweep(
    suite: shared.SuiteFile,
    overrides: shared.Overrides = None,
    trials: Trials = None,
    strategy: Annotated[str | None, typer.Option(help="A name from `dlbench list strategies`.")] = None,
    pruner: Pruner = None,
    store: shared.Store = shared.STORE,
    slots: Slots = None,
    executor: Executor = "local",
    timeout: Timeout = None,
    smoke: shared.Smoke = False,
    offline: shared.Offline = False,
    mirror: shared.Mirror = None,
    unofficial: shared.Unofficial = False,
    re_resolve: shared.ReResolve = False,
    no_mlflow: NoMlflow = False,
    no_report: NoReport = False,
    report_folder: shared.Out = None,
    json: shared.Json = False,
) -> None:
    """Search the suite's space for the best candidate, with what it varies as the space if it names none."""
    from dlbench.cli.ending import Closing
    from dlbench.cli.planning import Flags

    said = {"search.budget": trials and f"{{trials: {trials}}}", "search.strategy": strategy, "search.pruner": pruner}
    given = (*(overrides or ()), *(f"{key}={value}" for key, value in said.items() if value is not None))
    flags = Flags(suite, given, slots, False, timeout, smoke, offline, mirror, unofficial, re_resolve, sweep=True)
    how = Closing(mlflow=not no_mlflow, report=not no_report, show=not json, out_folder=report_folder)
    whole(flags, store, executor, how, _print_records if json else None)


def _print_records(store: "Store", name: str) -> None:
    """Every record of a suite, as JSON."""
    from dlbench.cli.results import joined

    as_json_list(joined(result, name) for result in store.results(name) if result.record is not None)


def whole(
    flags: "Flags", store: Path, executor: str, how: "Closing", then: Callable[["Store", str], None] | None = None
) -> None:
    """The whole way of `run`, `sweep` and `verify`.

    Args:
        then: is given the store and the suite's name once all is run, before failures are complained of.

    Raises:
        JobFailed: some jobs failed, now or before.
        Exit: the run was interrupted.
    """
    from dlbench.cli.planning import planned
    from dlbench.cli.report import check_place
    from dlbench.store.folder import Store as Folder
    from dlbench.store.studies import write_list

    if flags.smoke:  # nothing of it is kept
        how = replace(how, mlflow=False, report=False)
    ended: tuple[Outcome, int | None] | None = None
    failed: Mapping[str, int] = {}
    begun = False
    try:
        with _store(store, flags.smoke) as root, Folder.writing(root) as folder, planned(flags, folder) as todo:
            name = todo.plan.suite.name
            todo.preflight()
            options, works = todo.options(), todo.executor(executor)
            if how.report:
                check_place(name, how.out_folder)
            changed = folder.write_suite(todo.plan.suite, todo.index)
            write_list(folder, name, [] if todo.searching is None else todo.searching.ids)
            folder.keep_choices(name, todo.plan.choices)
            for line in todo.remarks():
                warn(line)
            say(todo.line())
            begun = True
            if todo.waiting or changed or todo.searching is not None or _lacks_report(folder, name, how):
                options = replace(options, calibrations=todo.calibrations())
                ended = _run(todo, folder, works, options, how)
            else:
                say(_nothing_to_do(name, how))
                failed = todo.failed
            if then is not None:
                then(folder, name)
    except KeyboardInterrupt:
        complain("interrupted; what had finished is kept" if begun else "interrupted; nothing was run")
        raise typer.Exit(128 + SIGINT) from None
    if ended is not None:
        _end(*ended)
    _complain_of(failed, "`dlbench report` shows why")


def _lacks_report(store: "Store", name: str, how: "Closing") -> bool:
    """Whether a report is wanted that is not there, or is older than what was run without one."""
    from dlbench.cli.report import place

    if not how.report or how.out_folder is not None:
        return how.report
    try:
        written_at = (place(name, None) / "index.html").stat().st_mtime
    except OSError:
        return True
    last = next(reversed(store.invocations(name)), None)
    return last is not None and last.report is None and last.started_at.timestamp() > written_at


def _nothing_to_do(name: str, how: "Closing") -> str:
    from dlbench.cli.report import place

    where = f"the report is in {place(name, None)}" if how.report else f"`dlbench report {name}` writes the report"
    return f"nothing to do; {where}"


@contextmanager
def _store(store: Path, smoke: bool) -> Iterator[Path]:
    """The store's folder; a temporary one for a smoke run."""
    if not smoke:
        yield store
        return
    with tempfile.TemporaryDirectory(prefix="dlbench-smoke-") as folder:
        yield Path(folder)


def _run(
    todo: "Planned", store: "Store", executor: "Works", options: "RunOptions", how: "Closing"
) -> tuple["Outcome", int | None]:
    """Run what is to be run, with the invocation and the mirror kept in step, and close with verdict and report.

    Returns:
        The outcome, and the number of the signal that ended the run early, if one did.
    """
    from dlbench.cli.ending import Ending, Told
    from dlbench.cli.progress import listener
    from dlbench.plan.grid import Grid
    from dlbench.run.loop import Loop
    from dlbench.run.signals import interruptible

    searching = todo.searching
    news = bool(todo.waiting) or searching is not None
    with Ending(store, todo.plan.suite, options.lock_dir, mirrored=how.mlflow, news=news) as ending:
        to_come = None if searching is not None else todo.waiting
        with listener(to_come, options.estimator, options.slots) as screen:
            studies = None if searching is None else searching.source(store, todo.earlier, todo.know, screen.on_note)
            source = Grid(todo.plan.entries) if studies is None else studies
            loop = Loop(source, store, executor, options, Told(ending, screen))
            told = False

            def interrupt() -> None:
                nonlocal told
                screen.on_note("stopping at once" if told else "stopping; running jobs end soon. Ctrl-C again: at once")
                told = True
                loop.interrupt()

            with interruptible(interrupt) as heard:
                outcome = loop.run()
        if studies is not None:
            ending.grew = studies.grew
            store.write_suite(todo.plan.suite, studies.entries)
        if outcome.trimmed:
            store.write_suite(todo.plan.suite, _trimmed(todo.plan, outcome))
        ending.close(outcome, how)
    return outcome, heard.number


def _trimmed(plan: "Plan", outcome: "Outcome") -> list["Entry"]:
    """The index with what the budget left no room for marked as skipped; the next plan decides anew."""
    left, why = set(outcome.trimmed), "the budget of this run was spent; run again to go on, or raise `budget:`"
    return [e.model_copy(update={"skipped": why}) if e.job.id in left else e for e in plan.entries]


def _end(outcome: "Outcome", signal_number: int | None) -> None:
    """Say how to go on, and exit with the code that the outcome asks for.

    Raises:
        JobFailed: some jobs failed.
    """
    if outcome.interrupted:
        from dlbench.cli.wiring import command_line

        complain(f"interrupted; what had finished is kept. To go on: {command_line()}")
        raise typer.Exit(128 + (signal_number or SIGINT))
    why = "the lines above say why" if outcome.made else "`dlbench report` shows why"
    _complain_of({status: n for status, n in outcome.wanting.items() if status in FAILURES and n}, why)


def _complain_of(failed: Mapping[str, int], why: str) -> None:
    """Exit with 1 while a suite has failed jobs, whether they failed now or before.

    Raises:
        JobFailed: there are some.
    """
    if failed:
        from dlbench.schema.record import AGAIN

        what = ", ".join(f"{n} {status}" for status, n in sorted(failed.items()))
        lost = [status for status in failed if status in AGAIN]
        stay = [status for status in sorted(failed) if status not in AGAIN]
        ways = ["the next run makes those that were lost again"] if lost else []
        ways += [f"--retry-failed makes {'the others' if lost else 'them'} again"] if stay else []
        raise JobFailed(f"{what}: {why}; {', '.join(ways)}.")


def plan(
    suite: shared.SuiteFile,
    overrides: shared.Overrides = None,
    store: shared.Store = shared.STORE,
    slots: Slots = None,
    retry_failed: Retry = False,
    smoke: shared.Smoke = False,
    offline: shared.Offline = False,
    mirror: shared.Mirror = None,
    unofficial: shared.Unofficial = False,
    re_resolve: shared.ReResolve = False,
    json: shared.Json = False,
) -> None:
    """Show what `run` would do: jobs, what is cached, time, memory, data. Runs nothing."""
    from dlbench.cli.plan_table import rows, table
    from dlbench.cli.planning import Flags, planned
    from dlbench.store.folder import Store as Folder

    flags = Flags(
        suite, tuple(overrides or ()), slots, retry_failed, None, smoke, offline, mirror, unofficial, re_resolve
    )
    known = Folder.open(store, create=False) if (store / "store.json").exists() and not smoke else None
    with planned(flags, known) as todo:
        todo.preflight()
        if json:
            as_json(rows(todo))
            return
        out().print(table(todo))
        for line in todo.remarks():
            data(line)
        data(todo.line())
