"""Contenders → jobs: train jobs seed by seed, cost jobs round by round, anchors for what is cached."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal

from dlbench.plan import identity
from dlbench.plan.contenders import Contender, Resolver
from dlbench.schema.base import Json
from dlbench.schema.event import Event
from dlbench.schema.job import CostPoint, Entry, Job
from dlbench.schema.record import Record
from dlbench.schema.suite import CostSettings, Phase
from dlbench.schema.train import TrainSettings

SPLITS = ("val", "test")


class Grid:
    """A source that names its jobs in order and learns nothing from their records."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._waiting = deque(entries)

    def ask(self) -> Entry | None:
        """The next entry, or None at the end."""
        return self._waiting.popleft() if self._waiting else None

    def report(self, entry: Entry, event: Event) -> bool:
        """A grid stops nothing."""
        return True

    def tell(self, entry: Entry, record: Record) -> None:
        """A grid learns nothing."""

    @property
    def finished(self) -> bool:
        """Whether every entry has been named."""
        return not self._waiting


Known = Literal["done", "open", "ended"]
Know = Callable[[str], Known]
"""Job id → whether it is done, will be run, or ended otherwise and waits for the user."""


def expand(resolver: Resolver, earlier: Sequence[Entry], know: Know) -> list[Entry]:
    """All jobs of a suite, in an order in which what is cut short is still fair.

    Args:
        resolver: gives the contenders.
        earlier: the suite's last index; anchors in it stay.
        know: what the store has of a job.
    """
    contenders = resolver.contenders()
    entries = [train_entry(contender, seed) for seed in resolver.suite.seeds for contender in contenders]
    if resolver.suite.cost is not None:
        entries += CostGrid(resolver, resolver.suite.cost).entries(contenders, earlier, know)
    return entries


def train_entry(
    contender: Contender, seed: int, splits: tuple[str, ...] = SPLITS, table: str | None = None, **of: Json
) -> Entry:
    """One train job.

    Args:
        splits: that are scored; a candidate of a study leaves out the test split.
        table: answers instead of training.
        of: further fields of the entry.
    """
    train = contender.train
    answered: dict[str, Json] = {} if table is None else {"table": table}
    job_id = identity.job_id(
        kind="train",
        common=contender.common,
        precision=contender.precision,
        device=contender.device,
        threads=train.threads,
        train=identity.trained(train),
        seed=seed,
        splits=list(splits),
        inputs={},
        **answered,
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
        splits=splits,
        table=table,
    )
    fields = {"label": contender.label, "varied": dict(contender.varied), "skipped": contender.skipped, **of}
    return Entry(job=job, **fields)


