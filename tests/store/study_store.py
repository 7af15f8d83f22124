"""Studies written by hand into small stores, for the tests of the mirror."""

import hashlib
from typing import Any

from mlflow_store import STARTED, end, entry

from dlbench.schema.job import Entry
from dlbench.schema.search import Objective, SearchBudget, StrategyEntry
from dlbench.schema.space import Axis, Space
from dlbench.schema.study import StudyEvent, StudyHead, Told
from dlbench.store import studies
from dlbench.store.folder import Store

BEGAN_S = STARTED.timestamp() + 90  # half a minute after the first invocation began

SPACE = Space(
    axes=(
        Axis(name="train.lr", low=1e-4, high=1e-1, log=True),
        Axis(name="model.layers", choices=(1, 2, 4)),
        Axis(name="model.dropout", low=0.0, high=0.5, step=0.1, when={"model.layers": (2, 4)}),
    )
)


class Hand:
    """Writes a study as a search does: asked, index, record, told.

    Args:
        said: instead of what the head says by default.
    """

    def __init__(self, store: Store, seed: int = 0, strategy: str = "tpe", suite: str = "s", **said: Any) -> None:
        self.store = store
        self.suite = suite
        self.id = hashlib.sha256(f"{suite} {strategy} {seed}".encode()).hexdigest()[:16]
        self.t = BEGAN_S
        self.number = 0
        fields = {
            "space": SPACE,
            "objectives": (Objective(metric="val_accuracy", better="higher"),),
            "budget": SearchBudget(trials=8),
            **said,
        }
        self.head = StudyHead(
            id=self.id,
            suite=suite,
            task="text_classification",
            dataset="ag_news",
            strategy=StrategyEntry(name=strategy, label=strategy, params={"startup": 4}),
            seed=seed,
            seeds=(1000,),
            **fields,
        )
        studies.write_head(store, self.head)

    def ask(self, job: str | None = None, seed: int = 1000, **event: Any) -> Entry:
        """Ask for a candidate; its job is named in the index. Returns the line."""
        number, self.number = self.number, self.number + 1
        point = {"train.lr": 10 ** -(1 + number / 10), "model.layers": 1}
        self._log("asked", number, point=point, **event)
        line = entry(job or f"{self.id} {number}", seed, varied=point, study=self.id, candidate=number)
        line = line.model_copy(update={"label": "lstm"})
        self.store.add_entry(self.suite, line)
        return line

    def tell(self, line: Entry, *values: float, state: str = "ok", **told: Any) -> None:
        """A candidate has ended."""
        said = {"values": values or None, "jobs": (line.job.id,), "epochs": 4.0, **told}
        assert line.candidate is not None
        self._log("told", line.candidate, told=Told(state=state, **said))  # type: ignore[arg-type]

    def run(self, *values: float, job: str | None = None, **told: Any) -> tuple[str, int]:
        """A candidate from beginning to end; a job that has a record is not made again."""
        line = self.ask(job)
        made = (line.job.id, 1) if self.store.attempts(line.job.id) else end(self.store, line)
        self.tell(line, *values, **told)
        return made

    def _log(self, kind: str, number: int, **fields: Any) -> None:
        self.t += 10
        studies.log(self.store, self.id, StudyEvent(t=self.t, kind=kind, number=number, **fields))  # type: ignore[arg-type]
