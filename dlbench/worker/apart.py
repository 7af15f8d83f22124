"""Something done in a process of its own, forked from one that has run no operator yet."""

import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

from dlbench.errors import Unsupported
from dlbench.worker.lifeline import die_with

_used: list[bool] = []


def mark_used() -> None:
    """This process runs operators from now on: its threads, and CUDA, would be dead in a fork of it."""
    _used.append(True)


def in_child(function: Callable[[], Any]) -> tuple[Any, int]:
    """What a function answers in a forked child (JSON), and how the child ended.

    Returns:
        The answer, None where the child ended without one, and the exit code, or minus the number of a signal. What the
        function raises goes to standard error, and the code is 1.

    Raises:
        Unsupported: this process has run operators.
    """
    if _used:
        raise Unsupported("the search for the largest batch forks a process for each trial, which needs executor local")
    pipe, out = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(pipe)
            die_with(parent)
            with os.fdopen(out, "wb") as file:
                file.write(json.dumps(function()).encode())
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(out)
    with os.fdopen(pipe, "rb") as file:
        said = file.read()
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return (json.loads(said) if code == 0 else None), code
