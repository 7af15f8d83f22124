"""A suite → the configurations that it compares: every task × model × what varies."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dlbench.catalog import Catalog, Shelf
from dlbench.plan import identity
from dlbench.plan.ask import Ask
from dlbench.plan.describe import digest_of_file
from dlbench.plan.merge import default_label, train_settings
from dlbench.schema.base import Json
from dlbench.schema.data import DataCopy
from dlbench.schema.job import DatasetRef, ModelRef, TaskRef
from dlbench.schema.suite import DatasetEntry, ModelEntry, Suite, TaskEntry
from dlbench.schema.train import TrainSettings

CopyOf = Callable[[str, Mapping[str, Json]], DataCopy]
"""(dataset name, complete parameters) → the copy that jobs will use."""


@dataclass(frozen=True)
class Contender:
    """One configuration that the suite compares: everything but seed and round."""

    label: str
    varied: Mapping[str, Json]
    task: TaskRef
    dataset: DatasetRef
    model: ModelRef
    train: TrainSettings
    precision: str
    device: str
    common: Mapping[str, Json]
    skipped: str | None


@dataclass
class Resolver:
    """Expands a suite into contenders.

    Args:
        suite: what to expand.
        chosen: for each task of the suite, the dataset that was taken from its list of preferences.
        catalog: with the suite's plugins.
        describe: answers about the shelves and the machine.
        copy_of: which copy of a dataset is used.

    Attributes:
        here: machine, versions and devices, as `describe` answers.
    """

    suite: Suite
    chosen: Sequence[DatasetEntry]
    catalog: Catalog
    describe: Ask
    copy_of: CopyOf
    _modules: dict[tuple[str, str], dict[str, Json]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.here: dict[str, Json] = self.describe([{"what": "machine"}])[0]

    def contenders(self) -> Iterator[Contender]:
        """Every combination that is not excluded, in the order of the file."""
        points = [
            (task, dataset, model, combination)
            for task, dataset in zip(self.suite.tasks, self.chosen, strict=True)
            for model in (task.models if task.models is not None else self.suite.models)
            for combination in self._combinations(model, dataset)
        ]
        answers = self.describe(
            [self._ask_params(*p, shelf) for p in points for shelf in ("tasks", "datasets", "models")]
        )
        for number, (task, dataset, model, combination) in enumerate(points):
            complete = [answer["params"] for answer in answers[3 * number : 3 * number + 3]]
            contender = self._contender(task, dataset, model, combination, complete)
            if not any(self._matches(pattern, contender, model) for pattern in self.suite.exclude):
                yield contender

    def _combinations(self, model: ModelEntry, dataset: DatasetEntry) -> Iterator[dict[str, Json]]:
        """The points of the grid for one model; axes that it does not have are left out."""
        own = {key if "." in key else f"model.{key}": values for key, values in model.vary.items()}
        axes = {**self.suite.vary, **own}
        has = {
            "model": self._module("models", model.name)["defaults"],
            "dataset": self._module("datasets", dataset.name)["defaults"],
        }
        kept = {
            axis: values
            for axis, values in axes.items()
            if axis.partition(".")[0] not in has or axis.partition(".")[2] in has[axis.partition(".")[0]]
        }
        for values in itertools.product(*kept.values()):
            yield dict(zip(kept, values, strict=True))

    def _module(self, shelf: str, name: str) -> dict[str, Json]:
        if (shelf, name) not in self._modules:
            names = {("models", m.name) for t in self.suite.tasks for m in (t.models or self.suite.models)}
            names |= {("tasks", t.name) for t in self.suite.tasks} | {("datasets", d.name) for d in self.chosen}
            names |= {("meters", meter) for meter in self.catalog.names("meters")} | {(shelf, name)}
            wanted = sorted(names)
            requests = [{"what": "module", "shelf": s, "name": n, "plugins": self.catalog.plugins} for s, n in wanted]
            self._modules = dict(zip(wanted, self.describe(requests), strict=True))
        return self._modules[shelf, name]

    def _ask_params(
        self, task: TaskEntry, dataset: DatasetEntry, model: ModelEntry, combination: Mapping[str, Json], shelf: str
    ) -> dict[str, Json]:
        part = {"tasks": task, "datasets": dataset, "models": model}[shelf]
        return {
            "what": "params",
            "shelf": shelf,
            "name": part.name,
            "preset": model.preset if shelf == "models" else None,
            "params": {**part.params, **_below(combination, f"{shelf[:-1]}.")},
            "plugins": self.catalog.plugins,
        }

    def _contender(
        self,
        task: TaskEntry,
        dataset: DatasetEntry,
        model: ModelEntry,
        combination: Mapping[str, Json],
        complete: Sequence[dict[str, Json]],
    ) -> Contender:
        task_params, dataset_params, model_params = complete
        copy = self.copy_of(dataset.name, dataset_params)
        precision = str(combination.get("precision", self.suite.precision))
        device, skipped = self._device(str(combination.get("device", self.suite.device)), precision)
        train = TrainSettings.model_validate(
            {**train_settings(self.suite, task, model), **_below(combination, "train.")}
        )
        return Contender(
            label=_label(model, combination),
            varied=combination,
            task=TaskRef(name=task.name, params=task_params),
            dataset=DatasetRef(
                name=dataset.name, params=dataset_params, digest=copy.digest, source=copy.source, official=copy.official
            ),
            model=ModelRef(name=model.name, preset=model.preset, params=model_params),
            train=train,
            precision=precision,
            device=device,
            common={
                "task": self._part("tasks", task.name, task_params),
                "dataset": self._part("datasets", dataset.name, dataset_params) | {"digest": copy.digest},
                "model": self._part("models", model.name, model_params),
            },
            skipped=skipped,
        )

    def _part(self, shelf: Shelf, name: str, params: Mapping[str, Json]) -> dict[str, Json]:
        module = self._module(shelf, name)
        part = {
            "name": name,
            "params": identity.changed(params, module["defaults"]),
            "revision": module["revision"],
        }
        if any(Path(path).stem == name for path in self.catalog.plugins.get(shelf, ())):
            part["plugin"] = digest_of_file(self.catalog.source(shelf, name))
        return part

    def _device(self, asked: str, precision: str) -> tuple[str, str | None]:
        """The device's name, and why nothing can run there at that precision, if so."""
        devices = self.here["devices"]
        device = ("cuda" if "cuda:0" in devices else "cpu") if asked == "auto" else asked
        support = devices.get("cuda:0" if device == "cuda" else device)
        if support is None:
            gpus = sum(name.startswith("cuda") for name in devices)
            return (
                device,
                f"device {device}: this machine has {f'only {gpus} CUDA devices' if gpus else 'no CUDA device'}",
            )
        return device, support.get(precision)

    def _matches(self, pattern: Mapping[str, Json], contender: Contender, model: ModelEntry) -> bool:
        facts: dict[str, Sequence[Json]] = {
            "model": (model.name, model.label, contender.label),
            "task": (contender.task.name,),
            "dataset": (contender.dataset.name,),
            "precision": (contender.precision,),
            "device": (contender.device, contender.device.partition(":")[0]),
        }
        settings = contender.train.model_dump(mode="json")
        parts = {
            "train": settings,
            "model": contender.model.params,
            "task": contender.task.params,
            "dataset": contender.dataset.params,
        }
        for key, value in pattern.items():
            head, _, tail = key.partition(".")
            if value not in (facts[key] if key in facts else (parts[head].get(tail),)):
                return False
        return True

    def meter_revisions(self, phases: Sequence[str]) -> dict[str, int]:
        """Meter → revision, for the meters that measure any of the phases or the model itself."""
        modules = {name: self._module("meters", name) for name in self.catalog.names("meters")}
        wanted = {"model", *phases}
        return {name: m["revision"] for name, m in modules.items() if wanted & set(m["phases"])}


def _below(combination: Mapping[str, Json], prefix: str) -> dict[str, Json]:
    """The part of a combination below `train.`, `model.`, …, without the prefix."""
    return {key.removeprefix(prefix): value for key, value in combination.items() if key.startswith(prefix)}


def _label(model: ModelEntry, combination: Mapping[str, Json]) -> str:
    """What the suite calls a contender: the model's label, and what varies of model and training."""
    parts = [model.label or default_label(model.name, model.preset)]
    parts += [
        f"{k.partition('.')[2]}={_short(v)}" for k, v in combination.items() if k.startswith(("model.", "train."))
    ]
    return " ".join(parts)


def _short(value: Json) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
