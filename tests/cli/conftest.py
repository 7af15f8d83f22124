"""Folders in which commands are typed, and suites that were run once for all tests."""

import shutil
from pathlib import Path

import pytest
from terminal import QUIET, Finished, Terminal, environment, exploding


@pytest.fixture
def terminal(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """An empty folder."""
    return Terminal(tmp_path, environment(tmp_path_factory.getbasetemp()))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A suite run with everything, tracking and report included. To be looked at, not to be changed."""
    terminal = Terminal(tmp_path_factory.mktemp("finished"), environment(tmp_path_factory.getbasetemp()))
    suite = terminal.write(
        description="Is wider better?",
        models=["two_layer", {"model": "two_layer", "label": "wide", "params": {"hidden": 32}}],
        seeds=2,
        cost={"batch_sizes": [8], "phases": ["infer"], "rounds": 1, "limit_s": 0.1},
    )
    return Finished(terminal, terminal("run", suite))


@pytest.fixture
def again(finished: Finished, terminal: Terminal) -> Terminal:
    """A copy of that folder."""
    shutil.copytree(finished.terminal.folder, terminal.folder, dirs_exist_ok=True)
    return terminal


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A suite in which jobs succeed, fail, diverge, run out of memory and are skipped."""
    terminal = Terminal(tmp_path_factory.mktemp("mixed"), environment(tmp_path_factory.getbasetemp()))
    suite = terminal.write(
        "mixed",
        models=["two_layer", *(exploding(how) for how in ("infinite", "error", "memory"))],
        vary={"precision": ["fp32", "tf32"]},
    )
    return Finished(terminal, terminal("run", suite, *QUIET, code=1))
