"""Which tags of an experiment are kept up to date: those that still say what was written last.

What somebody else wrote there stays, be it by hand in MLflow's pages. What was written is remembered, as digests, in
a tag of the experiment itself. A pure decision; knows no client.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping

NOTE = "mlflow.note.content"
MEMORY = "dlbench.written"


def steps(tags: Mapping[str, str], wanted: Mapping[str, str], as_of: str, plain: str = "") -> Iterator[tuple[str, str]]:
    """Tags to set, in this order, so that a kill in between is completed the next time; none if nothing is to change.

    Args:
        tags: what the experiment has.
        wanted: what it should have, as far as that is ours.
        as_of: when this was known, sorts by time; what another store wrote later stays.
        plain: the note of an experiment from a time when nothing was remembered.
    """
    last, known = _recall(tags.get(MEMORY))
    if as_of < last:
        return
    changes = {
        name: text
        for name, text in wanted.items()
        if tags.get(name) != text and _ours(tags.get(name), known.get(name), plain if name == NOTE else None)
    }
    if not changes:
        return
    both = {name: [_digest(text), _digest(tags.get(name))] for name, text in changes.items()}
    yield MEMORY, _remember(as_of, {**known, **both})
    yield from changes.items()
    yield MEMORY, _remember(as_of, {**known, **{name: [_digest(text)] for name, text in changes.items()}})


def _ours(now: str | None, written: list[str] | None, plain: str | None) -> bool:
    """Whether a tag may be replaced: it is as it was written, or nobody has written it yet."""
    if written is None:
        return now is None or now == plain
    return _digest(now) in written


def _recall(memory: str | None) -> tuple[str, dict[str, list[str]]]:
    """As of when was written, and what; nothing where somebody has changed the memory."""
    try:
        found = json.loads(memory or "{}")
        return str(found.get("as_of", "")), dict(found.get("digests", {}))
    except (ValueError, TypeError, AttributeError):
        return "", {}


def _remember(as_of: str, digests: Mapping[str, list[str]]) -> str:
    return json.dumps({"as_of": as_of, "digests": digests})


def _digest(text: str | None) -> str:
    return "none" if text is None else hashlib.sha256(text.encode()).hexdigest()[:12]
