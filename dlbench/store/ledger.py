"""What one MLflow is known to show of one store: `<store>/mlflow/<hash of the URI>.jsonl`.

The ledger only saves time: who loses it finds everything again by the tags of the runs.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dlbench.errors import EnvironmentFault
from dlbench.store.address import database
from dlbench.store.shelf import Item


class Ledger:
    """What one MLflow is known to show of one store.

    Args:
        root: the store's folder.
        uri: absolute tracking URI.
    """

    def __init__(self, root: Path, uri: str) -> None:
        name = hashlib.sha256(uri.encode()).hexdigest()[:16]
        self.path = root / "mlflow" / f"{name}.jsonl"
        self.uri = uri
        self._experiments: dict[str, str] = {}
        self._runs: dict[tuple[str, str, str], tuple[str, str]] = {}
        self.read()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from writing this store into this MLflow; what they wrote before is read first.

        Raises:
            EnvironmentFault: the ledger cannot be written.
        """
        try:
            self.path.parent.mkdir(exist_ok=True)
            fd = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise EnvironmentFault(f"{self.path.parent}: cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            self.read()
            yield
        finally:
            os.close(fd)

    def read(self) -> None:
        """Read everything anew."""
        self._experiments, self._runs = {}, {}
        file = database(self.uri)
        if not self.path.exists() or (file is not None and not file.exists()):
            return
        for line in self.path.read_bytes().splitlines():
            try:
                suite, experiment, key, state, run_id = json.loads(line)
            except (ValueError, TypeError):
                continue  # torn by a kill; the run is found again by its tags
            self._experiments[suite] = experiment
            self._runs[suite, experiment, key] = (state, run_id)

    def add(self, item: Item, experiment: str, run_id: str) -> None:
        """Note that a run is in MLflow.

        Args:
            item: with the state that MLflow shows now.
            experiment: identity of the experiment; one that was made anew has another.
            run_id: MLflow's id.
        """
        self._experiments[item.suite] = experiment
        self._runs[item.suite, experiment, item.key] = (item.state, run_id)
        line = json.dumps([item.suite, experiment, item.key, item.state, run_id]) + "\n"
        with open(self.path, "ab") as file:
            if file.tell() and not self._ends_whole():
                line = f"\n{line}"
            file.write(line.encode())

    def run_id(self, suite: str, experiment: str, key: str) -> str | None:
        """MLflow's id of a run, if it is known."""
        known = self._runs.get((suite, experiment, key))
        return known[1] if known else None

    def missing(self, items: Iterable[Item], experiment: str | None = None) -> list[Item]:
        """Those items that MLflow is not known to show as they are.

        Args:
            experiment: identity of the suite's experiment; None: the one that was last written to.
        """
        return [item for item in items if not self._shows(item, experiment or self._experiments.get(item.suite, ""))]

    def _shows(self, item: Item, experiment: str) -> bool:
        known = self._runs.get((item.suite, experiment, item.key))
        return known is not None and known[0] == item.state

    def _ends_whole(self) -> bool:
        with open(self.path, "rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read() == b"\n"
