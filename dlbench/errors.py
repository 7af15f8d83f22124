"""What can go wrong because of a user, a machine or a file: one class per cause, each with its exit code.

Everything here is caught once, in `dlbench.__main__`, and printed as plain lines without a traceback. An
exception of any other class that reaches the top is a bug in dlbench.
"""

from collections.abc import Sequence


class DlbenchError(Exception):
    """Base of every error that a user can cause or mend.

    `str(error)` is the full message, one or more lines: where, what, what was meant, what to do.
    """

    exit_code = 1


class UsageError(DlbenchError):
    """A command line, suite or name that cannot be used as it stands."""

    exit_code = 2


class Impossible(UsageError):
    """A configuration that cannot be.

    Args:
        what: why, without saying which.
        which: the configuration.
        hint: what to do about it in a grid.
    """

    def __init__(self, what: str, which: str = "", hint: str = "") -> None:
        self.what = what
        super().__init__(" ".join(part for part in (f"{which}:" if which else "", f"{what}.", hint) if part))


class SuiteError(UsageError):
    """All that is wrong with one suite file, found in one pass.

    Args:
        problems: complete lines, each `file:line:column path: what is wrong. What was meant.`, in file order.
        hints: what to do next; printed once, below the problems.
    """

    def __init__(self, problems: Sequence[str], hints: Sequence[str] = ()) -> None:
        self.problems = tuple(problems)
        self.hints = tuple(hints)
        super().__init__("\n".join((*self.problems, *self.hints)))


class EnvironmentFault(DlbenchError):
    """Something outside the suite is missing or broken: disk, package, process, device."""

    exit_code = 3


class StoreError(EnvironmentFault):
    """The store cannot be opened, read or written."""


class DataError(EnvironmentFault):
    """No copy of a dataset can be had, or a file is not what it should be."""


class JobFailed(DlbenchError):
    """Some jobs of a run failed, or a gate did not pass."""


class Diverged(DlbenchError):
    """A training loss became infinite or not a number; the record's status is `diverged`."""


class Unsupported(DlbenchError):
    """This device or task lacks what a job asks for; the record's status is `skipped`."""
