"""Contenders → jobs: train jobs seed by seed, cost jobs round by round, anchors for what is cached."""

from collections import deque
from collections.abc import Callable, Sequence

from dlbench.plan import identity
from dlbench.plan.contenders import Contender, Resolver
from dlbench.schema.job import CostPoint, Entry, Job
from dlbench.schema.record import Record
from dlbench.schema.suite import CostSettings
from dlbench.schema.train import TrainSettings

SPLITS = ("val", "test")


class Grid:
    """A source that names its jobs in order and learns nothing from their records."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._waiting = deque(entries)

    def ask(self) -> Entry | None:
        """The next entry, or None at the end."""
        return self._waiting.popleft() if self._waiting else None

    def tell(self, entry: Entry, record: Record) -> None:
        """A grid learns nothing."""

    @property
    def finished(self) -> bool:
        """Whether every entry has been named."""
        return not self._waiting


def expand(resolver: Resolver, earlier: Sequence[Entry], is_done: Callable[[str], bool]) -> list[Entry]:
    """All jobs of a suite, in an order in which what is cut short is still fair.

    Args:
        resolver: gives the contenders.
        earlier: the suite's last index; anchors in it stay.
        is_done: whether a job has an `ok` record.
    """
    contenders = resolver.contenders()
    entries = [train_entry(contender, seed) for seed in resolver.suite.seeds for contender in contenders]
    if resolver.suite.cost is not None:
        entries += CostGrid(resolver, resolver.suite.cost).entries(contenders, earlier, is_done)
    return entries


def train_entry(contender: Contender, seed: int) -> Entry:
    """One train job."""
    train = contender.train
    job_id = identity.job_id(
        kind="train",
        common=contender.common,
        precision=contender.precision,
        device=contender.device,
        threads=train.threads,
        train=identity.trained(train),
        seed=seed,
        splits=list(SPLITS),
        inputs={},
    )
    job = Job(
        id=job_id,
        kind="train",
        task=contender.task,
        dataset=contender.dataset,
        model=contender.model,
        train=train,
        precision=contender.precision,
        device=contender.device,
        threads=train.threads,
        seed=seed,
        splits=SPLITS,
    )
    return Entry(job=job, label=contender.label, varied=dict(contender.varied), skipped=contender.skipped)


class CostGrid:
    """Cost jobs of contenders.

    Args:
        resolver: knows the machine and the meters.
        settings: batch sizes, phases, rounds, threads.
    """

    def __init__(self, resolver: Resolver, settings: CostSettings) -> None:
        self.settings = settings
        self.machine = resolver.here["machine"]
        self.torch = resolver.here["versions"]["torch"]
        self.meters = resolver.meter_revisions(settings.phases)
        self.threads = settings.threads or int(self.machine["cores"])

    def entries(
        self, contenders: Sequence[Contender], earlier: Sequence[Entry], is_done: Callable[[str], bool]
    ) -> list[Entry]:
        """Rounds of all contenders, interleaved, with the anchors of this plan and of earlier ones."""
        rounds = range(self.settings.rounds)
        entries = [self.entry(c, size, n) for n in rounds for size in self.settings.batch_sizes for c in contenders]
        anchors = self._anchors(contenders, is_done)
        wanted = {entry.job.id for entry in anchors}
        for old in earlier:  # an anchor that is still this configuration's stays in the index
            cost = old.job.cost
            if cost is not None and cost.anchor and old.job.id not in wanted:
                again = [
                    self.entry(c, cost.batch_size, cost.round, anchor=True) for c in contenders if c.label == old.label
                ]
                anchors += [entry for entry in again if entry.job.id == old.job.id]
        return entries + anchors

    def _anchors(self, contenders: Sequence[Contender], is_done: Callable[[str], bool]) -> list[Entry]:
        """New rounds of one cached contender, when others join that have none yet: they show drift since then."""
        done = {
            number: {
                (size, n): is_done(self.entry(c, size, n).job.id)
                for n in range(self.settings.rounds)
                for size in self.settings.batch_sizes
            }
            for number, c in enumerate(contenders)
            if c.skipped is None
        }
        cached = [number for number, jobs in done.items() if all(jobs.values())]
        if not cached or all(any(jobs.values()) for jobs in done.values()):
            return []
        anchor = contenders[cached[0]]
        first = self.settings.rounds
        while is_done(self.entry(anchor, self.settings.batch_sizes[0], first, anchor=True).job.id):
            first += self.settings.rounds
        return [
            self.entry(anchor, size, first + n, anchor=True)
            for n in range(self.settings.rounds)
            for size in self.settings.batch_sizes
        ]

    def entry(self, contender: Contender, batch_size: int, round: int, *, anchor: bool = False) -> Entry:
        """One cost job."""
        kept = identity.costed(contender.train)
        job_id = identity.job_id(
            kind="cost",
            common=contender.common,
            precision=contender.precision,
            device=contender.device,
            threads=self.threads,
            train=kept,
            batch_size=batch_size,
            phases=list(self.settings.phases),
            round=round,
            hardware=identity.hardware(self.machine, contender.device),
            torch=self.torch,
            meters=self.meters,
        )
        job = Job(
            id=job_id,
            kind="cost",
            task=contender.task,
            dataset=contender.dataset,
            model=contender.model,
            train=TrainSettings.model_validate({**kept, "batch_size": batch_size}),
            cost=CostPoint(batch_size=batch_size, phases=self.settings.phases, round=round, anchor=anchor),
            precision=contender.precision,
            device=contender.device,
            threads=self.threads,
            splits=(),
        )
        return Entry(job=job, label=contender.label, varied=dict(contender.varied), skipped=contender.skipped)
