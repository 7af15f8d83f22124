"""The entry point: `dlbench` and `python -m dlbench`. Errors that a user can mend are printed here, once."""

import errno
import os
import sys
from typing import NoReturn

PIPE_CLOSED = 141
"""What a shell shows of a program that SIGPIPE ended."""

INTERRUPTED = 130


def main() -> None:
    """Run the command line and exit with its code."""
    from dlbench.cli.app import app
    from dlbench.cli.console import complain
    from dlbench.errors import DlbenchError, EnvironmentFault

    try:
        try:
            app(prog_name="dlbench")  # also as `python -m dlbench`, for usage lines and completion
        finally:
            sys.stdout.flush()  # what is buffered may yet meet a closed pipe or a full disk
    except DlbenchError as error:
        complain(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _interrupted()
    except SystemExit as error:
        if error.code == INTERRUPTED:
            _interrupted()
        if isinstance(error.__context__, BrokenPipeError):  # typer saw it first, and says 1
            sys.exit(PIPE_CLOSED)
        raise
    except BrokenPipeError:  # the reader of our output has gone: `dlbench results x | head`
        _silence()
        sys.exit(PIPE_CLOSED)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _silence()
        complain(f"no room is left to write to: {error.strerror}")
        sys.exit(EnvironmentFault.exit_code)


def _interrupted() -> NoReturn:
    """Say 130, always: Python would end itself by the signal if that came within an `exec`, as in an import."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(INTERRUPTED)


def _silence() -> None:
    """Send what is still buffered for stdout nowhere, so that the end of the process does not try again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
