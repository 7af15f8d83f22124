"""A file of a downloaded dataset, and a copy that was found."""

from pathlib import Path
from typing import Literal

from dlbench.schema.base import Value

Source = Literal["built-in", "cache", "mirror", "download"]


class DataFile(Value):
    """One file of a dataset as its official source publishes it.

    Attributes:
        folder: the dataset's folder below a mirror or the cache.
        name: official file name.
        url: official address.
        sha256: hexadecimal digest, where known.
        md5: hexadecimal digest that the source publishes; checked where no SHA-256 is known.
        size: bytes, roughly; shown before a download.
    """

    folder: str
    name: str
    url: str
    sha256: str | None = None
    md5: str | None = None
    size: int | None = None


class DataCopy(Value):
    """A usable copy of a dataset: what a job reads, and what its id and record say of it.

    Attributes:
        root: folder that holds the files; None for a built-in dataset.
        digest: `sha256:…` over the content (DESIGN: content digest).
        source: where the copy came from.
        official: every file has the digest that the official source publishes. Built-in datasets are official.
    """

    root: Path | None
    digest: str
    source: Source
    official: bool
