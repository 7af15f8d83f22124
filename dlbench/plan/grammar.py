"""A tree of nodes → the parts of a suite, each with its spot. Knows the grammar, and nothing of what is on a shelf."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlbench.plan.entries import ReadModel, ReadTask, read_models, read_tasks
from dlbench.plan.fields import READERS, read_keys, read_plugins
from dlbench.plan.nodes import Node, Problems, Spot
from dlbench.plan.searching import read_search
from dlbench.plan.words import show
from dlbench.schema.base import Json
from dlbench.schema.suite import ModelEntry, Suite

KEYS = (*READERS, "tasks", "models", "plugins", "search")
"""All keys of a suite."""


@dataclass(frozen=True)
class ReadSuite:
    """All that could be read of a suite.

    Attributes:
        root: the whole file.
        fields: fields of `Suite` apart from tasks and models; not to be trusted where there were problems.
        tasks: the tasks that have a name.
        models: the suite's own models that have a name.
    """

    root: Spot
    fields: dict[str, Any]
    tasks: tuple[ReadTask, ...]
    models: tuple[ReadModel, ...]

    @property
    def all_models(self) -> tuple[ReadModel, ...]:
        """The suite's models and those of its tasks."""
        return (*self.models, *(model for task in self.tasks for model in task.models or ()))

    @property
    def plugins(self) -> dict[str, tuple[str, ...]]:
        """Shelf → files of the user."""
        plugins: dict[str, tuple[str, ...]] = self.fields["plugins"]
        return plugins

    def models_of(self, task: ReadTask) -> tuple[ReadModel, ...]:
        """The models that stand against each other on a task."""
        return self.models if task.models is None else task.models

    def varied(self, model: ModelEntry) -> dict[str, tuple[Json, ...]]:
        """All that varies for a model; what it says itself goes over what the suite says."""
        return {**self.fields.get("vary", {}), **model.vary}

    def suite(self) -> Suite:
        """The suite, when there were no problems."""
        tasks = tuple(task.entry for task in self.tasks)
        return Suite(tasks=tasks, models=tuple(model.entry for model in self.models), **self.fields)


def read_suite(node: Node, folder: Path, problems: Problems) -> ReadSuite:
    """Read a whole tree whose short forms are open; plugins are looked for in the folder."""
    root = Spot(node, node.place)
    if not isinstance(node.value, dict):
        problems.at(node.place, f"a suite is a mapping (`name: …`, `tasks: …`), not {show(node.plain())}.")
        problems.raise_if_any()
    given = read_keys(root, KEYS, problems)
    fields: dict[str, Any] = {"plugins": {}}
    for key, (field, read) in READERS.items():
        if key in given:
            fields[field] = read(given[key], problems)
    if "plugins" in given:
        fields["plugins"] = read_plugins(given["plugins"], folder, problems)
    if "search" in given:
        fields["search"] = read_search(given["search"], problems)
    tasks = read_tasks(given["tasks"], problems) if "tasks" in given else ()
    models = read_models(given["models"], problems) if "models" in given else ()
    for key in ("name", "tasks"):
        if key not in given:
            problems.at(root.place, f"a suite needs `{key}:`.")
    if "models" not in given and any(task.models is None for task in tasks):
        problems.at(root.place, "a suite needs `models:`, of its own or in each of its tasks.")
    return ReadSuite(root, fields, tasks, models)
