"""The warm process: imports torch once, then forks a child for each thing asked of it.

Requests come as lines of JSON on standard input, answers leave as lines on standard output:

    {"do": "work", "folder": …, "environment": {…}}    → {"started": folder, "pid": …}, {"ended": folder, "how": …}
    (after a lack of memory a second child follows up) → {"started": folder, "pid": …} once more
    (with "asks": true, meanwhile)                     → {"asks": folder}, as often as it asks whether to go on
    {"do": "answer", "folder": …, "go": true | false}  → the worker reads it (`dlbench.worker.question`)
    {"do": "kill", "folder": …}                        → its {"ended": …} comes at once
    {"do": "describe" | "check", "number": …, "asked": …, "imports": […]}
                                                       → {"number": …, "value": …} or {"number": …, "error": …}

It never runs an operator and never touches CUDA, so that its children can. It blocks until something happens. A
child leads a process group; the group goes when the child does, and all goes when the parent does.
"""

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlbench.errors import DlbenchError
from dlbench.worker import question
from dlbench.worker.lifeline import hold_on, holding_on

WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "0"}
"""Threads that wait for others spin for some microseconds, then sleep; must be set before torch loads its OpenMP.

Small steps have many short waits, in which going to sleep costs more than the wait; beside a busy neighbour, long
spinning keeps the very thread from its core that is waited for. `tests/benchmarks/bench_waiting.py` measures both.
"""

