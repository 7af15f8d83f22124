"""A dataset module bound to its parameters and a folder; knows no format and no network."""

import hashlib
from pathlib import Path
from types import ModuleType
from typing import Any

from dlbench.schema.base import Params


class BoundDataset:
    """A dataset module bound to parameters and a copy of its files.

    Args:
        module: a `dlbench.contracts.DatasetModule`; its file name is the dataset's name.
        params: validated, of the module's own `Params`.
        root: folder of the files; None for a built-in dataset.
        digest: the content digest of the copy.
    """

    def __init__(self, module: ModuleType, params: Params, root: Path | None, digest: str) -> None:
        self.name = module.__name__.rpartition(".")[2]
        self.params = params
        self.digest = digest
        self.revision: int = module.REVISION
        self.source = hashlib.sha256(Path(str(module.__file__)).read_bytes()).hexdigest()
        self._module = module
        self._root = root
        self._splits: dict[str, Any] = {}

    def split(self, split: str) -> Any:
        """The examples of `train`, `val` or `test`, read or generated once."""
        if split not in self._splits:
            self._splits[split] = (
                self._module.make(split, self.params)
                if self._root is None
                else self._module.load(split, self._root, self.params)
            )
        return self._splits[split]
