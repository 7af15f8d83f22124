"""A world in which candidates are worth what a formula says: jobs end at once, what is written outlives a kill."""

import math
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from dlbench.catalog import Catalog
from dlbench.errors import UsageError
from dlbench.plan import identity
from dlbench.plan.search import Search
from dlbench.plan.studies import Studies
from dlbench.schema.event import Event
from dlbench.schema.job import DatasetRef, Entry, Job, ModelRef, TaskRef
from dlbench.schema.metric import Metric
from dlbench.schema.record import Record, RecordDataset, RecordPrecision
from dlbench.schema.search import Constraint, Objective, PrunerEntry, SearchBudget, SearchSettings, StrategyEntry
from dlbench.schema.space import Axis, Point, Space
from dlbench.schema.study import Study, StudyEvent, StudyHead
from dlbench.schema.train import TrainSettings
from dlbench.strategies._pruning import ParetoPruning, Pruning

EPOCHS = 6
SPACE = Space(
    axes=(
        Axis(name="train.lr", low=1e-4, high=1e-1, log=True),
        Axis(name="model.layers", low=1, high=4, integer=True),
        Axis(name="train.optimizer", choices=("adamw", "sgd")),
        Axis(name="train.momentum", low=0.0, high=0.9, when={"train.optimizer": ("sgd",)}),
    )
)
CELLS = Space(axes=tuple(Axis(name=f"model.{edge}", choices=tuple("abcde")) for edge in ("x", "y", "z")))


def loss(point: Point, seed: int, epoch: int = EPOCHS) -> float:
    """What a candidate's validation loss is after some epochs."""
    if "model.x" in point:
        best = sum(abs(ord(str(point[f"model.{edge}"])) - ord("c")) for edge in "xyz") / 6
    else:
        best = abs(math.log10(point["train.lr"]) + 2.5) + 0.2 * abs(point["model.layers"] - 3)
        best += 0.3 * abs(point.get("train.momentum", 0.45) - 0.45)
    noise = random.Random(f"{sorted(point.items())} {seed} {epoch}").gauss(0, 0.02)
    return best + 1.5 * math.exp(-epoch / 2) + noise


class Killed(Exception):
    """The process is gone."""


class World:
    """What survives: log lines and finished jobs. `fails` says of a point how its job ends."""

    def __init__(self, fails: Callable[[Point], str | None] = lambda point: None) -> None:
        self.log: list[StudyEvent] = []
        self.records: dict[str, tuple[Record, list[Event]]] = {}
        self.trained: list[str] = []
        self.fails = fails
        self.kill_after: int | None = None

    def write(self, event: StudyEvent) -> None:
        """Keep a line; the process may die right before it."""
        self._live()
        self.log.append(event)

    def _live(self) -> None:
        if self.kill_after is not None:
            self.kill_after -= 1
            if self.kill_after < 0:
                raise Killed

    def work(self, entry: Entry, report: Callable[[Entry, Event], bool], point: Point) -> Record:
        """Train: report every epoch, stop when told to; the record is kept unless the process dies before."""
        job = entry.job
        if job.id in self.records:
            record, events = self.records[job.id]
            for event in events:
                report(entry, event)
            return record
        self.trained.append(job.id)
        why = self.fails(point)
        events: list[Event] = []
        status: Any = "ok" if why is None else why
        for epoch in range(1, EPOCHS + 1) if why is None else ():
            value = loss(point, job.seed or 0, epoch)
            event = Event(t=0, kind="metrics", step=10 * epoch, epoch=epoch, values={"val_loss": value})
            events.append(event)
            if not report(entry, event) and epoch < EPOCHS:
                status = "pruned"
                break
        metrics = (
            [Metric(name="val_loss", value=events[-1].values["val_loss"], unit="nats", better="lower")]
            if events
            else []
        )
        metrics += [Metric(name="val_size", value=size(point), unit="count", better="lower")]
        record = record_of(job, status, metrics)
        self._live()
        self.records[job.id] = (record, events)
        return record


