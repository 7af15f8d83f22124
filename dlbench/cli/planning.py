"""From flags to a plan, with what the store already knows: shared by `run` and `plan`."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dlbench.cli.console import say
from dlbench.cli.quantities import count, duration
from dlbench.cli.unreadable import unreadable
from dlbench.cli.wiring import code, command_line, data_options, describing
from dlbench.contracts.executors import Executor
from dlbench.errors import StoreError, UsageError
from dlbench.executors._warm import Warm
from dlbench.plan.describe import Describer
from dlbench.plan.grid import Know, Known
from dlbench.plan.plan import Plan
from dlbench.run.estimate import Estimator
from dlbench.run.loop import RunOptions
from dlbench.run.preflight import Finding
from dlbench.schema.base import Json
from dlbench.schema.job import Entry
from dlbench.schema.record import AGAIN, DONE, Record
from dlbench.store.folder import Store

if TYPE_CHECKING:
    from dlbench.cli.searching import Searching

State = Literal["cached", "run", "again", "failed", "skipped"]


@dataclass(frozen=True)
class Flags:
    """What `run` and `plan` are given."""

    suite: Path
    overrides: tuple[str, ...] = ()
    slots: int | None = None
    retry_failed: bool = False
    timeout: str | None = None
    smoke: bool = False
    offline: bool = False
    mirror: str | None = None
    unofficial: bool = False
    re_resolve: bool = False
    sweep: bool = False


@dataclass
class Planned:
    """A plan, and what the store has of it.

    Attributes:
        store: None where there is none yet (and none is to be made).
        earlier: the suite's index as the store has it.
        doubts: what of the store could not be used, lines for the user.
        findings: of the preflight.
    """

    flags: Flags
    plan: Plan
    store: Store | None
    warm: Warm
    describe: Describer
    records: dict[str, Record]
    know: Know
    earlier: list[Entry] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def state(self, entry: Entry) -> State:
        """What a run would do about an entry."""
        record = self.records.get(entry.job.id)
        if entry.skipped is not None:
            return "skipped"
        if record is None:
            return "run"
        if record.status in DONE:
            return "cached"
        if record.status in AGAIN:
            return "again"
        return "again" if self.flags.retry_failed else "failed"

    @cached_property
    def waiting(self) -> list[Entry]:
        """What is to be run, each job once."""
        entries = {e.job.id: e for e in self.plan.entries if self.state(e) in ("run", "again")}
        return list(entries.values())

    @property
    def failed(self) -> Counter[str]:
        """Status → jobs that failed before and are not made again."""
        return Counter(self.records[e.job.id].status for e in self.plan.entries if self.state(e) == "failed")

    @cached_property
    def estimator(self) -> Estimator:
        """Learns from the suite's own records; guesses from what a forward pass does where there are none."""
        return Estimator(self.records.values(), self.findings)

    @cached_property
    def slots(self) -> int:
        """How many jobs run side by side."""
        if self.flags.slots is not None:
            return self.flags.slots
        gpus = self.gpus
        if gpus and any(entry.job.device.startswith("cuda") for entry in self.waiting):
            return gpus
        jobs = [entry.job.threads for entry in self.plan.entries if not entry.job.exclusive]
        candidates = [each.train.threads for each in self.searching.defaults] if self.searching is not None else []
        threads = max((*jobs, *candidates), default=1)
        cores = int(self.describe([{"what": "machine"}])[0]["machine"]["cores"])
        return max(1, cores // threads)

    @cached_property
    def gpus(self) -> int:
        """How many GPUs torch can use here."""
        return len(self.describe([{"what": "machine"}])[0]["machine"]["gpus"])

    def preflight(self) -> None:
        """Build every configuration that is to be run on the meta device.

        Raises:
            UsageError: one cannot be built; nothing has been spent.
        """
        from dlbench.run.preflight import preflight

        self.findings = preflight(
            self.waiting,
            lambda works: self.describe([{"what": "check", "work": work} for work in works]),
            data_roots=self.data_roots,
            plugins=self.plan.suite.plugins,
        )
        wrong = [f"{f.entries[0].label}: {f.reason}" for f in self.findings if f.status == "failed"]
        if wrong:
            raise UsageError("\n".join([f"{self.flags.suite}: these cannot be built, so nothing was run", *wrong]))
        reasons = {entry.job.id: f.reason for f in self.findings if f.status == "skipped" for entry in f.entries}
        if reasons:
            entries = [e.model_copy(update={"skipped": reasons.get(e.job.id, e.skipped)}) for e in self.plan.entries]
            self.plan = replace(self.plan, entries=tuple(entries))
            del self.waiting

    @property
    def index(self) -> list[Entry]:
        """The suite's index as it is known before the run; what a search has named before stays in it."""
        named = self.searching.known() if self.searching is not None else []
        return [*named, *self.plan.entries]

    @cached_property
    def searching(self) -> "Searching | None":
        """The suite's studies, if it has a search.

        Raises:
            UsageError: its spaces do not fit what it searches.
        """
        if self.plan.suite.search is None:
            return None
        from dlbench.cli.searching import Searching

        return Searching(self, self.store)

    @property
    def data_roots(self) -> dict[str, Path]:
        """Digest → folder, for datasets that have files."""
        return {digest: root for digest, root in self.plan.roots.items() if root is not None}

    def line(self) -> str:
        """The plan in a line: jobs, cached, estimated time."""
        states = [self.state(entry) for entry in self.plan.entries]
        trains = sum(entry.job.kind == "train" for entry in self.plan.entries)
        parts = [
            f"{self.plan.suite.name}: {count(len(states), 'job')} ({trains} train, {len(states) - trains} cost)",
            f"{states.count('cached')} cached",
            f"{len(self.waiting)} to run",
        ]
        parts += ["and what the search asks for"] if self.searching is not None else []
        parts += [f"{states.count('skipped')} skipped"] if "skipped" in states else []
        parts += [f"{states.count('failed')} failed before (--retry-failed)"] if "failed" in states else []
        if self.waiting:
            seconds, unknown = self.estimator.total(self.waiting, self.slots)
            guess = " or so" if unknown or self.estimator.guesses(self.waiting) else ""
            parts.append(f"about {duration(seconds)}{guess} in {count(self.slots, 'slot')}")
            costs = [entry for entry in self.waiting if entry.job.kind == "cost"]
            if 0 < len(costs) < len(self.waiting):
                alone, _ = self.estimator.total(costs, 1)
                parts.append(f"of which costs, alone on the machine, {duration(alone)}")
        return ", ".join(parts)

    def remarks(self) -> list[str]:
        """What the user should know before time is spent."""
        lines = [*self.doubts, *self.plan.notes, *self._shrinking()]
        reasons: dict[str, list[str]] = {}
        for entry in self.plan.entries:
            if entry.skipped is not None:
                reasons.setdefault(entry.skipped, []).append(entry.label)
        for reason, labels in reasons.items():
            lines.append(f"skipped {', '.join(dict.fromkeys(labels))}: {reason}")
        lines += self.searching.lines() if self.searching is not None else []
        seeds = len({entry.job.seed for entry in self.plan.entries if entry.job.seed is not None})
        if 0 < seeds < 5 and len({entry.label for entry in self.plan.entries}) > 1 and not self.flags.smoke:
            lines.append(f"{count(seeds, 'seed')}: too few for a verdict (5 are enough)")
        return lines + self._mixtures()

    def _shrinking(self) -> list[str]:
        """That jobs leave the suite's index, whose records stay in the store."""
        before = {e.job.id for e in self.earlier if e.study is None}
        now = {e.job.id for e in self.plan.entries}
        if self.plan.suite.search is not None:
            return []  # its winners come later
        if len(now) >= len(before):
            return []
        return [
            f"the suite's index had {count(len(before), 'job')}, this plan has {len(now)}: "
            f"results and report now show these {len(now)}"
        ]

    def _mixtures(self) -> list[str]:
        """Cached train records that another torch or machine made: fine for quality, but worth a word."""
        made = [self.records[e.job.id] for e in self.plan.entries if self.state(e) == "cached"]
        here = self.describe([{"what": "machine"}])[0]
        lines = []
        torches = {r.versions.get("torch", "?") for r in made} - {here["versions"]["torch"]}
        if torches:
            lines.append(f"some cached results were made with torch {', '.join(sorted(torches))}, not the one here")
        cpus = {str(r.machine.get("cpu")) for r in made if r.kind == "train"} - {str(here["machine"]["cpu"])}
        if cpus:
            lines.append(f"some cached results were made on another machine: {', '.join(sorted(cpus))}")
        return lines

    def options(self) -> RunOptions:
        """How the loop is to run."""
        from dlbench.plan.duration import seconds
        from dlbench.worker.lock import lock_dir

        suite = self.plan.suite
        timeout_s = suite.timeout_s if self.flags.timeout is None else seconds(self.flags.timeout)
        if self.flags.timeout is not None and timeout_s is None:
            raise UsageError(f"--timeout {self.flags.timeout}: say 90s, 10m or 2h")
        return RunOptions(
            entries=self.waiting if suite.search is None else (),
            slots=self.slots,
            gpus=self.gpus,
            retry_failed=self.flags.retry_failed,
            timeout_s=timeout_s,
            budget_s=suite.budget_s if suite.search is None else None,  # of a search, no study begins more by then
            estimator=self.estimator,
            data_roots=self.data_roots,
            plugins=suite.plugins,
            lock_dir=lock_dir(),
            command=command_line(),
            code=code(),
        )

    def calibrations(self) -> dict[tuple[str, int], dict[str, Json]]:
        """What is kept of this machine for the (device, threads) of cost jobs to come; measured first where nothing is.

        It is the machine's, whichever executor works the jobs, so it is always measured below the warm process. A smoke
        run does without.
        """
        from dlbench.cli.calibrations import of_jobs

        kinds = {(entry.job.device, entry.job.threads) for entry in self.waiting if entry.job.kind == "cost"}
        if self.searching is not None:
            grids = [candidates.cost for candidates, _ in self.searching.heads if candidates.cost is not None]
            kinds |= {(default.device, grid.threads) for default in self.searching.defaults for grid in grids}
        if not kinds or self.flags.smoke:
            return {}
        return of_jobs(self.warm, self.describe([{"what": "machine"}])[0], kinds)

    def executor(self, name: str) -> Executor:
        """The executor of that name."""
        from dlbench.catalog import Catalog

        catalog = Catalog(self.plan.suite.plugins)
        executor: Executor = catalog.load("executors", name).build(self.warm)
        return executor


@contextmanager
def planned(flags: Flags, store: Store | None) -> Iterator[Planned]:
    """Read the suite, choose data, lay out all jobs, and look up what the store has of them."""
    from dlbench.plan.load import load_suite
    from dlbench.plan.plan import Datasets, make_plan
    from dlbench.plan.smoke import smoke

    options = data_options(flags.mirror, flags.offline or flags.smoke, flags.unofficial)
    with describing() as (warm, describe):
        suite = load_suite(flags.suite, flags.overrides, describe, sweep=flags.sweep)
        if flags.smoke:
            suite = smoke(suite, describe)
        earlier, before, doubts = _kept(store, suite.name, choices=not flags.re_resolve)
        records: dict[str, Record] = {}

        def know(job_id: str) -> Known:
            if job_id not in records and store is not None and (record := store.record(job_id)) is not None:
                records[job_id] = record
            if job_id not in records or records[job_id].status in AGAIN or flags.retry_failed:
                return "done" if job_id in records and records[job_id].status in DONE else "open"
            return "done" if records[job_id].status in DONE else "ended"

        datasets = Datasets(describe, options, suite.plugins, say)
        plan = make_plan(suite, datasets, before=before, earlier=earlier, know=know, smoke=flags.smoke)
        for entry in plan.entries:
            know(entry.job.id)
        if not plan.entries and suite.search is None:
            why = "`exclude:` leaves no combination" if suite.exclude else "the suite asks for no job"
            raise UsageError(f"{flags.suite}: nothing is left to run: {why}")
        doubts += [] if store is None else unreadable(store)
        yield Planned(flags, plan, store, warm, describe, records, know, earlier, doubts)


def _kept(store: Store | None, name: str, *, choices: bool) -> tuple[list[Entry], dict[str, Json], list[str]]:
    """A suite's last index and choices, and a line about each that is damaged: this run writes both anew."""
    entries: list[Entry] = []
    before: dict[str, Json] = {}
    doubts: list[str] = []
    if store is None or name not in store.suites():
        return entries, before, doubts
    try:
        entries = store.entries(name)
    except StoreError as error:
        doubts.append(str(error))
    try:
        before = store.choices(name) if choices else {}
    except StoreError as error:
        doubts.append(f"{error} Datasets are chosen anew.")
    return entries, before, doubts
