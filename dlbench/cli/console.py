"""Where output goes: data to stdout, messages and progress to stderr."""

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

RED, YELLOW, PLAIN = "\x1b[31m", "\x1b[33m", "\x1b[0m"


def say(text: str = "") -> None:
    """A message to the person at the terminal, on stderr; one that nobody can read ends nothing."""
    _say(inert(text))


def _say(text: str) -> None:
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def complain(text: str) -> None:
    """An error, on stderr; red where colours are wanted."""
    colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    _say(f"{RED}{inert(text)}{PLAIN}" if colour else inert(text))


def warn(text: str) -> None:
    """A warning, on stderr."""
    colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    _say(f"{YELLOW}{inert(text)}{PLAIN}" if colour else inert(text))


def data(text: str) -> None:
    """Lines of data for a person, on stdout."""
    print(inert(text))


def prose(text: str) -> None:
    """Sentences for a person, on stdout; lines break between words where they are read in a terminal."""
    text = inert(text)
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
        text = "\n".join(textwrap.fill(line, width, break_on_hyphens=False) for line in text.splitlines())
    print(text)


def as_json(value: Any) -> None:
    """Data as JSON, on stdout."""
    json.dump(value, sys.stdout, indent=1, ensure_ascii=False, allow_nan=False)
    print()


def as_json_list(items: Iterable[Any]) -> None:
    """Many items as one JSON list, on stdout: each is written before the next is made."""
    from pydantic_core import to_json

    before = "[\n"
    for item in items:
        sys.stdout.write(before + to_json(item, indent=1, inf_nan_mode="null").decode())
        before = ",\n"
    print("[]" if before == "[\n" else "\n]")


def inert(text: str) -> str:
    """Text from anywhere, in which nothing moves the cursor, colours or turns the line: such characters are spelled."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def out() -> "Console":
    """A rich console on stdout, for tables; wide enough for every column when stdout is no terminal."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 200, highlight=False, markup=False)


def err() -> "Console":
    """A rich console on stderr, for progress."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False)
