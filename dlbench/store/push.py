"""One round of writing runs of one suite into MLflow: what is found, what is begun, what is completed, in which order.

Knows neither how a connection is made nor how a run looks.
"""

from typing import TYPE_CHECKING

from dlbench.errors import StoreError
from dlbench.schema.invocation import Invocation
from dlbench.store.identity import STATE, STORE, SUITE, identity_of, split, study_in, study_key
from dlbench.store.notes import experiment_note
from dlbench.store.runs import Found, Run, of_attempt, of_invocation
from dlbench.store.shelf import ENDED, KILLED, RUNNING, Item, Shelf
from dlbench.store.study_run import of_study
from dlbench.store.upkeep import NOTE, steps
from dlbench.store.views import links, views

if TYPE_CHECKING:
    from dlbench.store.mlflow import Experiment
    from dlbench.store.sync import Session

SEARCH_ALL_FROM = 20
"""With so many runs to write, one search for all that MLflow has is quicker than one for each."""


class Push:
    """One round of writing runs of one suite, with the ledger held."""

    def __init__(self, session: "Session", shelf: Shelf) -> None:
        self.session = session
        self.shelf = shelf
        with session.sending():
            self.experiment: Experiment = session.tracker.experiment(shelf.suite, shelf.description)
        self._found: dict[str, Found] | None = None

    def write(self, items: list[Item]) -> None:
        """Write what is missing of these: studies, then attempts, which may stand below them, then invocations.

        Last the experiment's own page, which tells of the latest invocation that found something.
        """
        missing = self.session.ledger.missing(items, self.experiment.identity)
        if len(missing) >= SEARCH_ALL_FROM:
            with self.session.sending():
                identity = {STORE: self.session.store.id, SUITE: self.shelf.suite}
                self._found = self.session.tracker.find(self.experiment, identity)
        studies = [item for item in missing if study_in(item.key) is not None]
        for item in studies:
            self._write_study(item)
        for item in missing:
            if item.state == ENDED:
                self._write_attempt(item)
            elif study_in(item.key) is None:
                self._write_invocation(item)
        self._describe()

    def _describe(self) -> None:
        """The experiment's note and its saved views, where nobody else has changed them."""
        told = [one for one in self.shelf.invocations.values() if one.ended_at is not None and one.verdict]
        if not told:
            return
        latest, experiment = told[-1], self.experiment
        with self.session.reading():
            shown = views(self.shelf.entries.values(), latest.scores)
            run_id = self.session.ledger.run_id(self.shelf.suite, experiment.identity, latest.id)
            note = experiment_note(latest, links(experiment.id, run_id, shown, report=latest.report is not None))
            wanted = {NOTE: note, **{view.tag: view.text(experiment.created_ms) for view in shown}}
            changes = list(steps(experiment.tags, wanted, latest.id, self.shelf.description))
        if changes:
            with self.session.sending():
                self.session.tracker.describe(experiment, changes)

    def _write_attempt(self, item: Item) -> None:
        found = self._find(item.key)
        if found is not None and found.whole:
            self._note(item, found.run_id)
            return
        study = self.shelf.study_of(item.key)
        parent = self._study(study) if study is not None else None
        if parent is None:
            invocation = self.shelf.parent(item.key)
            parent = self._parent(invocation) if invocation else None
        with self.session.reading():
            run = self._attempt(item.key)
        if run is not None:
            self._put(item, run, found, parent)

    def _write_invocation(self, item: Item) -> None:
        found = self._find(item.key)
        shown = found is not None and found.state == item.state and (found.whole or item.state == RUNNING)
        if found is not None and (shown or found.deleted):
            self._note(item, found.run_id)
            return
        invocation = self.shelf.invocations[item.key]
        with self.session.reading():
            run = of_invocation(self.session.store.id, invocation, self._outcome(invocation, item.state), item.state)
        self._put(item, run, found, None)

    def _write_study(self, item: Item) -> str | None:
        """MLflow's id of a study's run, which then shows the study as it is; None if the study cannot be read."""
        id = study_in(item.key)
        assert id is not None
        found = self._find(item.key)
        if found is not None and (found.state == item.state or found.deleted):
            self._note(item, found.run_id)
            return found.run_id
        invocation = self.shelf.began_in(id)
        parent = self._parent(invocation) if invocation else None
        try:
            with self.session.reading():
                course, phase = self.shelf.studies[id].course(), self.shelf.phase(id)
                run = of_study(self.session.store.id, self.shelf.suite, course, phase, item.state)
        except StoreError:  # the shelf tells of it
            return None
        return self._put(item, run, found, parent)

    def _study(self, id: str) -> str | None:
        """MLflow's id of a study's run, which is written if there is none; None if the study cannot be read."""
        known = self.session.ledger.run_id(self.shelf.suite, self.experiment.identity, study_key(id))
        return known if known is not None else self._write_study(self.shelf.study_item(id))

    def _parent(self, invocation: Invocation) -> str:
        """MLflow's id of an invocation's run, which is begun if there is none."""
        known = self.session.ledger.run_id(self.shelf.suite, self.experiment.identity, invocation.id)
        if known is not None:
            return known
        item = Item(self.shelf.suite, invocation.id, RUNNING)
        found = self._find(invocation.id)
        if found is not None:
            return found.run_id
        return self._put(item, of_invocation(self.session.store.id, invocation, None, RUNNING), None, None)

    def _attempt(self, key: str) -> Run | None:
        job_id, attempt = split(key)
        jobdir = self.session.store.jobdir(job_id, attempt)
        try:
            record = jobdir.record()
        except ValueError:
            record = None
        if record is None:
            self.session.problem = f"{jobdir.path / 'record.json'} cannot be read"
            return None
        shelf, store = self.shelf, self.session.store.id
        several, apart = shelf.several_models, shelf.apart
        line = shelf.entry(key)
        return of_attempt(store, shelf.suite, line, record, jobdir.path, several_models=several, apart=apart)

    def _outcome(self, invocation: Invocation, state: str) -> str | None:
        """MLflow's word: killed or interrupted, failed if any job did, else finished; None: it goes on."""
        if state in (RUNNING, KILLED):
            return None if state == RUNNING else "KILLED"
        statuses = {self._status(job, attempt) for job, attempt in invocation.made}
        if "interrupted" in statuses:
            return "KILLED"
        return "FINISHED" if statuses <= {"ok", "pruned", "skipped"} else "FAILED"

    def _status(self, job_id: str, attempt: int) -> str:
        try:
            record = self.session.store.jobdir(job_id, attempt).record()
        except ValueError:
            record = None
        return record.status if record is not None else "lost"

    def _find(self, key: str) -> Found | None:
        if self._found is None:
            with self.session.sending():
                identity = identity_of(self.session.store.id, self.shelf.suite, key)
                return self.session.tracker.find(self.experiment, identity).get(key)
        return self._found.get(key)

    def _put(self, item: Item, run: Run, found: Found | None, parent: str | None) -> str:
        with self.session.sending():
            run_id: str = self.session.tracker.put(self.experiment, run, found, parent)
        name = (item.suite, item.key)
        if found is None:
            self.session.created.add(name)
        elif name not in self.session.created:
            self.session.updated.add(name)
        if self._found is not None:
            self._found[item.key] = Found(run_id, run.status is not None, run.tags.get(STATE))
        self._note(item, run_id)
        return run_id

    def _note(self, item: Item, run_id: str) -> None:
        self.session.ledger.add(item, self.experiment.identity, run_id)
