"""Every executor on the shelf works a folder, tells of it, and stops."""

import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "run"))

from tiny_jobs import TINY, entry, work_of

from dlbench.catalog import Catalog
from dlbench.contracts.executors import Executor, Resources
from dlbench.executors._warm import Warm
from dlbench.jobdir import JobDir

CATALOG = Catalog()


@pytest.mark.parametrize("name", CATALOG.names("executors"))
def test_executor(name: str, tmp_path: Path) -> None:
    assert CATALOG.summary("executors", name)
    folders = [tmp_path / str(number) for number in range(3)]
    for number, folder in enumerate(folders):
        JobDir(folder).create(work_of(entry("fail" if number else "ok", seed=number).job))
    with Warm(**TINY) as warm:
        executor: Executor = CATALOG.load("executors", name).build(warm)
        assert executor.poll(0.0) == []
        for folder in folders:
            executor.start(folder, Resources())
        told: list[Path] = []
        until = time.monotonic() + 10
        while len(told) < 3 and time.monotonic() < until:
            told += [news.folder for news in executor.poll(0.5)]
        assert sorted(told) == folders
        records = [JobDir(folder).record() for folder in folders]
        assert [record.status for record in records if record] == ["ok", "failed", "failed"]
        executor.kill(folders[0])  # it has ended: nothing happens
        assert executor.poll(0.1) == []
        executor.stop()


@pytest.mark.parametrize("name", [name for name in CATALOG.names("executors") if name != "inline"])
def test_what_runs_can_be_killed_and_stopped(name: str, tmp_path: Path) -> None:
    folders = [tmp_path / "killed", tmp_path / "stopped"]
    for number, folder in enumerate(folders):
        JobDir(folder).create(work_of(entry("stubborn", seed=number).job))
    with Warm(**TINY) as warm:
        executor: Executor = CATALOG.load("executors", name).build(warm)
        for folder in folders:
            executor.start(folder, Resources())
        executor.kill(folders[0])
        until = time.monotonic() + 5
        while not (news := executor.poll(0.2)):
            assert time.monotonic() < until
        assert [one.folder for one in news] == [folders[0]]
        assert "SIGKILL" in news[0].how
        began = time.monotonic()
        executor.stop()
        assert time.monotonic() - began < 2
    assert not any((folder / "record.json").exists() for folder in folders)
