"""The MLflow client: the only module that imports mlflow, so it is imported only where runs are to be written.

It writes what it is given (`dlbench.store.runs`) and finds it again by its tags. It does not know the store.
"""

import fcntl
import getpass
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, LifecycleStage, Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.store.db import utils as database_utils
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy.exc import SQLAlchemyError

from dlbench.errors import EnvironmentFault
from dlbench.store.address import database, shown
from dlbench.store.curves import Point
from dlbench.store.identity import PARENT, STATE, key_of
from dlbench.store.names import cut_tags
from dlbench.store.runs import Found, Run
from dlbench.store.upkeep import NOTE, steps

METRICS_A_BATCH = 800  # MLflow takes 1000 things at once, 100 params and 100 tags among them
PARAMS_A_BATCH = 100
FOUND_A_PAGE = 1000
EXPERIMENT_KIND = "custom_model_development"  # MLflow's pages open with runs and charts, not with traces and judges

# Left alone, mlflow asks a database that refuses it ten times, for 102 s.
database_utils.MAX_RETRY_COUNT = 2


class Experiment(NamedTuple):
    """A suite's experiment.

    Attributes:
        identity: differs when one of the same name was removed and made anew.
        tags: what it had when it was found.
    """

    id: str
    identity: str
    created_ms: int
    tags: Mapping[str, str]


class Tracker:
    """A connection to one MLflow.

    Args:
        uri: absolute tracking URI; an SQLite database that does not exist is made.

    Raises:
        EnvironmentFault: it cannot be opened.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._database = database(uri)
        with self._explained():
            if self._database is not None:
                create_database(self._database)
            self._client = MlflowClient(tracking_uri=uri)
        self._growing: dict[str, set[Point]] = {}  # run that goes on → points that it has

    def experiment(self, name: str, description: str) -> Experiment:
        """The experiment of a suite, made with that description if there is none.

        Raises:
            EnvironmentFault: it was deleted, or MLflow does not answer.
        """
        with self._explained():
            found = self._client.get_experiment_by_name(name)
            if found is None:
                # An SQLite client would put artifacts below the folder that it happens to run in.
                root = str(self._database.parent / "mlartifacts" / name) if self._database else None
                tags = {
                    "mlflow.experimentKind": EXPERIMENT_KIND,
                    **dict(steps({}, cut_tags({NOTE: description}), as_of="")),
                }
                with suppress(MlflowException):  # another process was quicker
                    self._client.create_experiment(name, root, tags)
                found = self._client.get_experiment_by_name(name)
            if found is None:
                raise EnvironmentFault(f"MLflow at {shown(self.uri)} does not make the experiment {name!r}.")
            if found.lifecycle_stage == LifecycleStage.DELETED:
                raise EnvironmentFault(
                    f"The MLflow experiment {name!r} was deleted. Bring it back with "
                    f"`mlflow experiments restore --experiment-id {found.experiment_id}`, "
                    "or remove it for good with `mlflow gc` and it is made anew."
                )
            identity = f"{found.experiment_id}@{found.creation_time}"
            return Experiment(found.experiment_id, identity, int(found.creation_time or 0), dict(found.tags))

    def describe(self, experiment: Experiment, steps: Iterable[tuple[str, str]]) -> None:
        """Set tags of an experiment, one by one, in order (`dlbench.store.upkeep.steps`)."""
        with self._explained():
            for name, text in steps:
                self._client.set_experiment_tag(experiment.id, name, text)

    def find(self, experiment: Experiment, identity: Mapping[str, str]) -> dict[str, Found]:
        """Runs with all of these tags, by key; deleted ones too, for the user did not want them.

        Args:
            identity: some or all of the tags of `Run.identity`.
        """
        tags = " and ".join(f"tags.`{name}` = '{value}'" for name, value in identity.items())
        found: dict[str, Found] = {}
        token = None
        with self._explained():
            while True:
                page = self._client.search_runs(
                    [experiment.id], tags, ViewType.ALL, max_results=FOUND_A_PAGE, page_token=token
                )
                for run in page:
                    key = key_of(run.data.tags)
                    deleted = run.info.lifecycle_stage == LifecycleStage.DELETED
                    whole = run.info.status != "RUNNING" or deleted
                    found[key] = Found(run.info.run_id, whole, run.data.tags.get(STATE), deleted)
                token = page.token
                if not token:
                    return found

    def put(self, experiment: Experiment, run: Run, found: Found | None, parent: str | None) -> str:
        """Write a run, or complete one that was begun; doing so again changes nothing.

        Args:
            found: what MLflow already has of it.
            parent: MLflow's id of the run above it.

        Returns:
            MLflow's id of the run. It is marked as ended last, so that a run that was left half-way is known.
        """
        with self._explained():
            tags = {**run.tags, **run.identity, **({PARENT: parent} if parent else {})}
            if found is None:
                # What comes last is left out here, so that a state stands for a whole run.
                first = {name: value for name, value in tags.items() if name != STATE}
                made = self._client.create_run(
                    experiment.id, run.started_ms, {**first, "mlflow.user": _user()}, run.name
                )
                run_id, points = str(made.info.run_id), run.points
            else:
                run_id, points = found.run_id, self._unwritten(found.run_id, run.points)
            if run.dataset is not None:
                self._client.log_inputs(run_id, [_input(run)])
            self._log(run_id, points, run.params)
            self._attach(run_id, run)
            if found is not None or STATE in tags:
                self._client.log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()])
            if run.status is not None:
                self._client.set_terminated(run_id, run.status, run.ended_ms)
                self._growing.pop(run_id, None)
            else:
                self._growing[run_id] = set(run.points)
                if found is not None and found.whole:  # a study that had ended goes on
                    self._client.update_run(run_id, "RUNNING")
            return run_id

    def _log(self, run_id: str, points: Sequence[Point], params: Mapping[str, str]) -> None:
        metrics = [Metric(point.name, point.value, point.time_ms, point.step) for point in points]
        pairs = [Param(name, value) for name, value in params.items()]
        while metrics or pairs:
            self._client.log_batch(run_id, metrics[:METRICS_A_BATCH], pairs[:PARAMS_A_BATCH])
            del metrics[:METRICS_A_BATCH], pairs[:PARAMS_A_BATCH]

    def _unwritten(self, run_id: str, points: Sequence[Point]) -> list[Point]:
        """Points that a run lacks: a folder of files would keep a second copy of a point."""
        if run_id in self._growing:
            return [point for point in points if point not in self._growing[run_id]]
        known = {
            (metric.key, metric.value, metric.timestamp, metric.step)
            for name in {point.name for point in points} & set(self._client.get_run(run_id).data.metrics)
            for metric in self._client.get_metric_history(run_id, name)
        }
        return [point for point in points if tuple(point) not in known]

    def _attach(self, run_id: str, run: Run) -> None:
        if not run.files and not run.texts:
            return
        served = self._served_folder(run_id)
        if served is not None:
            served.mkdir(parents=True, exist_ok=True)
        for path in run.files:
            if served is not None and path.is_dir():
                shutil.copytree(path, served / "report", dirs_exist_ok=True)
            elif served is not None:
                shutil.copy(path, served)
            elif path.is_dir():
                self._client.log_artifacts(run_id, str(path), "report")
            else:
                self._client.log_artifact(run_id, str(path))
        for name, text in run.texts.items():
            if served is not None:
                (served / name).write_text(text, encoding="utf-8")
            else:
                self._client.log_text(run_id, text, name)

    def _served_folder(self, run_id: str) -> Path | None:
        """Where `mlflow server` beside the database keeps artifacts of an experiment that was made through it."""
        if self._database is None:
            return None
        location: str = self._client.get_run(run_id).info.artifact_uri
        if not location.startswith("mlflow-artifacts:"):
            return None
        return self._database.parent / "mlartifacts" / location.removeprefix("mlflow-artifacts:").lstrip("/")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn whatever a client can throw into one line."""
        try:
            yield
        except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
            first = str(getattr(error, "message", None) or error).strip().partition("\n")[0]
            raise EnvironmentFault(f"MLflow at {shown(self.uri)} cannot be used: {shown(first)}") from error