NO_CUDA = {"PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
"""Asking torch whether there is a GPU must not start CUDA here: it would be dead in every child."""

QUIET_PROFILER = {"KINETO_LOG_LEVEL": "5"}
"""It would tell the log of every start and stop."""

SINGLE_THREADED = {"OPENBLAS_NUM_THREADS": "1"}
"""numpy would start threads when it is imported, and only the forking thread lives on in a child."""

ENDED = "ended"
"""In the place of an error's class: the child ended before it could answer."""

FOLLOW_UP = 75
"""Exit code of a worker whose job ran out of memory: a fresh process is to look for the largest batch that fits."""

CHUNK_BYTES = 1 << 16


def ending(status: int) -> str:
    """How a process ended, in words: `exit code 1` or `killed by signal 9 (SIGKILL)`.

    Args:
        status: exit code, or minus the number of a signal (as `os.waitstatus_to_exitcode` has it).
    """
    if status >= 0:
        return f"exit code {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = "unnamed"
    return f"killed by signal {-status} ({name})"


@dataclass
class Child:
    """A forked child.

    Attributes:
        folder: of the job it works; None for a child that answers.
        number: of the request it answers.
        pipe: where its answer comes from.
        channel: where a working child asks whether to go on.
        environment: of a child that works a folder, and that another may have to follow up.
        killed: somebody wanted it to end.
    """

    pid: int
    folder: str | None = None
    environment: dict[str, str] | None = None
    killed: bool = False
    number: int | None = None
    pipe: int | None = None
    channel: socket.socket | None = None
    said: bytearray = field(default_factory=bytearray)


class Warm:
    """The serving loop.

    Args:
        functions: what each kind of request calls, `module:function`, imported in the child.
        lifeline: read end of the parent's lifeline.
        requests: descriptor of the requests.
        answers: descriptor of the answers.
    """

    def __init__(self, functions: dict[str, str], lifeline: int, requests: int, answers: int) -> None:
        self._functions = functions
        self._lifeline, self._requests, self._answers = lifeline, requests, answers
        self._children: dict[int, Child] = {}
        self._unread = b""
        self._ready_to_work = False
        self._imported: set[str] = set()
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = os.pipe()
        for fd in (self._woken, self._waker):
            os.set_blocking(fd, False)

    def serve(self) -> None:
        """Serve until the parent closes the requests, or dies."""
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(self._requests, selectors.EVENT_READ, self._take_requests)
        self._selector.register(self._lifeline, selectors.EVENT_READ, self._leave)
        self._selector.register(self._woken, selectors.EVENT_READ, self._reap)
        self._answer({"ready": True})
        while True:
            for key, _ in self._selector.select():
                key.data()

    def _leave(self) -> None:
        for child in self._children.values():
            _kill_group(child.pid)
        os._exit(0)

    def _answer(self, message: dict[str, Any]) -> None:
        data = memoryview(json.dumps(message).encode() + b"\n")
        while data:
            try:
                data = data[os.write(self._answers, data) :]
            except BrokenPipeError:
                self._leave()

    # --- requests ---------------------------------------------------------------------------------------------

    def _take_requests(self) -> None:
        data = os.read(self._requests, CHUNK_BYTES)
        if not data:
            self._leave()
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            request = json.loads(line)
            if request["do"] == "work":
                self._work(request["folder"], request["environment"], asks=request["asks"])
            elif request["do"] == "kill":
                self._kill(request["folder"])
            elif request["do"] == "answer":
                self._pass_on(request["folder"], go=request["go"])
            else:
                self._import(request["imports"])
                self._ask(request["do"], request["number"], request["asked"])

    def _import(self, names: list[str]) -> None:
        """Import modules that the children that follow need, and call functions (`module:function`) that remember.

        Each once; what is not there, or breaks, a child meets again and tells of.
        """
        new = [name for name in names if name not in self._imported]
        if not new:
            return
        self._imported.update(new)
        with _importing(self._lifeline):
            for name in new:
                module, _, function = name.partition(":")
                with contextlib.suppress(Exception):
                    found = importlib.import_module(module)
                    if function:
                        getattr(found, function)()

    def _get_ready_to_work(self) -> None:
        """Import what only jobs need, when the first one comes, so that answers before it come sooner."""
        self._ready_to_work = True
        with _importing(self._lifeline), contextlib.suppress(Exception):  # a child meets it again, and logs it
            importlib.import_module(self._functions["work"].partition(":")[0])
            if "torch" in sys.modules:  # it imports this itself at the first step: 1 s in every child
                importlib.import_module("torch._dynamo")

    def _work(self, folder: str, environment: dict[str, str], *, asks: bool, function: str = "work") -> None:
        if not self._ready_to_work:
            self._get_ready_to_work()
        ours, theirs = socket.socketpair() if asks else (None, None)

        def run() -> None:
            if ours is not None and theirs is not None:
                ours.close()
                os.environ[question.CHANNEL] = str(theirs.fileno())
            log = os.open(f"{folder}/log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.environ.update(environment)
            if _function(self._functions[function])(Path(folder)) == FOLLOW_UP:
                sys.exit(FOLLOW_UP)

        pid = self._fork(run)
        first = environment if function == "work" else None
        child = self._children[pid] = Child(pid, folder=folder, environment=first, channel=ours)
        if ours is not None and theirs is not None:
            theirs.close()
            self._selector.register(ours, selectors.EVENT_READ, lambda: self._hear_question(child))
        self._answer({"started": folder, "pid": pid})

    def _hear_question(self, child: Child) -> None:
        """A child asks whether to go on, or has closed its end."""
        if child.channel is None:  # reaped while this news of it waited for its turn
            return
        try:
            asked = child.channel.recv(CHUNK_BYTES)
        except ConnectionResetError:
            asked = b""
        if asked:
            self._answer({"asks": child.folder})
        else:
            self._hang_up(child)

    def _hang_up(self, child: Child) -> None:
        if child.channel is not None:
            self._selector.unregister(child.channel)
            child.channel.close()
            child.channel = None

    def _pass_on(self, folder: str, *, go: bool) -> None:
        for child in self._children.values():
            if child.folder == folder and child.channel is not None:
                with contextlib.suppress(OSError):  # it ended meanwhile
                    child.channel.send(question.GO if go else b"-")

    def _kill(self, folder: str) -> None:
        for child in self._children.values():
            if child.folder == folder:
                child.killed = True
                _kill_group(child.pid)

    def _ask(self, what: str, number: int, asked: Any) -> None:
        pipe, out = os.pipe()

        def run() -> None:
            with os.fdopen(out, "wb") as file:
                file.write(json.dumps(_reply(self._functions[what], asked)).encode())

        pid = self._fork(run)
        os.close(out)
        child = self._children[pid] = Child(pid, number=number, pipe=pipe)
        self._selector.register(pipe, selectors.EVENT_READ, lambda: self._listen(child))

    def _listen(self, child: Child) -> None:
        if child.pipe is None:  # reaped while this news of it waited for its turn
            return
        data = os.read(child.pipe, CHUNK_BYTES)
        child.said += data
        if not data:
            self._selector.unregister(child.pipe)
            os.close(child.pipe)
            child.pipe = None

    # --- children ---------------------------------------------------------------------------------------------

    def _fork(self, run: Callable[[], None]) -> int:
        sys.stdout.flush()
        sys.stderr.flush()
        warm = os.getpid()
        pid = os.fork()
        if pid:
            with contextlib.suppress(OSError):  # both sides do it, so that the group is there for whoever is first
                os.setpgid(pid, pid)
            return pid
        code = 1
        try:
            self._settle_in(warm)
            run()
            code = 0
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):  # a full disk must not keep the child alive
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _settle_in(self, warm: int) -> None:
        """Become a process of its own: group, signals, descriptors, lifeline."""
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._selector.close()
        others = [child.pipe for child in self._children.values() if child.pipe is not None]
        others += [child.channel.detach() for child in self._children.values() if child.channel is not None]
        for fd in (self._answers, self._woken, self._waker, *others):
            os.close(fd)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, self._requests)
        os.close(nothing)
        hold_on(self._lifeline, warm)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self._woken, 512):
                pass
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            child = self._children.pop(pid)
            _kill_group(pid)  # what the child left behind
            how = ending(os.waitstatus_to_exitcode(status))
            if child.folder is not None:
                self._hang_up(child)
                if not self._followed_up(child, os.waitstatus_to_exitcode(status)):
                    self._answer({"ended": child.folder, "how": how})
            else:
                while child.pipe is not None:
                    self._listen(child)
                self._answer(_last_words(child, how))

    def _followed_up(self, child: Child, code: int) -> bool:
        """Whether a second child goes on with the folder of one that has ended."""
        if code != FOLLOW_UP or child.environment is None or child.folder is None or child.killed:
            return False
        try:
            self._work(child.folder, child.environment, asks=False, function="follow_up")
        except OSError:  # there is no memory for it either; the first one's record stands
            return False
        return True


