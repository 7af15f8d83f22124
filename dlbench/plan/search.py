"""One study: asks its strategy for candidates, hands out their jobs, judges, tells the strategy what became of them.

Everything that decides is written to the study's log before it has an effect, and everything can be brought back from
there: the strategy is a pure function of what was asked and told, and each of its answers is seeded by the study's
seed, the candidate's number and all that was told until then. A candidate has one job in flight at a time (what its
first jobs say may save the others); what fills the slots is other candidates. Knows no store, and no jobs of others.
"""

import hashlib
import json
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from dlbench.contracts.strategies import Strategy
from dlbench.errors import DlbenchError, Impossible
from dlbench.plan.candidate import Candidate, broken, result, summary, violations_of
from dlbench.plan.candidates import Candidates
from dlbench.schema.event import Event
from dlbench.schema.job import Entry
from dlbench.schema.record import DONE, Record
from dlbench.schema.space import Point, shown
from dlbench.schema.study import Origin, State, Study, StudyEvent, StudyHead, Told, trials_of

MOST_REPEATS = 200
"""So many candidates in a row that were tried before: the strategy has nothing new to say."""

HELPER_SEED = 2000
"""What a strategy trains for itself, it trains once, with a seed of the study's own: studies are to be independent."""

Log = Callable[[StudyEvent], None]


class Judge(Protocol):
    """A pruner over one study (`dlbench.strategies._pruning`)."""

    def begin(self, number: int) -> None:
        """A candidate has its number."""

    def report(self, number: int, step: int, value: Any, /) -> bool:
        """A candidate's value at a step: whether it should go on."""

    def end(self, number: int, state: State) -> None:
        """What became of a candidate."""