class CostGrid:
    """Cost jobs of contenders.

    Args:
        resolver: knows the machine and the meters.
        settings: batch sizes, phases, rounds, threads, limits.
    """

    def __init__(self, resolver: Resolver, settings: CostSettings) -> None:
        self.settings = settings
        self.machine = resolver.here["machine"]
        self.torch = resolver.here["versions"]["torch"]
        self.kernels: dict[str, Json] = {"torchao": resolver.here["versions"].get("torchao")}
        of_memory = {"memory_gib", *(["decode_length"] if "decode" in settings.phases else [])}
        limits: dict[str, Json] = settings.model_dump(exclude_defaults=True, include={"limit_s", *of_memory})
        self.memory: dict[str, Json] = {key: limits.pop(key) for key in sorted(of_memory) if key in limits}
        self.timing: dict[str, Json] = {"meters": resolver.meter_revisions(settings.phases), **limits}
        self.threads = settings.threads or int(self.machine["cores"])

    def entries(self, contenders: Sequence[Contender], earlier: Sequence[Entry], know: Know) -> list[Entry]:
        """Rounds of all contenders, interleaved, with the anchors of this plan and of earlier ones in their rounds."""
        sizes = self.settings.batch_sizes
        anchors = self._anchors(contenders, know)
        entries: list[Entry] = []
        for n in range(self.settings.rounds):
            entries += [self.entry(c, size, n) for size in sizes for c in contenders]
            entries += [self.entry(c, size, first + n, anchor=True) for c, first in anchors for size in sizes]
        entries += self._searches(contenders)
        there = {entry.job.id for entry in entries}
        return entries + [entry for entry in self._kept(contenders, earlier) if entry.job.id not in there]

    def _kept(self, contenders: Sequence[Contender], earlier: Sequence[Entry]) -> list[Entry]:
        """Anchors of earlier plans that are still this configuration's."""
        kept = []
        for old in earlier:
            cost = old.job.cost
            if cost is not None and cost.anchor:
                same = [c for c in contenders if c.label == old.label]
                again = [self.entry(c, cost.batch_size, cost.round, anchor=True) for c in same]
                kept += [entry for entry in again if entry.job.id == old.job.id]
        return kept

    def _anchors(self, contenders: Sequence[Contender], know: Know) -> list[tuple[Contender, int]]:
        """A cached contender of each device and its first unused round, where others join for the first time.

        Measured again beside them, it shows drift between then and now.
        """
        sizes = self.settings.batch_sizes
        rounds = [(size, n) for n in range(self.settings.rounds) for size in sizes]
        cached: dict[str, Contender] = {}
        joins: set[str] = set()
        for contender in contenders:
            found = {know(self.entry(contender, size, n).job.id) for size, n in rounds if contender.skipped is None}
            if found == {"done"}:
                cached.setdefault(contender.device, contender)
            elif "done" not in found and "open" in found:
                joins.add(contender.device)
        return [(c, self._unused(c, know)) for device, c in cached.items() if device in joins]

    def _unused(self, contender: Contender, know: Know) -> int:
        """The first of as many rounds as there are, none of which is an anchor yet."""
        count = self.settings.rounds
        first = count
        while any(
            know(self.entry(contender, size, first + n, anchor=True).job.id) == "done"
            for size in self.settings.batch_sizes
            for n in range(count)
        ):
            first += count
        return first

    def _searches(self, contenders: Sequence[Contender]) -> list[Entry]:
        """For each contender and phase, the search for the largest batch that fits, if the suite asks for it."""
        if not self.settings.largest_batch:
            return []
        first = max(self.settings.batch_sizes)
        return [
            self.entry(contender, first, 0, largest=phase)
            for contender in contenders
            for phase in self.settings.phases
            if (contender.precision, phase) != ("int8", "train")  # such a model is trained in fp32
        ]

    def entry(
        self, contender: Contender, batch_size: int, round: int, *, anchor: bool = False, largest: Phase | None = None
    ) -> Entry:
        """One cost job.

        Args:
            largest: the phase whose largest batch is looked for, from `batch_size` on; None: a round.
        """
        kept = identity.costed(contender.train)
        phases = self.settings.phases if largest is None else (largest,)
        job_id = identity.job_id(
            kind="cost",
            common=contender.common,
            precision=contender.precision,
            device=contender.device,
            threads=self.threads,
            train=kept,
            batch_size=batch_size,
            phases=sorted(phases),
            round=round,
            hardware=identity.hardware(self.machine, contender.device),
            torch=self.torch,
            **(self.kernels if contender.precision.startswith("fp8") else {}),
            **self.memory,
            **({"largest_batch": True} if largest else self.timing),
            **({"anchor": True} if anchor else {}),
        )
        job = Job(
            id=job_id,
            kind="cost",
            task=contender.task,
            dataset=contender.dataset,
            model=contender.model,
            train=TrainSettings.model_validate({**kept, "batch_size": batch_size}),
            cost=CostPoint(
                batch_size=batch_size,
                phases=phases,
                round=round,
                anchor=anchor,
                limit_s=self.settings.limit_s,
                largest_batch=largest is not None,
                memory_gib=self.settings.memory_gib,
                decode_length=self.settings.decode_length,
            ),
            precision=contender.precision,
            device=contender.device,
            threads=self.threads,
            splits=(),
        )
        return Entry(job=job, label=contender.label, varied=dict(contender.varied), skipped=contender.skipped)