def _last_words(child: Child, how: str) -> dict[str, Any]:
    try:
        said = json.loads(bytes(child.said))
    except ValueError:
        said = {"error": {"class": ENDED, "message": f"the process that should answer ended ({how})"}}
    return {"number": child.number, **said}


def _reply(function: str, asked: Any) -> dict[str, Any]:
    try:
        return {"value": _function(function)(asked)}
    except DlbenchError as error:
        return {"error": {"class": type(error).__name__, "message": str(error)}}
    except Exception:  # a bug; the parent raises it again with this trace
        return {"error": {"class": "", "message": traceback.format_exc()}}


def _function(name: str) -> Callable[[Any], Any]:
    module, _, function = name.partition(":")
    found: Callable[[Any], Any] = getattr(importlib.import_module(module), function)
    return found


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


@contextlib.contextmanager
def _importing(lifeline: int) -> Iterator[None]:
    """Imports leave much behind, and little of it is garbage: nothing is collected meanwhile, which takes a fifth of
    their time. What is there then stays out of the reach of collections, so that those in children copy no page.
    """
    gc.disable()
    try:
        with holding_on(lifeline):
            yield
    finally:
        gc.freeze()
        gc.enable()


def main(argument: str) -> None:
    """Serve, as the parent's argument says.

    Args:
        argument: JSON with `lifeline` (a descriptor), `preload` (modules to import) and `functions`.
    """
    options = json.loads(argument)
    lifeline = options["lifeline"]
    os.set_inheritable(lifeline, False)
    os.environ.update(WAITING | NO_CUDA | QUIET_PROFILER | SINGLE_THREADED)
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever a module prints must not be taken for an answer
    with _importing(lifeline):
        for module in options["preload"]:
            importlib.import_module(module)
    Warm(options["functions"], lifeline, 0, answers).serve()