class Search:
    """One study as a source of jobs.

    Args:
        head: what it is.
        strategy: fresh; it is brought to where the log ends.
        judge: likewise; None: nothing is pruned.
        candidates: makes jobs.
        log: keeps a line; called before the line has an effect.
        past: lines of an earlier run.
        warm: what is known from elsewhere, told before the first question.
        say: tells the user what no job tells.
    """

    def __init__(
        self,
        head: StudyHead,
        strategy: Strategy,
        judge: Judge | None,
        candidates: Candidates,
        log: Log,
        past: Sequence[StudyEvent] = (),
        warm: Sequence[tuple[Point, Told]] = (),
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._say = say
        self.head, self._strategy, self._judge, self._candidates, self._log = head, strategy, judge, candidates, log
        self._warm = deque(warm)
        self._first = deque(dict(point) for point in candidates.settings.first)
        self._events: list[StudyEvent] = []
        self._running: dict[int, Candidate] = {}
        self._told: dict[int, Told] = {}
        self._known: dict[str, int] = {}  # candidate → number under which it was first asked
        self._next = self._tried = self._repeats = 0
        self._epochs = self._seconds = self._flops = 0.0
        self._digest = hashlib.sha256(head.id.encode())
        self._dry = self._closed = False
        self._bring_back(past)

    # --- the source -------------------------------------------------------------------------------------------

    def ask(self) -> Entry | None:
        """The next job, or None: none can be named now."""
        for candidate in self._running.values():
            if candidate.flying is None and candidate.jobs:
                entry = candidate.jobs.popleft()
                candidate.flying = entry.job.id
                return entry
        return self.ask() if self._add() else None

    def report(self, entry: Entry, event: Event) -> bool:
        """A validation of a candidate's training: whether it should go on; the same one again gets the same answer."""
        candidate = self._running.get(-1 if entry.candidate is None else entry.candidate)
        if candidate is None or event.step is None:
            return True
        steps = candidate.steps.setdefault(entry.job.id, [])
        if steps and event.step <= steps[-1]:
            return candidate.stopped_at != (entry.job.id, event.step)
        steps.append(event.step)
        if candidate.stopped_at is not None:  # an earlier training went on here; its end tells where the last one is
            return True
        candidate.epochs[entry.job.id] = event.epoch or 0.0
        if self._judge is None or self._over_seeds or len(candidate.steps) > 1 or candidate.helper:
            return True
        value = self._judged(candidate, event)
        if value is None:
            return True
        return self._put(candidate, len(steps), value, (entry.job.id, event.step))

    def tell(self, entry: Entry, record: Record) -> None:
        """A candidate's job has a record."""
        candidate = self._running.get(-1 if entry.candidate is None else entry.candidate)
        if candidate is None or candidate.flying != entry.job.id:
            return
        candidate.flying = None
        if record.status == "interrupted":
            candidate.jobs.appendleft(entry)  # the next run makes it again
            return
        candidate.records.append(record)
        told = self._verdict(candidate, record)
        if told is not None:
            self._end(candidate.number, told)

    @property
    def finished(self) -> bool:
        """Whether no job will be named any more."""
        return not self._running and (self._dry or not self._wants_more)

    def close(self) -> None:
        """Begin no more candidates; those that were begun are finished."""
        self._closed = True

    @property
    def study(self) -> Study:
        """All that happened so far."""
        return Study(head=self.head, trials=trials_of(self._events))

    # --- asking -----------------------------------------------------------------------------------------------

    @property
    def _wants_more(self) -> bool:
        budget, times = self.head.budget, self.head.strategy.times
        epochs = self._epochs + sum(sum(candidate.epochs.values()) for candidate in self._running.values())
        spent = (
            (self._tried, budget.trials),
            (epochs, budget.epochs),
            (self._seconds, budget.seconds),
            (self._flops, budget.flops),
        )
        within = all(limit is None or amount < limit * times for amount, limit in spent)
        return within and not self._closed and self._repeats < MOST_REPEATS

    def _add(self) -> bool:
        """Begin one candidate that has a job to hand out; False if there is none."""
        while self._wants_more:
            number, seed = self._next, self._seed(self._next)
            if self._warm:
                point, told = self._warm.popleft()
                self._strategy.asked(number, point, seed)
                if self._ask(number, point, "warm") is not None:
                    self._end(number, told)
                continue
            named = self._named(number, seed)
            if named is None:
                self._dry = True
                if not self._running:
                    self._say(f"{self._name} has nothing more to name: it ends after {self._tried} candidates")
                return False
            candidate = self._ask(number, *named)
            if candidate is not None:
                self._prepare(candidate)
                if candidate.jobs:
                    return True
        if self._repeats >= MOST_REPEATS:
            again = f"{MOST_REPEATS} times in a row it named what it had tried before"
            self._say(f"{self._name}: {again}: it ends after {self._tried} candidates")
            self._closed = True
        return False

    @property
    def _name(self) -> str:
        return f"{self.head.strategy.label} (study {self.head.seed} on {self.head.dataset})"

    def _named(self, number: int, seed: int) -> tuple[Point, Origin] | None:
        """The candidate of a number: of the suite's own list while that lasts, then of the strategy."""
        if self._first:
            point = self._first.popleft()
            self._strategy.asked(number, point, seed)
            return point, "first"
        proposal = self._strategy.ask(number, seed)
        if proposal is None:
            return None
        return proposal.point, "helper" if proposal.helper else "strategy"

    def _seed(self, number: int) -> int:
        """Of the answer to one question."""
        text = f"{self.head.seed} {number} {self._digest.hexdigest()}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1

    def _ask(self, number: int, point: Point, origin: Origin) -> Candidate | None:
        """Write down that a candidate has its number; None if another answers for it."""
        twin = self._known.get(_key(point))
        self._note(StudyEvent(t=time.time(), kind="asked", number=number, point=point, origin=origin, same_as=twin))
        self._asked(number, point, origin, twin)
        if twin is None:
            return self._running[number]
        if twin in self._told:
            self._end(number, _repeated(self._told[twin]))
        return None

    def _asked(self, number: int, point: Point, origin: Origin, twin: int | None) -> None:
        """What follows from a line `asked`, now or long ago."""
        self._next = number + 1
        self._dry = False
        if self._judge is not None:
            self._judge.begin(number)
        if twin is not None:
            self._repeats += 1
            if twin in self._running:
                self._running[twin].echoes.append(number)
            return
        self._repeats = 0
        self._tried += origin not in ("warm", "helper")
        self._known[_key(point)] = number
        self._running[number] = Candidate(number, point, origin)

    def _prepare(self, candidate: Candidate) -> None:
        """Lay out a candidate's jobs, unless it can be told right away that it is none."""
        make, seeds = self._candidates, self.head.seeds
        try:
            contender = make.contender(candidate.point)
            candidate.facts = make.facts(contender)
        except DlbenchError as error:
            why = error.what if isinstance(error, Impossible) else str(error)
            self._tell_user(candidate, "failed", why)
            self._end(candidate.number, Told(state="failed", reason=why))
            return
        if why := broken(violations_of(self.head, candidate.facts)):
            self._tell_user(candidate, "infeasible", why)
            self._end(candidate.number, summary(self.head, candidate, "infeasible", why))
            return
        cost = None if candidate.helper else make.measure(contender, candidate.number)
        if candidate.helper:
            seeds = (HELPER_SEED + self.head.seed,)
        entries = [make.train(contender, candidate.number, seed) for seed in seeds]
        own = [entry.model_copy(update={"study": self.head.id}) for entry in ([cost] if cost else []) + entries]
        candidate.jobs = deque(own)

    def _tell_user(self, candidate: Candidate, state: State, why: str) -> None:
        """What no job will tell of."""
        values = " ".join(f"{name.rpartition('.')[2]}={shown(value)}" for name, value in candidate.point.items())
        self._say(f"#{candidate.number} {values}: {state}: {why}")

    # --- judging ----------------------------------------------------------------------------------------------

    @property
    def _over_seeds(self) -> bool:
        return self.head.pruner is not None and self.head.pruner.name == "wilcoxon"

    def _judged(self, candidate: Candidate, event: Event) -> object | None:
        """What the pruner is shown of a validation: a value, or losses of all objectives that are known by then."""
        known = {**candidate.facts, **event.values}
        if self.head.judged_on != "pareto":
            return known.get(self.head.judged_on) if self.head.judged_on in event.values else None
        values = [known.get(objective.metric) for objective in self.head.objectives]
        losses = [
            v if o.better == "lower" else -v for o, v in zip(self.head.objectives, values, strict=True) if v is not None
        ]
        return tuple(losses) if losses and len(losses) == len(values) else None

    def _put(self, candidate: Candidate, step: int, value: object, at: tuple[str, int]) -> bool:
        """Show the pruner a value, write its answer down, keep to it."""
        assert self._judge is not None
        go = self._judge.report(candidate.number, step, value)
        scalar = float(value) if isinstance(value, int | float) else float("nan")
        if isinstance(value, int | float):
            candidate.curve.append((step, float(value)))
        self._note(
            StudyEvent(
                t=time.time(),
                kind="reported",
                number=candidate.number,
                step=step,
                value=scalar if math.isfinite(scalar) else None,
                losses=value if isinstance(value, tuple) else None,
                go=go,
            )
        )
        if not go:
            candidate.stopped_at = at
        return go

    def _verdict(self, candidate: Candidate, record: Record) -> Told | None:
        """What a new record makes of its candidate; None: it goes on."""
        if record.status not in (*DONE, "pruned"):
            return summary(self.head, candidate, "failed", f"{record.status}: {record.reason}")
        if record.kind == "cost":
            measured = {m.name: m.value for m in record.metrics if m.value is not None}
            candidate.facts = {**measured, **candidate.facts}
            why = broken(violations_of(self.head, candidate.facts))
            return summary(self.head, candidate, "infeasible", why) if why else None
        steps = candidate.steps.get(record.id, [])
        whole = record.status in DONE and candidate.stopped_at == (record.id, steps[-1] if steps else 0)
        if candidate.stopped_at is not None and not whole:
            at = len([step for step in steps if step <= candidate.stopped_at[1]])
            return summary(self.head, candidate, "pruned", f"the pruner stopped it after validation {at}")
        candidate.stopped_at = None  # what comes with the last validation saves nothing
        if candidate.jobs:
            return self._after_seed(candidate, record)
        return result(self.head, candidate)

    def _after_seed(self, candidate: Candidate, record: Record) -> Told | None:
        """One of several seeds has ended well: a pruner over seeds is asked whether the others are worth it."""
        found = record.metric(self.head.judged_on)
        if self._judge is None or not self._over_seeds or found is None or found.value is None:
            return None
        seeds = len(candidate.trained)
        if self._put(candidate, seeds, found.value, (record.id, -1)):
            return None
        return summary(
            self.head, candidate, "pruned", f"the pruner stopped it after {seeds} of {len(self.head.seeds)} seeds"
        )

    # --- telling ----------------------------------------------------------------------------------------------

    def _end(self, number: int, told: Told) -> None:
        """Write down what became of a candidate, and tell whoever has to know, equal candidates too."""
        echoes = self._running[number].echoes if number in self._running else []
        self._note(StudyEvent(t=time.time(), kind="told", number=number, told=told))
        self._take(number, told)
        for echo in echoes:
            self._end(echo, _repeated(told))

    def _take(self, number: int, told: Told) -> None:
        """What follows from a line `told`, now or long ago."""
        self._running.pop(number, None)
        self._told[number] = told
        self._dry = False
        self._epochs, self._seconds = self._epochs + told.epochs, self._seconds + told.seconds
        self._flops += told.flops
        timeless = told.model_dump(mode="json", include={"state", "values", "violations", "outputs"})
        self._digest.update(json.dumps([number, timeless], sort_keys=True).encode())
        self._strategy.tell(number, told)
        if self._judge is not None:
            self._judge.end(number, told.state)

    def _note(self, event: StudyEvent) -> None:
        self._log(event)
        self._events.append(event)

    # --- resuming ---------------------------------------------------------------------------------------------

    def _bring_back(self, past: Sequence[StudyEvent]) -> None:
        """Let the lines of a log have the effect again that they had, and go on with what they left open.

        A candidate that was not told is made again, or found finished in the store; it will report again.
        """
        ended = {event.number for event in past if event.kind == "told"}
        reported: set[tuple[int, int | None]] = set()
        lent: dict[int, Told] = {}
        for event in past:
            self._events.append(event)
            number = event.number
            if event.kind == "asked" and event.point is not None:
                if event.origin == "warm" and self._warm:
                    lent[number] = self._warm.popleft()[1]
                elif event.origin == "first" and self._first:
                    self._first.popleft()
                self._strategy.asked(number, event.point, self._seed(number))
                self._asked(number, event.point, event.origin, event.same_as)
            elif event.kind == "told" and event.told is not None and number not in self._told:
                self._take(number, event.told)
            elif event.kind == "reported" and number in ended and (number, event.step) not in reported:
                reported.add((number, event.step))
                self._show_again(event)
        self._go_on(past, lent)

    def _show_again(self, event: StudyEvent) -> None:
        """Bring the pruner to where it was; its answer stands in the log."""
        if self._judge is not None and event.step is not None:
            value = event.losses if event.losses is not None else event.value
            self._judge.report(event.number, event.step, float("nan") if value is None else value)

    def _go_on(self, past: Sequence[StudyEvent], lent: dict[int, Told]) -> None:
        for event in past:
            if event.kind == "asked" and event.number not in self._told:
                if event.number in lent:
                    self._end(event.number, lent[event.number])
                elif event.same_as in self._told:
                    self._end(event.number, _repeated(self._told[event.same_as]))
        for candidate in tuple(self._running.values()):
            self._prepare(candidate)


def _key(point: Point) -> str:
    return json.dumps(point, sort_keys=True)


def _repeated(told: Told) -> Told:
    """The same news about an equal candidate, free of charge."""
    return told.model_copy(update={"epochs": 0.0, "seconds": 0.0, "flops": 0.0, "jobs": ()})
