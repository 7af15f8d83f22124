"""What surrounds the loop of a run: the invocation, the mirror beside it, and verdict and report at its end."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from signal import SIGINT
from types import TracebackType
from typing import TYPE_CHECKING

import typer

from dlbench.cli.console import complain, data, out, prose, say, warn
from dlbench.cli.quantities import count, duration
from dlbench.cli.wiring import code, command_line
from dlbench.errors import EnvironmentFault
from dlbench.schema.invocation import Invocation
from dlbench.schema.job import Entry
from dlbench.schema.record import Record
from dlbench.store.address import available, shown, tracking_uri
from dlbench.store.folder import Store, new_invocation_id
from dlbench.store.mirror import Mirror
from dlbench.store.pending import pending_count

if TYPE_CHECKING:
    from dlbench.run.loop import Listener, Outcome
    from dlbench.schema.suite import Suite

MOST_STUDIES = 8
"""Of more, the terminal shows the first ones; the report has all."""

INTERRUPTED_PATIENCE_S = 3.0
"""Whoever pressed Ctrl-C does not want to wait for MLflow; what is missing comes with the next sync."""


@dataclass(frozen=True)
class Closing:
    """What is to come of a run.

    Attributes:
        mlflow: whether results are mirrored.
        report: whether the report is written.
        show: whether table and verdict go to stdout.
        out_folder: the report's, instead of reports/<suite>.
    """

    mlflow: bool
    report: bool
    show: bool
    out_folder: Path | None = None


class Ending:
    """An invocation while it lasts, and its end.

    Args:
        store: of the run; the suite is written to it already.
        suite: what is run.
        lock_dir: of the machine's lock.
        mirrored: whether results are mirrored to MLflow.
        news: whether there are jobs to run; if not, the mirror is started only for runs that it lacks.
    """

    def __init__(self, store: Store, suite: "Suite", lock_dir: Path | None, *, mirrored: bool, news: bool) -> None:
        self.store, self.suite = store, suite
        started_at = datetime.now(UTC)
        self.invocation = Invocation(
            id=new_invocation_id(started_at),
            suite=suite.name,
            description=suite.description,
            command=command_line(),
            code=code(),
            started_at=started_at,
        )
        self.grew = False  # a study went on, be it by what was there before
        self.uri = tracking_uri(Path.cwd())
        self.mirror: Mirror | None = None
        if mirrored and available() and (news or pending_count(store, self.uri, [suite.name])):
            self.mirror = Mirror(store, self.uri, suite.name, lock_dir)

    def __enter__(self) -> "Ending":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """A run that broke still leaves its invocation closed and the mirror's process gone."""
        if error is not None:
            try:
                self._keep(ended_at=datetime.now(UTC))
            finally:  # also when the disk is full
                if self.mirror is not None:
                    self.mirror.finish(INTERRUPTED_PATIENCE_S)

    def made(self, record: Record) -> None:
        """An attempt has ended: it belongs to this invocation, and the mirror may have it."""
        self._keep(made=(*self.invocation.made, (record.id, record.attempt)))
        if self.mirror is not None:
            self.mirror.tell(record.id, record.attempt)

    def _keep(self, **changes: object) -> None:
        """Change the invocation on disk; one that made nothing leaves no trace."""
        self.invocation = self.invocation.model_copy(update=changes)
        if self.invocation.made or self.grew:
            self.store.write_invocation(self.invocation)

    def close(self, outcome: "Outcome", how: Closing) -> None:
        """Say what was found, write the report, let the mirror finish.

        Raises:
            EnvironmentFault: the report cannot be written; all else is done.
            Exit: Ctrl-C came while the report was written, or while MLflow was waited for.
        """
        counts = ", ".join(f"{n} {status}" for status, n in sorted(outcome.counts.items())) or "nothing was left to do"
        fault: EnvironmentFault | None = None
        try:
            say(f"{self.suite.name}: {counts}; {count(len(outcome.made), 'attempt')} in {duration(outcome.seconds)}")
            if self.mirror is not None:
                self.mirror.drain()  # it writes what it has while the report is made
            self.invocation = self.invocation.model_copy(update={"ended_at": datetime.now(UTC)})
            if not outcome.interrupted:
                self._found(how)
        except EnvironmentFault as error:
            fault = error
        except KeyboardInterrupt:
            complain(f"interrupted while writing the report; `dlbench report {self.suite.name}` writes it")
            raise typer.Exit(128 + SIGINT) from None
        self._keep()
        if self.mirror is not None:
            mirror, self.mirror = self.mirror, None  # it is finished once, whatever comes
            self._finish_mirror(mirror, outcome.interrupted)
        if fault is not None:
            raise fault

    def _found(self, how: Closing) -> None:
        """Table, verdict and report; the invocation takes up what there is of them."""
        from dlbench.analyze.aggregates import account
        from dlbench.analyze.verdict import headline
        from dlbench.cli.best import line
        from dlbench.cli.report import load, write
        from dlbench.cli.results import table

        results = load(self.store, self.suite.name)
        if how.show:
            console = out()
            for arena in results.arenas:
                console.print(table(results, arena))
            for study in results.studies[:MOST_STUDIES]:
                data(line(study))
            prose(headline(results))
        self.invocation = self.invocation.model_copy(update=account(results))
        if how.report:
            page = write(results, self.suite.name, how.out_folder)
            say(f"report: {page}")
            self.invocation = self.invocation.model_copy(update={"report": str(page.parent.absolute())})

    def _finish_mirror(self, mirror: Mirror, interrupted: bool) -> None:
        try:
            told = mirror.finish(INTERRUPTED_PATIENCE_S if interrupted else None, _waiting)
        except KeyboardInterrupt:
            complain("interrupted while MLflow took runs; `dlbench sync` brings the rest in")
            raise typer.Exit(128 + SIGINT) from None
        if told.error is not None:
            warn(told.error)
        else:
            say(f"MLflow: {shown(self.uri)}; dlbench ui opens it")


def _waiting(pending: int) -> None:
    say(f"waiting for MLflow to take {count(pending, 'run')} (Ctrl-C leaves them to `dlbench sync`)")


class Told:
    """A listener that keeps the invocation in step and then passes everything on to the screen."""

    def __init__(self, ending: Ending, screen: "Listener") -> None:
        self._ending = ending
        self.on_start, self.on_event, self.on_note = screen.on_start, screen.on_event, screen.on_note
        self._show = screen.on_end

    def on_end(self, entry: Entry, record: Record) -> None:
        """An attempt has ended."""
        self._ending.made(record)
        self._show(entry, record)