def create_database(path: Path) -> None:
    """Make MLflow's SQLite database, if it is not there.

    MLflow's own first open runs dozens of migrations on the final file: two processes at once, or a kill, leave a
    file that never opens again. Here it appears whole, and one process makes it.
    """
    if _is_database(path):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    with open(path.with_name(f"{path.name}.lock"), "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_database(path):
            return
        for left in (draft, draft.with_name(f"{draft.name}-journal")):  # by a process that was killed
            left.unlink(missing_ok=True)
        store: Any = SqlAlchemyStore
        store(f"sqlite:///{draft}", str(path.parent / "mlruns")).engine.dispose()
        with open(draft, "rb") as written:
            os.fsync(written)
        os.rename(draft, path)


def _is_database(path: Path) -> bool:
    """Whether there is a database; an empty file is as good as none.

    Raises:
        OSError: the file is something else.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(16)
    except FileNotFoundError:
        return False
    if start and start != b"SQLite format 3\0":
        raise OSError(f"{path} is not an SQLite database")
    return bool(start)


def _input(run: Run) -> DatasetInput:
    assert run.dataset is not None
    name, digest, source, profile, context = run.dataset
    dataset = Dataset(name=name, digest=digest, source_type="dlbench", source=source, profile=profile)
    return DatasetInput(dataset, [InputTag("mlflow.data.context", context)])


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container whose user has no name
        return str(os.getuid())
