"""Name → module, for all shelves. A name is a file name; names and summaries come without importing anything.

A shelf is a package (`dlbench.models`, `dlbench.tasks`, …). Files that start with `_` are shared parts. Outside
packages add to a shelf by an entry point in the group of the shelf's name; a suite adds single files (`plugins:`).
"""

import ast
import difflib
import importlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from types import ModuleType
from typing import Literal, get_args

from dlbench.errors import UsageError

Shelf = Literal["models", "tasks", "datasets", "meters", "executors", "strategies", "sections"]
SHELVES: tuple[Shelf, ...] = get_args(Shelf)
SINGULAR: Mapping[Shelf, str] = {
    "models": "model",
    "tasks": "task",
    "datasets": "dataset",
    "meters": "meter",
    "executors": "executor",
    "strategies": "strategy",
    "sections": "section",
}


class Catalog:
    """All shelves, with a suite's own files on top.

    Args:
        plugins: shelf → files; each stands on its shelf under its file name.
    """

    def __init__(self, plugins: Mapping[str, Sequence[str]] | None = None) -> None:
        self.plugins = {shelf: tuple(paths) for shelf, paths in (plugins or {}).items()}

    @cached_property
    def _files(self) -> dict[str, dict[str, Path | str]]:
        """Shelf → name → file, or module name for an entry point."""
        shelves: dict[str, dict[str, Path | str]] = {}
        for shelf in SHELVES:
            folder = Path(__file__).parent / shelf
            found: dict[str, Path | str] = {
                path.stem: path for path in sorted(folder.glob("*.py")) if not path.stem.startswith("_")
            }
            for point in installed():
                if point.group == f"dlbench.{shelf}":
                    found[point.name] = point.value
            for plugin in self.plugins.get(shelf, ()):
                found[Path(plugin).stem] = Path(plugin).resolve()
            shelves[shelf] = found
        return shelves

    def names(self, shelf: Shelf) -> tuple[str, ...]:
        """Every name on a shelf, sorted."""
        return tuple(sorted(self._files[shelf]))

    def source(self, shelf: Shelf, name: str) -> Path:
        """The file behind a name.

        Raises:
            UsageError: there is no such name; the message offers near ones.
        """
        self.require(shelf, name)
        found = self._files[shelf][name]
        if isinstance(found, Path):
            return found
        spec = importlib.util.find_spec(found.partition(":")[0])
        if spec is None or spec.origin is None:
            raise UsageError(f"the package that offers {SINGULAR[shelf]} {name!r} has no module {found!r}")
        return Path(spec.origin)

    def summary(self, shelf: Shelf, name: str) -> str:
        """First line of the module's docstring, read without importing it."""
        doc = ast.get_docstring(ast.parse(self.source(shelf, name).read_bytes())) or ""
        return doc.partition("\n")[0]

    def require(self, shelf: Shelf, name: str) -> None:
        """Refuse a name that is not on the shelf.

        Raises:
            UsageError: the message offers near names.
        """
        if name not in self._files[shelf]:
            raise UsageError(self.unknown(shelf, name))

    def unknown(self, shelf: Shelf, name: str) -> str:
        """`there is no model 'resent'. Did you mean 'resnet'?`"""
        return f"there is no {SINGULAR[shelf]} {name!r}.{did_you_mean(name, self._files[shelf])}"

    def load(self, shelf: Shelf, name: str) -> ModuleType:
        """Import the module behind a name."""
        self.require(shelf, name)
        found = self._files[shelf][name]
        if isinstance(found, str):
            return importlib.import_module(found.partition(":")[0])
        if found.parent == Path(__file__).parent / shelf:
            return importlib.import_module(f"dlbench.{shelf}.{name}")
        return _load_file(shelf, found)


NEEDED = {
    "models": ("REVISION", "Params", "accepts", "build"),
    "tasks": ("REVISION", "Params", "DATASETS", "SCORES", "outline", "build"),
    "datasets": ("REVISION", "Params", "TASKS"),
    "meters": ("REVISION", "PHASES", "CLOCKED", "build"),
}
"""Shelf → what every file on it must define (`dlbench.contracts`)."""


@cache
def installed() -> tuple[EntryPoint, ...]:
    """What installed packages add; looking through them takes 10 ms, and they do not change while we run."""
    points = (point for distribution in distributions() for point in distribution.entry_points)
    return tuple(point for point in points if point.group.startswith("dlbench."))


def _load_file(shelf: str, path: Path) -> ModuleType:
    module_name = f"dlbench_plugins.{shelf}.{path.stem}"
    loaded = sys.modules.get(module_name)
    if loaded is not None and loaded.__file__ == str(path):
        return loaded
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[module_name]
        raise UsageError(f"{path}: cannot be imported: {type(error).__name__}: {error}") from error
    needed = NEEDED.get(shelf, ())
    if missing := [name for name in needed if not hasattr(module, name)]:
        del sys.modules[module_name]
        raise UsageError(f"{path}: has no {' and no '.join(missing)}; a file in {shelf}/ needs {', '.join(needed)}")
    return module


def did_you_mean(word: str, known: Sequence[str] | Mapping[str, object]) -> str:
    """` Did you mean 'resnet'?` with a leading space, or nothing when no known word is near."""
    near = difflib.get_close_matches(word, list(known), n=2, cutoff=0.6)
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
