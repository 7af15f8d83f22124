"""Files of a store that cannot be understood: why, in one line for a person."""

import json
from pathlib import Path

from pydantic import ValidationError

SCHEMA = 1
"""Of records and suites, the newest that this dlbench knows."""


def why_unreadable(path: Path, error: Exception) -> str:
    """One line for a person: newer, or damaged how."""
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror}."
    try:
        json.loads(path.read_bytes())
    except (ValueError, OSError):
        return "is damaged: not whole JSON."
    if (schema := newer(path)) is not None:
        return f"was written by a newer dlbench (schema {schema})."
    assert isinstance(error, ValidationError)
    first = error.errors(include_url=False)[0]
    return f"is damaged: {'.'.join(map(str, first['loc']))}: {first['msg']}."


def newer(path: Path) -> int | None:
    """The schema of a file, if it is one that this dlbench does not know."""
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, OSError):
        return None
    schema = content.get("schema") if isinstance(content, dict) else None
    return schema if isinstance(schema, int) and schema > SCHEMA else None
