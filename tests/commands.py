"""Whole `dlbench` commands, each in a process of its own.

The process is forked from one that has imported what commands import, pandas and scipy among it: starting Python and
importing them again takes a second, and there are hundreds of commands here. Whatever such a command starts itself it
starts as always. `Terminal.start` and the tests of imports start Python anew.
"""

import atexit
import io
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

PATIENCE_S = 240
"""Far beyond what any command here takes, also on a busy machine."""
IMPORTED = (
    "dlbench.cli.ending",
    "dlbench.cli.planning",
    "dlbench.cli.searching",
    "dlbench.report.build",
    "scipy.stats",
)
"""What most commands import, and what that imports."""

_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(list(IMPORTED))


class Done(NamedTuple):
    """What a command left on the terminal."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Done:
    """Run a command to its end.

    Args:
        arguments: behind `dlbench`.
        folder: where it is typed.
        environment: all that it sees of one.
    """
    with tempfile.TemporaryDirectory() as streams:
        out, err = Path(streams, "out"), Path(streams, "err")
        process = _server.Process(target=_work, args=(list(arguments), folder, dict(environment), out, err))
        process.start()
        process.join(PATIENCE_S)
        if process.exitcode is None:
            assert process.pid is not None
            os.killpg(process.pid, signal.SIGKILL)
            process.join()
        assert process.exitcode is not None
        return Done(process.exitcode, out.read_text(), err.read_text())


def stop() -> None:
    """End the process that commands are forked from: a test that weighs this process and its children wants none."""
    forkserver._forkserver._stop()  # type: ignore[attr-defined]
    resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]


def _work(arguments: list[str], folder: Path, environment: dict[str, str], out: Path, err: Path) -> NoReturn:
    """What Python does with `-m dlbench`, from its start to its end."""
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    tempfile.tempdir = None  # it depends on the environment
    sys.argv = ["dlbench", *arguments]
    for number, stream in ((0, os.open(os.devnull, os.O_RDONLY)), (1, _writable(out)), (2, _writable(err))):
        os.dup2(stream, number)
    sys.stdout = io.TextIOWrapper(open(1, "wb", closefd=False), "utf-8")
    sys.stderr = io.TextIOWrapper(open(2, "wb", closefd=False), "utf-8", "backslashreplace", line_buffering=True)
    code: Any = 1
    try:
        from dlbench.__main__ import main

        main()
        code = 0
    except SystemExit as leaving:
        code = leaving.code or 0
    except BaseException:
        traceback.print_exc()
    with suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code if isinstance(code, int) else 1)


def _writable(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
