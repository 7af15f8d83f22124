"""Which copy of which dataset a plan uses: cache, mirror, download or built-in, in this order (DESIGN §5).

Knows no format: a dataset is a name and the files that its official source publishes.
"""

import json
from collections.abc import Mapping, Sequence

from dlbench.errors import DataError
from dlbench.plan.sources import (
    NOT_CACHED,
    DataOptions,
    FileStatus,
    Tell,
    from_cache,
    from_download,
    from_folder,
    from_web_mirror,
    hashed,
    located,
)
from dlbench.schema.base import Json, Value
from dlbench.schema.data import DataCopy, DataFile

__all__ = ["Candidate", "Choice", "DataOptions", "FileStatus", "Obtained", "choose", "located", "obtain"]


class Candidate(Value):
    """A dataset that a suite would accept.

    Attributes:
        files: none for a built-in dataset; all in one folder.
        params: complete, defaults included.
        revision: of the dataset's module.
    """

    name: str
    files: tuple[DataFile, ...] = ()
    params: dict[str, Json] = {}
    revision: int = 1


class Obtained(Value):
    """A copy, or None, and what there is to say about the sources that were passed over."""

    data: DataCopy | None
    notes: tuple[str, ...] = ()


class Choice(Value):
    """The first candidate that can be had: its place in the list, its copy, and why earlier ones were passed over."""

    index: int
    data: DataCopy
    notes: tuple[str, ...] = ()


def choose(candidates: Sequence[Candidate], options: DataOptions, tell: Tell = lambda line: None) -> Choice:
    """The first candidate that can be had.

    Args:
        candidates: in order of preference, at least one.
        options: where data may come from.
        tell: hears a line before something slow begins.

    Raises:
        DataError: none can be had.
    """
    notes: list[str] = []
    for index, candidate in enumerate(candidates):
        obtained = obtain(
            candidate.name,
            candidate.files,
            params=candidate.params,
            revision=candidate.revision,
            options=options,
            tell=tell,
        )
        if obtained.notes:
            notes.append(f"{candidate.name}: {'; '.join(obtained.notes)}")
        if obtained.data is not None:
            return Choice(index=index, data=obtained.data, notes=tuple(notes))
    hint = "Give a folder or address that has the files with --mirror, or a built-in dataset at the end of the list."
    raise DataError("\n".join(["no dataset can be had", *notes, hint]))


def obtain(
    name: str,
    files: Sequence[DataFile],
    *,
    params: Mapping[str, Json],
    revision: int,
    options: DataOptions,
    tell: Tell = lambda line: None,
) -> Obtained:
    """A usable copy of one dataset, from the first source that has one."""
    if not files:
        digest = hashed(json.dumps([name, revision, dict(params)], sort_keys=True, ensure_ascii=False))
        return Obtained(data=DataCopy(root=None, digest=digest, source="built-in", official=True))
    notes: list[str] = []
    for source in (from_cache, from_folder, from_web_mirror, from_download):
        data = source(files, options, notes, tell)
        if data is not None:
            # That it was not in the cache explains nothing once it was found elsewhere.
            return Obtained(data=data, notes=tuple(note for note in notes if note != NOT_CACHED))
    return Obtained(data=None, notes=tuple(notes))
