"""The search space of one task: which model, what the suite varies, what it searches, what its models declare. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dlbench.errors import UsageError
from dlbench.plan.nodes import Place, Problems, Spot, as_node
from dlbench.plan.searching import read_axis
from dlbench.schema.base import Json
from dlbench.schema.search import SearchSettings
from dlbench.schema.space import Axis, Point, Space

MODEL = "model"
"""The axis that chooses among several models of a task by their labels."""


@dataclass(frozen=True)
class Searchable:
    """What a space needs to know of a model of a task.

    Attributes:
        parameters: names of its parameters.
        own: the space that it declares for itself, as its module says it.
        vary: what the suite varies for it alone.
    """

    label: str
    parameters: Collection[str]
    own: Mapping[str, Json] = field(default_factory=dict)
    vary: Mapping[str, tuple[Json, ...]] = field(default_factory=dict)


def space_of(
    settings: SearchSettings,
    models: Sequence[Searchable],
    vary: Mapping[str, tuple[Json, ...]],
    having: Mapping[str, Collection[str]],
) -> Space:
    """The space of one task.

    A parameter that only some models have is searched for those alone. Where models declare the same parameter with
    different values, each has an axis of its own, called `label/model.parameter`.

    Args:
        settings: of the search; its axes go over those that models declare.
        models: of the task.
        vary: what the whole suite varies: choices, as good as any.
        having: `task` and `dataset` → names of their parameters.

    Raises:
        UsageError: axes depend on each other in a circle.
    """
    labels = [model.label for model in models]
    axes: dict[str, Axis] = {}
    if len(models) > 1:
        axes[MODEL] = Axis(name=MODEL, choices=tuple(labels))
    nothing_else = settings.space is None and not vary and len(models) == 1 and not models[0].vary
    if settings.own or nothing_else:
        for axis in _own(models):
            axes[axis.name] = axis
    for model in models:
        for key, values in model.vary.items():
            axes[key] = _for_models(Axis(name=key, choices=values), [model.label], labels)
    for axis in (*(Axis(name=key, choices=values) for key, values in vary.items()), *(settings.space or ())):
        head, _, parameter = axis.name.partition(".")
        owners = [model.label for model in models if head != "model" or parameter in model.parameters]
        if owners and (head not in having or parameter in having[head]):
            axes[axis.name] = _for_models(axis, owners, labels)
    return Space(axes=tuple(_parents_first(axes)))


def _own(models: Sequence[Searchable]) -> Iterator[Axis]:
    """The axes that models declare, those that several declare alike once."""
    labels = [model.label for model in models]
    declared: dict[str, dict[str, Axis]] = {}
    for model in models:
        for name, raw in model.own.items():
            axis = _declared(model.label, name, raw)
            declared.setdefault(axis.name, {})[model.label] = axis
    for name, by_label in declared.items():
        first, *others = by_label.values()
        if all(axis == first for axis in others):
            yield _for_models(first, list(by_label), labels)
        else:
            for label, axis in by_label.items():
                yield _for_models(axis.model_copy(update={"name": f"{label}/{name}"}), [label], labels)


def _declared(label: str, name: str, raw: Json) -> Axis:
    """An axis as a model's module declares it, names without `model.`."""
    problems, nowhere = Problems(), Place((0, 0, 0), f"the space of {label}")
    axis = read_axis(f"model.{name}", Spot(as_node(raw, nowhere), nowhere, name), problems)
    problems.raise_if_any()
    assert axis is not None
    return axis.model_copy(update={"when": {f"model.{key}": values for key, values in axis.when.items()}})


def _for_models(axis: Axis, owners: Sequence[str], labels: Sequence[str]) -> Axis:
    """The axis, searched only where one of its owners was chosen."""
    if len(owners) == len(labels):
        return axis
    return axis.model_copy(update={"when": {MODEL: tuple(owners), **axis.when}})


def _parents_first(axes: Mapping[str, Axis]) -> Iterator[Axis]:
    """Axes in their order, each behind those that its condition names."""
    placed: set[str] = set()
    waiting = list(axes.values())
    while waiting:
        ready = next((axis for axis in waiting if axis.when.keys() <= placed), None)
        if ready is None:
            names = ", ".join(axis.name for axis in waiting)
            raise UsageError(f"search.space: {names} depend on what is not searched here, or on each other in a circle")
        waiting.remove(ready)
        placed.add(ready.name)
        yield ready


def combination(point: Point) -> dict[str, Json]:
    """A candidate as a combination of varied values, without the choice of the model."""
    return {name.rpartition("/")[2]: value for name, value in point.items() if name != MODEL}
