"""The entry point: `dlbench` and `python -m dlbench`. Errors that a user can mend are printed here, once."""

import os
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    from dlbench.cli.app import app
    from dlbench.cli.console import complain
    from dlbench.errors import DlbenchError

    try:
        app(prog_name="dlbench")  # also as `python -m dlbench`, for usage lines and completion
    except DlbenchError as error:
        complain(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output has gone: `dlbench results x | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


if __name__ == "__main__":
    main()
