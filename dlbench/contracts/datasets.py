"""What a file in `datasets/` must look like, and the dataset that comes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from dlbench.schema.base import Params
from dlbench.schema.data import DataFile


class Dataset(Protocol):
    """A dataset module bound to parameters and a folder (`dlbench.worker.data`)."""

    name: str
    params: Params
    digest: str
    revision: int
    source: str

    def split(self, split: str) -> Any:
        """The examples of `train`, `val` or `test`, in the form that the dataset's tasks agree on."""


class DatasetModule(Protocol):
    """A file in `datasets/`: either `FILES` and `load(split, root, params)`, or, built in, `make(split, params)`.

    The seed of a built-in dataset is one of its parameters (`seed`, default 0), never the job's.
    """

    REVISION: int
    Params: type[Params]
    TASKS: tuple[str, ...]
    FILES: tuple[DataFile, ...]

    def load(self, split: str, root: Path, params: Any) -> Any:
        """Examples of a split, read from files below `root`."""

    def make(self, split: str, params: Any) -> Any:
        """Examples of a split, generated."""
