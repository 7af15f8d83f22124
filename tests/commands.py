"""Whole `dlbench` commands, each in a process of its own.

The process is forked from one that has imported what commands and workers import, pandas, scipy and torch among it:
starting Python and importing them again takes four seconds, and there are hundreds of commands here. So the warm
process of such a command is forked from the command, and is then told and does what it always is and does. Whatever
else a command starts it starts as always. `Terminal.start`, the tests of imports and those of the warm process start
Python anew.
"""

import atexit
import io
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import pairwise
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from dlbench.executors._warm import BOOT
from dlbench.worker.warm import WAITING

PATIENCE_S = 240
"""Far beyond what any command here takes, also on a busy machine."""
IMPORTED = (
    "dlbench.cli.ending",
    "dlbench.cli.planning",
    "dlbench.cli.searching",
    "dlbench.report.build",
    "dlbench.worker.check",
    "dlbench.worker.describe",
    "dlbench.worker.work",
    "scipy.stats",
    "torch._dynamo",
)
"""What most commands and workers import, and what that imports."""

os.environ.update(WAITING)  # before torch is loaded there

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


class Popen(subprocess.Popen[Any]):
    """What it always is, except that a warm process is forked from this one instead of started anew."""

    def __init__(self, args: Any, **options: Any) -> None:
        if args[1:3] == ["-c", BOOT]:
            sys.stdout.flush()
            sys.stderr.flush()
            options["preexec_fn"] = partial(_boot, args[1:], options["pass_fds"])
        super().__init__(args, **options)


def _boot(arguments: list[str], kept: Sequence[int]) -> NoReturn:
    """In the fork, which has its streams and its session: become what a new Python would be."""
    try:
        ends = [2, *sorted(kept), os.sysconf("SC_OPEN_MAX")]
        for before, behind in pairwise(ends):
            os.closerange(before + 1, behind)
        signal.set_wakeup_fd(-1)
        for number in signal.Signals:
            if callable(signal.getsignal(number)):
                signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.argv = ["-c", *arguments[2:]]
        exec(BOOT, {"__name__": "__main__"})
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(1)


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
    subprocess.Popen = Popen  # type: ignore[misc]
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