def size(point: Point) -> float:
    """A second thing to want less of."""
    return float(point.get("model.layers", 1))


def record_of(job: Job, status: Any, metrics: Sequence[Metric]) -> Record:
    return Record(
        id=job.id,
        attempt=1,
        kind=job.kind,
        status=status,
        reason=None if status == "ok" else "because",
        task=job.task,
        dataset=RecordDataset(**job.dataset.model_dump()),
        model=job.model,
        precision=RecordPrecision(asked="fp32"),
        device="cpu",
        threads=1,
        seed=job.seed,
        metrics=tuple(metrics) if status in ("ok", "pruned") else (),
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        duration_s=1.0,
    )


class Made:
    """Jobs of candidates (`dlbench.plan.candidates.Candidates`), without suites and shelves."""

    def __init__(self, first: Sequence[Point] = ()) -> None:
        self.settings = SearchSettings(first=tuple(first))

    def contender(self, point: Point) -> Any:
        if point.get("model.layers") == 1 and point.get("train.optimizer") == "adamw":
            raise UsageError("one layer is too few for adamw")
        return point

    def facts(self, contender: Any) -> dict[str, float]:
        return {"parameters": 1000.0 * size(contender), "flops_per_sample": 10.0, "train_size": 5.0}

    def measure(self, contender: Any, number: int) -> Entry | None:
        return None

    def train(self, contender: Any, number: int, seed: int) -> Entry:
        job = Job(
            id=identity.digest({"point": contender, "seed": seed}),
            kind="train",
            task=TaskRef(name="t"),
            dataset=DatasetRef(name="d", digest="0", source="built-in", official=True),
            model=ModelRef(name="m", params=dict(contender)),
            train=TrainSettings(epochs=EPOCHS),
            seed=seed,
            splits=("val",),
        )
        return Entry(job=job, label=f"m #{number}", varied=dict(contender), candidate=number)


def head(strategy: str = "tpe", space: Space = SPACE, pruner: PrunerEntry | None = None, **changes: Any) -> StudyHead:
    module = Catalog().load("strategies", strategy)
    params = {**module.Params().model_dump(mode="json"), **changes.pop("params", {})}
    fields: dict[str, Any] = {
        "id": "study",
        "suite": "s",
        "task": "t",
        "dataset": "d",
        "strategy": StrategyEntry(name=strategy, label=strategy, params=params),
        "seed": 0,
        "space": space,
        "objectives": (Objective(metric="val_loss", better="lower"),),
        "pruner": pruner,
        "budget": SearchBudget(trials=20),
        "seeds": (0,),
    }
    return StudyHead(**{**fields, **changes})


def search(world: World, head: StudyHead, made: Made | None = None, **more: Any) -> Search:
    """The study, brought to where the world's log ends."""
    module = Catalog().load("strategies", head.strategy.name)
    params = module.Params.model_validate(head.strategy.params)
    judge: Any = None
    if head.pruner is not None:
        pareto = head.judged_on == "pareto"
        judge = ParetoPruning(head.pruner, head.id) if pareto else Pruning(head.pruner, "lower", head.id)
    strategy = module.build(params, head.space, head.objectives, head.seed)
    return Search(head, strategy, judge, made or Made(), world.write, list(world.log), **more)  # type: ignore[arg-type]


def run(world: World, head: StudyHead, *, slots: int = 1, made: Made | None = None, **more: Any) -> Study:
    """Run a study to its end; `slots` jobs are handed out before the first of them is worked."""
    one = search(world, head, made, **more)
    source = Studies([one], lambda studies: [], lambda entry: None, lambda text: None)
    flying: list[Entry] = []
    while True:
        while len(flying) < slots and (entry := source.ask()) is not None:
            flying.append(entry)
        if not flying:
            assert source.finished
            return one.study
        entry = flying.pop(0)
        source.tell(entry, world.work(entry, source.report, entry.job.model.params))


__all__ = ["CELLS", "SPACE", "Constraint", "Killed", "Made", "World", "head", "run", "search"]
