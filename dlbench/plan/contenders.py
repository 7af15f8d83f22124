"""A suite → the configurations that it compares: every task × model × what varies."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import dlbench
from dlbench.catalog import Catalog, Shelf
from dlbench.errors import Impossible
from dlbench.plan import identity
from dlbench.plan.ask import Ask
from dlbench.plan.describe import digest_of_plugin
from dlbench.plan.merge import contenders, default_label, over, train_settings
from dlbench.plan.shelves import ask_once
from dlbench.plan.words import validate
from dlbench.schema.base import Json
from dlbench.schema.data import DataCopy
from dlbench.schema.job import DatasetRef, ModelRef, TaskRef
from dlbench.schema.said import clauses
from dlbench.schema.suite import DatasetEntry, ModelEntry, Suite, TaskEntry
from dlbench.schema.train import TrainSettings

CopyOf = Callable[[str, Mapping[str, Json]], DataCopy]
"""(dataset name, complete parameters) → the copy that jobs will use."""

PACKAGE = Path(dlbench.__file__).parent

TRAIN_DEFAULTS = TrainSettings().model_dump(mode="json")


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


@dataclass(frozen=True)
class Point:
    """One model on one task at one point of the grid, as the suite writes it."""

    task: TaskEntry
    dataset: DatasetEntry
    model: ModelEntry
    combination: Mapping[str, Json]

    def part(self, shelf: Shelf) -> TaskEntry | DatasetEntry | ModelEntry:
        """The part that comes from a shelf."""
        parts: dict[str, TaskEntry | DatasetEntry | ModelEntry] = {
            "tasks": self.task,
            "datasets": self.dataset,
            "models": self.model,
        }
        return parts[shelf]


@dataclass
class Resolver:
    """Expands a suite into contenders.

    Args:
        suite: what to expand.
        chosen: for each task of the suite, the dataset that was taken from its list of preferences.
        catalog: with the suite's plugins.
        describe: answers about the shelves and the machine.
        copy_of: which copy of a dataset is used.
        first_only: keep the first combination of each task and model that is not excluded, and no other.
        ask_params: answers about parameters of models, when there are too many to be remembered (a search).

    Attributes:
        here: machine, versions and devices, as `describe` answers.
    """

    suite: Suite
    chosen: Sequence[DatasetEntry]
    catalog: Catalog
    describe: Ask
    copy_of: CopyOf
    first_only: bool = False
    ask_params: Ask | None = None
    _modules: dict[tuple[str, str], dict[str, Json]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.here: dict[str, Json] = self.describe([{"what": "machine"}])[0]
        self.params: Ask = self.ask_params or self.describe

    def contenders(self, task: int | None = None) -> list[Contender]:
        """Every combination that is not excluded, in the order of the file.

        Args:
            task: number of the only task that is asked for.

        Raises:
            UsageError: parameters that vary together do not fit each other.
        """
        points = [
            Point(entry, dataset, model, combination)
            for number, (entry, dataset) in enumerate(zip(self.suite.tasks, self.chosen, strict=True))
            if task in (None, number)
            for model in contenders(self.suite, entry)
            for combination in self._combinations(entry, model, dataset)
        ]
        kept = [point for point in points if not self._excluded(point)]
        if self.first_only:
            kept = list({(id(point.task), id(point.model)): point for point in reversed(kept)}.values())[::-1]
        return self._resolved(kept)

    def candidate(self, task: int, label: str, combination: Mapping[str, Json]) -> Contender:
        """One configuration that the suite does not list: a model of a task with values of a search.

        Args:
            task: number of the task.
            label: of the model.
            combination: as of what varies.

        Raises:
            UsageError: it is excluded, or its parameters do not fit each other.
        """
        entry = self.suite.tasks[task]
        model = next(model for model in contenders(self.suite, entry) if model.label == label)
        point = Point(entry, self.chosen[task], model, combination)
        if self._excluded(point):
            raise Impossible("`exclude:` leaves it out")
        return self._resolved([point])[0]

    def _resolved(self, points: Sequence[Point]) -> list[Contender]:
        asked = [self._ask_params(point, shelf) for point in points for shelf in ("tasks", "datasets")]
        around = iter(ask_once(asked, self.describe))
        models = ask_once([self._ask_params(point, "models") for point in points], self.params)
        return [
            self._contender(point, *(self._complete(point, answer) for answer in (next(around), next(around), model)))
            for point, model in zip(points, models, strict=True)
        ]

    def _combinations(self, task: TaskEntry, model: ModelEntry, dataset: DatasetEntry) -> Iterator[dict[str, Json]]:
        """The points of the grid for one model on one task; axes that these do not have are left out."""
        has = {
            "model": self._module("models", model.name)["defaults"],
            "dataset": self._module("datasets", dataset.name)["defaults"],
            "task": self._module("tasks", task.name)["defaults"],
        }
        axes = {}
        for axis, values in {**self.suite.vary, **model.vary}.items():
            head, _, parameter = axis.partition(".")
            if head not in has or parameter in has[head]:
                axes[axis] = values
        for combination in itertools.product(*axes.values()):
            yield dict(zip(axes, combination, strict=True))

    def _excluded(self, point: Point) -> bool:
        return any(self._matches(pattern, point) for pattern in self.suite.exclude)

    def _matches(self, pattern: Mapping[str, Json], point: Point) -> bool:
        """Whether everything that an exclusion names is so at a point."""
        model, combination = point.model, point.combination
        device, precision, _ = self._where(combination)
        facts: dict[str, Sequence[Json]] = {
            "model": (model.name, model.label, _label(model, combination)),
            "task": (point.task.name,),
            "dataset": (point.dataset.name,),
            "precision": (precision,),
            "device": (device, combination.get("device", self.suite.device), device.partition(":")[0]),
        }
        given = {
            "train": TRAIN_DEFAULTS | self._train(point),
            "model": self._module("models", model.name)["defaults"] | self._params(point, "models"),
            "task": self._module("tasks", point.task.name)["defaults"] | self._params(point, "tasks"),
            "dataset": self._module("datasets", point.dataset.name)["defaults"] | self._params(point, "datasets"),
        }
        for key, value in pattern.items():
            head, _, tail = key.partition(".")
            if value not in (facts[key] if key in facts else (given[head].get(tail),)):
                return False
        return True

    def _train(self, point: Point) -> dict[str, Json]:
        return over(train_settings(self.suite, point.task, point.model), _below(point.combination, "train."))

    def _train_settings(self, point: Point) -> TrainSettings:
        settings, errors = validate(TrainSettings, self._train(point))
        if errors:
            raise Impossible(clauses(errors), f"{self.suite.name}: {_label(point.model, point.combination)}: train")
        assert isinstance(settings, TrainSettings)
        return settings

    def _params(self, point: Point, shelf: Shelf) -> dict[str, Json]:
        """What the suite says about the parameters of one part, its preset included."""
        part = point.part(shelf)
        preset = point.model.preset if shelf == "models" else None
        presets = self._module(shelf, part.name).get("presets", {})
        return {**presets.get(preset, {}), **part.params, **_below(point.combination, f"{shelf[:-1]}.")}

    def _module(self, shelf: str, name: str) -> dict[str, Json]:
        if (shelf, name) not in self._modules:
            names = {("models", m.name) for t in self.suite.tasks for m in contenders(self.suite, t)}
            names |= {("tasks", t.name) for t in self.suite.tasks} | {("datasets", d.name) for d in self.chosen}
            names |= {("meters", meter) for meter in self.catalog.names("meters")} | {(shelf, name)}
            wanted = sorted(names)
            requests = [{"what": "module", "shelf": s, "name": n, "plugins": self.catalog.plugins} for s, n in wanted]
            self._modules = dict(zip(wanted, self.describe(requests), strict=True))
        return self._modules[shelf, name]

    def _ask_params(self, point: Point, shelf: Shelf) -> dict[str, Json]:
        return {
            "what": "params",
            "shelf": shelf,
            "name": point.part(shelf).name,
            "params": self._params(point, shelf),
            "plugins": self.catalog.plugins,
        }

    def _complete(self, point: Point, answer: dict[str, Json]) -> dict[str, Json]:
        if answer.get("errors"):
            which = f"{self.suite.name}: {_label(point.model, point.combination)}"
            raise Impossible(clauses(answer["errors"]), which, "`exclude:` leaves such combinations out.")
        params: dict[str, Json] = answer["params"]
        return params

    def _contender(
        self,
        point: Point,
        task_params: dict[str, Json],
        dataset_params: dict[str, Json],
        model_params: dict[str, Json],
    ) -> Contender:
        task, dataset, model, combination = point.task, point.dataset, point.model, point.combination
        copy = self.copy_of(dataset.name, dataset_params)
        device, precision, skipped = self._where(combination)
        return Contender(
            label=_label(model, combination),
            varied=combination,
            task=TaskRef(name=task.name, params=task_params),
            dataset=DatasetRef(
                name=dataset.name, params=dataset_params, digest=copy.digest, source=copy.source, official=copy.official
            ),
            model=ModelRef(name=model.name, preset=model.preset, params=model_params),
            train=self._train_settings(point),
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
        outside = self._outside(shelf, name)
        return part if outside is None else part | {"plugin": outside}

    def _where(self, combination: Mapping[str, Json]) -> tuple[str, str, str | None]:
        """The device's name, the precision, and why nothing can run there at that precision, if so."""
        asked = str(combination.get("device", self.suite.device))
        precision = str(combination.get("precision", self.suite.precision))
        devices = self.here["devices"]
        device = ("cuda" if "cuda:0" in devices else "cpu") if asked == "auto" else asked
        support = devices.get("cuda:0" if device == "cuda" else device)
        if support is None:
            gpus = sum(name.startswith("cuda") for name in devices)
            here = f"only {gpus} CUDA devices" if gpus else "no CUDA device"
            return device, "fp32" if precision == "auto" else precision, f"device {device}: this machine has {here}"
        if precision == "auto":
            precision = "fp32" if support.get("bf16") else "bf16"
        return device, precision, support.get(precision)

    def _outside(self, shelf: Shelf, name: str) -> str | None:
        """Digest of a file that dlbench does not ship, whose author may forget to raise its revision."""
        source = self.catalog.source(shelf, name)
        return None if source.is_relative_to(PACKAGE) else digest_of_plugin(source)

    def meter_revisions(self, phases: Sequence[str]) -> dict[str, Json]:
        """Meter → revision and digest, for the meters that measure any of the phases or the model itself."""
        modules = {name: self._module("meters", name) for name in self.catalog.names("meters")}
        wanted = {"model", *phases}
        used = {name: m["revision"] for name, m in modules.items() if wanted & set(m["phases"])}
        return {name: [revision, self._outside("meters", name)] for name, revision in used.items()}


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
