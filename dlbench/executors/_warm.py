"""The parent's end of the warm process: start it when it is first needed, ask it, hear from it, let it go.

It does not know jobs and records, only folders. One thread uses it.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from dlbench import errors
from dlbench.contracts.executors import News
from dlbench.errors import DlbenchError, EnvironmentFault, UsageError
from dlbench.worker.warm import CHUNK_BYTES, ENDED, ending

BOOT = """\
import json, sys
sys.path[:] = json.loads(sys.argv[1])["path"]
from dlbench.worker.warm import main
main(sys.argv[1])
"""
"""The warm process finds modules exactly where its parent does."""

LEAVE_S = 2.0
"""The warm process has nothing to finish; if it is not gone by then, it is stuck and is killed."""


class Warm:
    """The warm process of this run, started by the first thing asked of it, and again after a death.

    Args:
        work: `module:function` that works a folder.
        describe: `module:function` that answers requests about shelves.
        check: `module:function` that tries to build jobs.
        follow_up: `module:function` that works a folder again whose first worker ran out of memory.

    The modules of these functions are imported once, for all children; that of `work` when the first job comes.
    """

    def __init__(
        self,
        *,
        work: str = "dlbench.worker.work:work",
        describe: str = "dlbench.worker.describe:describe",
        check: str = "dlbench.worker.check:check",
        follow_up: str = "dlbench.worker.fitting:follow_up",
    ) -> None:
        self.functions = {"work": work, "describe": describe, "check": check, "follow_up": follow_up}
        self._preload = sorted({name.partition(":")[0] for name in (describe, check)})
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline = -1
        self._stderr: IO[bytes] | None = None
        self._ready = False
        self._unread = b""
        self._number = 0
        self._replies: dict[int, dict[str, Any]] = {}
        self._working: dict[Path, int | None] = {}  # folder → process id, as soon as it is known
        self._news: list[News] = []

    def __enter__(self) -> "Warm":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Process id of the warm process, None while there is none."""
        return self._process.pid if self._process else None

    def wake(self) -> None:
        """Start the warm process, so that it imports while the parent does something else."""
        if self._process is not None:
            return
        read_end, self._lifeline = os.pipe()
        options = {"path": sys.path, "lifeline": read_end, "preload": self._preload, "functions": self.functions}
        self._stderr = tempfile.TemporaryFile()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", BOOT, json.dumps(options)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                pass_fds=(read_end,),
                start_new_session=True,  # Ctrl-C in the terminal is for the parent alone
            )
        except OSError as error:
            raise EnvironmentFault(f"the worker process cannot be started: {error.strerror}") from error
        finally:
            os.close(read_end)
        self._ready, self._unread = False, b""

    def describe(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Answers to requests about shelves and this machine, in order (`dlbench.worker.describe`).

        What is asked about parameters of is imported for all children that follow: a search asks again and again.
        """
        asked = {(r["shelf"], r["name"]) for r in requests if r.get("what") == "params"}
        modules = [f"dlbench.{shelf}.{name}" for shelf, name in sorted(asked)]
        return self._ask("describe", requests, imports=[*modules, "dlbench.catalog:installed"] if asked else ())

    def check(self, works: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Whether each work's model and task can be built, in order (`dlbench.worker.check`)."""
        return self._ask("check", works)

    def start(self, folder: Path, environment: Mapping[str, str], *, asks: bool = False) -> None:
        """Fork a child that works a folder, with some more environment variables.

        Args:
            asks: whether it may ask if it should go on; it then waits until it is answered.
        """
        self._send({"do": "work", "folder": str(folder), "environment": dict(environment), "asks": asks})
        self._working[folder] = None

    def answer(self, folder: Path, *, go: bool) -> None:
        """Answer the child that works a folder, and that asked whether to go on."""
        if folder in self._working:
            self._send({"do": "answer", "folder": str(folder), "go": go})

    def kill(self, folder: Path) -> None:
        """End the child that works a folder, and its children; `poll` tells when it is gone."""
        if folder in self._working:
            self._send({"do": "kill", "folder": str(folder)})

    def kill_all(self) -> None:
        """End every child that works a folder, and wait until they are gone; what they would tell is dropped."""
        for folder in tuple(self._working):
            self.kill(folder)
        give_up = time.monotonic() + LEAVE_S
        while self._working and (left_s := give_up - time.monotonic()) > 0:
            self._listen(left_s)
        self._news.clear()

    def poll(self, timeout_s: float) -> list[News]:
        """Folders whose child ended, waiting for the first at most so long."""
        if not self._news:
            self._listen(timeout_s)
        news, self._news = self._news, []
        return news

    def close(self) -> None:
        """Let the warm process go, with all its children."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        os.close(self._lifeline)
        try:
            self._process.wait(LEAVE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._forget()

    # --- talking ----------------------------------------------------------------------------------------------

    def _ask(self, what: str, asked: list[dict[str, Any]], imports: Sequence[str] = ()) -> list[dict[str, Any]]:
        self._number += 1
        number = self._number
        self._send({"do": what, "number": number, "asked": asked, "imports": list(imports)})
        while number not in self._replies:
            self._listen(None)
            if self._process is None:
                raise EnvironmentFault(f"the worker process ended while it was asked to {what}.")
        reply = self._replies.pop(number)
        if "error" in reply:
            if reply["error"]["class"] == ENDED:
                about = ", ".join(dict.fromkeys(str(request["name"]) for request in asked if "name" in request))
                raise EnvironmentFault(
                    f"{what} {about}".rstrip() + f": {reply['error']['message']}; a plugin may have ended it."
                )
            raise _raised(reply["error"], what)
        value: list[dict[str, Any]] = reply["value"]
        return value

    def _send(self, message: dict[str, Any]) -> None:
        self.wake()
        data = json.dumps(message).encode() + b"\n"
        try:
            self._write(data)
        except BrokenPipeError:  # it died since it was last heard: say so, and ask a new one
            self._listen(None)
            if message["do"] in ("kill", "answer"):
                return
            self.wake()
            self._write(data)

    def _write(self, data: bytes) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def _listen(self, timeout_s: float | None) -> None:
        """Hear what there is to hear, waiting for it at most so long (None: without end)."""
        if self._process is None:
            if timeout_s:
                time.sleep(timeout_s)
            return
        assert self._process.stdout is not None
        fd = self._process.stdout.fileno()
        if not select.select([fd], [], [], timeout_s)[0]:
            return
        data = os.read(fd, CHUNK_BYTES)
        if not data:
            self._mourn()
            return
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            self._hear(json.loads(line))

    def _hear(self, message: dict[str, Any]) -> None:
        if "ready" in message:
            self._ready = True
        elif "started" in message:
            self._working[Path(message["started"])] = message["pid"]
        elif "ended" in message:
            folder = Path(message["ended"])
            del self._working[folder]
            self._news.append(News(folder=folder, how=message["how"]))
        elif "asks" in message:
            self._news.append(News(folder=Path(message["asks"]), asks=True))
        else:
            self._replies[message["number"]] = message

    def _mourn(self) -> None:
        """The warm process died on its own: its children are gone with it, or go now."""
        assert self._process is not None
        os.close(self._lifeline)
        how = ending(self._process.wait())
        lost, ready, words = self._working, self._ready, self._last_words()
        self._forget()
        if not ready:
            raise EnvironmentFault(f"the worker process cannot start ({how}).{words}")
        for folder, pid in lost.items():
            if pid is not None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)
            self._news.append(News(folder=folder, how=f"its parent, the warm process, ended: {how}"))

    def _last_words(self) -> str:
        assert self._stderr is not None
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        return f" It said: {lines[-1]}" if lines else ""

    def _forget(self) -> None:
        assert self._process is not None
        assert self._stderr is not None
        for file in (self._process.stdin, self._process.stdout, self._stderr):
            if file is not None:
                with contextlib.suppress(BrokenPipeError):  # what was not yet sent
                    file.close()
        self._process, self._working = None, {}


def _raised(error: dict[str, str], what: str) -> Exception:
    """The exception to raise here for one that a child met."""
    found = getattr(errors, error["class"], None) if error["class"] else None
    if found is None:
        return RuntimeError(f"{what}: {error['message']}")
    if issubclass(found, UsageError):  # its subclasses take other arguments
        return UsageError(error["message"])
    return found(error["message"]) if issubclass(found, DlbenchError) else RuntimeError(error["message"])
