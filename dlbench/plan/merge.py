"""What a suite says about one contender, level over level: suite < task < model; and what the contender is called."""

from dlbench.schema.base import Json
from dlbench.schema.suite import ModelEntry, Suite, TaskEntry

BUDGETS = ("epochs", "steps", "seconds")
"""Keys of `train:` that say how long; a job has one of them."""


def train_settings(suite: Suite, task: TaskEntry, model: ModelEntry) -> dict[str, Json]:
    """The `train:` block of a model on a task; a deeper level goes over a shallower one."""
    return over(over(suite.train, task.train), model.train)


def over(shallow: dict[str, Json], deep: dict[str, Json]) -> dict[str, Json]:
    """Settings with deeper ones over them; a budget replaces the budget, whatever its unit."""
    replaced = BUDGETS if any(deep.get(key) is not None for key in BUDGETS) else ()
    return {**{key: value for key, value in shallow.items() if key not in replaced}, **deep}


def contenders(suite: Suite, task: TaskEntry) -> tuple[ModelEntry, ...]:
    """The models that stand against each other on a task."""
    return suite.models if task.models is None else task.models


def default_label(name: str, preset: str | None) -> str:
    """What a contender is called when the suite does not say: `lstm`, `resnet50`, `transformer-small`."""
    if preset is None:
        return name
    return preset if preset.startswith(name) else f"{name}-{preset}"
