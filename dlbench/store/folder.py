"""The store: a folder of job folders, the only truth about what was run.

    store.json                      format version, store id
    lock                            held by the one writer
    jobs/<id>/<attempt>/            one folder an attempt (`dlbench.jobdir`)
    suites/<name>/suite.json        the suite as it was last run
    suites/<name>/jobs.jsonl        which jobs belong to it; a search adds to it while it runs
    suites/<name>/choices.json      what was once decided for it (which dataset of a preference list)
    suites/<name>/invocations/      one file a call that changed something
    studies/<id>/                   a search (`dlbench.store.studies`)

It does not know how jobs are run, nor MLflow. Reading needs no lock: every file is written whole or appended.
"""

import fcntl
import gc
import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from dlbench.catalog import did_you_mean
from dlbench.errors import StoreError, UsageError
from dlbench.jobdir import JobDir, write_whole
from dlbench.schema.base import Json
from dlbench.schema.invocation import Invocation
from dlbench.schema.job import Entry, Work
from dlbench.schema.record import DONE, Record, Result
from dlbench.schema.suite import Suite
from dlbench.store.damage import newer, why_unreadable
from dlbench.store.lines import append, whole_lines
from dlbench.store.marker import check, listdir, make, unmake


class Store:
    """An opened store; get one from `Store.open`.

    Attributes:
        root: the store's folder, absolute.
        id: random, made with the store; tells its runs in MLflow from those of other stores.
        unreadable: file → why it could not be read; such records count as missing. Grows while reading.
    """

    def __init__(self, root: Path, id: str) -> None:
        self.root = root
        self.id = id
        self.unreadable: dict[Path, str] = {}
        self._jobs = f"{root}/jobs"  # text: joining paths took a fifth of the time of reading a record

    @classmethod
    def open(cls, root: Path, *, create: bool) -> "Store":
        """Open the store at a folder, or make one there.

        Raises:
            StoreError: there is none (and `create` is false), it is newer than this dlbench, the folder holds
                something else, or it cannot be read or written.
        """
        root = root.absolute()
        try:
            if create and not (root / "store.json").exists():
                make(root)
            text = (root / "store.json").read_bytes()
        except FileNotFoundError:
            raise StoreError(f"{root}: there is no dlbench store. `dlbench run SUITE` makes one.") from None
        except OSError as error:
            raise StoreError(f"{root}: the store cannot be opened: {error.strerror}") from error
        return cls(root, check(root, text))

    @contextmanager
    def writer(self) -> Iterator[None]:
        """Be the one writer of the store for a while; released when the process ends, however it ends.

        Raises:
            StoreError: another process is the writer, or the store cannot be written.
        """
        try:
            fd = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreError(f"{self.root}: the store cannot be written: {error.strerror}") from error
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = os.pread(fd, 32, 0).decode(errors="replace").strip() or "unknown"
                raise StoreError(
                    f"{self.root}: another dlbench (process {pid}) is writing this store. "
                    "Wait for it to end, or take another store with --store."
                ) from None
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(fd)

    @classmethod
    @contextmanager
    def writing(cls, root: Path) -> Iterator["Store"]:
        """Open the store at a folder, or make one there, and be its writer.

        A store that was made for this and into which nothing was written is taken away again.

        Raises:
            StoreError: as `open` and `writer`.
        """
        new, bare = not (root / "store.json").exists(), not root.exists()
        store = cls.open(root, create=True)
        with store.writer():
            try:
                yield store
            finally:
                if new and not set(listdir(root)) - {"store.json", "lock", ".gitignore"}:
                    unmake(root, bare)

    # --- jobs -------------------------------------------------------------------------------------------------

    def jobdir(self, job_id: str, attempt: int) -> JobDir:
        """The folder of an attempt, whether it exists or not."""
        return JobDir(Path(f"{self._jobs}/{job_id}/{attempt}"))

    def attempts(self, job_id: str) -> list[JobDir]:
        """All attempts at a job, first to last."""
        return [self.jobdir(job_id, number) for number in self._numbers(job_id)]

    def latest(self, job_id: str) -> tuple[int, Record | None] | None:
        """Number and record of the last attempt at a job; None if there was no attempt."""
        numbers = self._numbers(job_id)
        return (numbers[-1], self._read(self.jobdir(job_id, numbers[-1]))) if numbers else None

    def record(self, job_id: str) -> Record | None:
        """The `ok` record of a job if any attempt has one, else the latest record.

        Raises:
            StoreError: a newer dlbench made one; what cannot be understood must not be made again.
        """
        found = self._standing(job_id)
        return found[1] if found else None

    def folder(self, job_id: str) -> Path | None:
        """The folder of the attempt whose record `record` returns."""
        found = self._standing(job_id)
        return found[0].path if found else None

    def new_attempt(self, work: Work) -> JobDir:
        """Make the folder of the next attempt, with `job.json`; the number in `work` is replaced.

        Raises:
            StoreError: the folder cannot be written.
        """
        numbers = self._numbers(work.job.id)
        number = numbers[-1] + 1 if numbers else 1
        while True:
            jobdir = self.jobdir(work.job.id, number)
            try:
                jobdir.create(work.model_copy(update={"attempt": number}))
            except FileExistsError:
                number += 1
            except OSError as error:
                raise StoreError(f"{jobdir.path}: cannot be written: {error.strerror}") from error
            else:
                return jobdir

    def open_attempts(self) -> list[JobDir]:
        """Attempts that have a `job.json` but no record: still running, or left behind by a dead process."""
        found = []
        for job_id in sorted(listdir(self._jobs)):
            for jobdir in self.attempts(job_id):
                path = os.fspath(jobdir.path)
                if not os.path.exists(f"{path}/record.json") and os.path.exists(f"{path}/job.json"):
                    found.append(jobdir)
        return found

    def _numbers(self, job_id: str) -> list[int]:
        return sorted(int(name) for name in listdir(f"{self._jobs}/{job_id}") if name.isdecimal())

    def _standing(self, job_id: str) -> tuple[JobDir, Record] | None:
        last: tuple[JobDir, Record] | None = None
        for number in reversed(self._numbers(job_id)):
            jobdir = self.jobdir(job_id, number)
            record = self._read(jobdir)
            if record is not None and record.status in DONE:
                return jobdir, record
            if record is not None and last is None:
                last = jobdir, record
        return last

    def _read(self, jobdir: JobDir) -> Record | None:
        try:
            return jobdir.record()
        except (ValidationError, OSError) as error:
            path = jobdir.path / "record.json"
            self.unreadable[path] = why_unreadable(path, error)
            if (schema := newer(path)) is not None:
                raise StoreError(
                    f"{path}: was made by a newer dlbench (schema {schema}); update dlbench, "
                    "or take another store with --store."
                ) from error
            return None

    # --- suites -----------------------------------------------------------------------------------------------

    def suites(self) -> list[str]:
        """Names of all suites that were run into this store, sorted."""
        names = listdir(self.root / "suites")
        return sorted(name for name in names if (self._suite_folder(name) / "suite.json").exists())

    def suite(self, name: str) -> Suite:
        """A suite as it was last run.

        Raises:
            UsageError: it was never run into this store.
            StoreError: its file cannot be read.
        """
        path = self._known(name) / "suite.json"
        try:
            return Suite.model_validate_json(path.read_bytes())
        except (ValidationError, OSError) as error:
            raise StoreError(f"{path}: {why_unreadable(path, error)}") from error

    def write_suite(self, suite: Suite, entries: Sequence[Entry]) -> bool:
        """Write a suite and its index, replacing what an earlier run wrote.

        Returns:
            Whether that changed anything.

        Raises:
            StoreError: they cannot be written.
        """
        folder = self._suite_folder(suite.name)
        lines = "".join(f"{entry.model_dump_json()}\n" for entry in entries)
        changed = self.write(folder / "jobs.jsonl", lines.encode())
        return self.write(folder / "suite.json", suite.model_dump_json(indent=1, by_alias=True).encode()) or changed

    def add_entry(self, name: str, entry: Entry) -> None:
        """Add a line to a suite's index, for a job that was not known when the suite was written.

        Raises:
            StoreError: it cannot be written.
        """
        append(self._suite_folder(name) / "jobs.jsonl", entry.model_dump_json())

    def entries(self, name: str) -> list[Entry]:
        """The index of a suite.

        Raises:
            UsageError: the suite was never run into this store.
            StoreError: the index cannot be read.
        """
        path = self._known(name) / "jobs.jsonl"
        try:
            return [Entry.model_validate_json(line) for line in whole_lines(path)]
        except (ValidationError, OSError) as error:
            raise StoreError(f"{path}: {why_unreadable(path, error)} `dlbench run` writes it anew.") from error

    def results(self, name: str) -> list[Result]:
        """The index of a suite joined with the records of its jobs, in the index's order.

        Records that cannot be read count as missing and are told of in `unreadable`.
        """
        results = []
        with _no_collection():
            for entry in self.entries(name):
                jobdir, record = self._standing(entry.job.id) or (None, None)
                folder = str(jobdir.path) if jobdir else None
                results.append(Result.model_construct(entry=entry, record=record, folder=folder))
        return results

    def choices(self, name: str) -> dict[str, Json]:
        """What was once decided for a suite and is kept until it is decided anew; empty if nothing was.

        Raises:
            StoreError: the file cannot be read.
        """
        path = self._suite_folder(name) / "choices.json"
        try:
            kept = json.loads(path.read_bytes())
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise StoreError(f"{path}: cannot be read: {error.strerror}.") from error
        except ValueError as error:
            raise StoreError(f"{path}: is damaged: not whole JSON.") from error
        if not isinstance(kept, dict):
            raise StoreError(f"{path}: is damaged: it should hold a name for each task.")
        return kept

    def keep_choices(self, name: str, choices: Mapping[str, Json]) -> None:
        """Keep decisions for a suite, replacing all earlier ones."""
        data = json.dumps(dict(choices), indent=1, sort_keys=True).encode()
        self.write(self._suite_folder(name) / "choices.json", data)

    def write_invocation(self, invocation: Invocation) -> None:
        """Write the account of a call that changed something; written again when more is known."""
        path = self._suite_folder(invocation.suite) / "invocations" / f"{invocation.id}.json"
        self.write(path, invocation.model_dump_json(indent=1).encode())

    def invocations(self, name: str) -> list[Invocation]:
        """Calls that changed something in a suite, first to last; unreadable ones are told of in `unreadable`."""
        folder = self._suite_folder(name) / "invocations"
        found = []
        for path in sorted(folder / file for file in listdir(folder) if file.endswith(".json") and file[0] != "."):
            try:
                found.append(Invocation.model_validate_json(path.read_bytes()))
            except (ValidationError, OSError) as error:
                self.unreadable[path] = why_unreadable(path, error)
        return found

    def _suite_folder(self, name: str) -> Path:
        return self.root / "suites" / name

    def _known(self, name: str) -> Path:
        if name not in (names := self.suites()):
            raise UsageError(f"{self.root}: no suite {name!r} was run into this store.{did_you_mean(name, names)}")
        return self._suite_folder(name)

    def write(self, path: Path, data: bytes) -> bool:
        """Write a file unless it holds just that already, so that a run that changes nothing writes nothing.

        Returns:
            Whether it was written.
        """
        try:
            if path.exists() and path.read_bytes() == data:
                return False
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, data)
        except OSError as error:
            raise StoreError(f"{path}: cannot be written: {error.strerror}") from error
        return True


def new_invocation_id(now: datetime) -> str:
    """An id that is unique in a store and sorts by time."""
    return f"{now:%Y%m%dT%H%M%S%f}-{secrets.token_hex(2)}"


@contextmanager
def _no_collection() -> Iterator[None]:
    """Rest the cycle collector, and keep it from what is read: values have no cycles, and walking ten thousand of
    them again and again takes longer than reading them.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()
