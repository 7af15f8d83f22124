"""All results of a suite, with what every part of a report asks of them: arenas, comparisons, artifacts.

Reads artifacts when asked, writes nothing, and knows nothing of stores: a result says where its files are.
"""

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from dlbench.analyze.compare import Paired, Ratio, compare, compare_cost, correct
from dlbench.analyze.contenders import Arena, Contender, arenas_of
from dlbench.analyze.curves import Curve
from dlbench.analyze.curves import read as read_curve
from dlbench.analyze.drift import Drift, drifts
from dlbench.analyze.floors import noise_floors
from dlbench.analyze.studies import StudyGroup, groups_of
from dlbench.schema.attention import Attended, AttentionMaps
from dlbench.schema.base import Value
from dlbench.schema.mistake import Mistake, Mistakes
from dlbench.schema.record import Result
from dlbench.schema.sample import Sample, Samples
from dlbench.schema.study import Study
from dlbench.schema.suite import Suite

V = TypeVar("V", bound=Value)

LEAST_MEMORY = 0.01
"""Difference of two memories, as a fraction, below which nobody is said to need less: peaks often repeat exactly."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """A declared comparison of a contender with another on the score of their arena."""

    arena: Arena
    contender: Contender
    baseline: Contender
    paired: Paired


class Results:
    """The results of one suite.

    Args:
        suite: the suite; its `report.baseline` declares what is compared.
        results: a line for each job of the suite, in the plan's order, whatever became of it.
        studies: its searches, if it has any; their candidates' jobs are among the results.
        written: the suite as a file that can be run again; empty where nobody wrote it.
    """

    def __init__(
        self, suite: Suite, results: Sequence[Result], studies: Sequence[Study] = (), written: str = ""
    ) -> None:
        self.suite = suite
        self.results = tuple(results)
        self.studies = tuple(studies)
        self.written = written

    @cached_property
    def compared(self) -> tuple[Result, ...]:
        """The results of contenders: all but those of a study's candidates, which saw no test split."""
        return tuple(result for result in self.results if result.entry.study is None)

    @property
    def candidates(self) -> tuple[Result, ...]:
        """The results of the candidates of studies."""
        return tuple(result for result in self.results if result.entry.study is not None)

    @cached_property
    def searches(self) -> tuple[StudyGroup, ...]:
        """The studies by task, in order."""
        return groups_of(self.studies)

    @cached_property
    def arenas(self) -> tuple[Arena, ...]:
        """Every task on a dataset, in the suite's order."""
        preferred: dict[str, list[str]] = {}
        for task in self.suite.tasks:
            if task.dataset:
                preferred.setdefault(task.name, []).append(task.dataset[0].name)
        return arenas_of(self.compared, preferred)

    @cached_property
    def series(self) -> tuple[str, ...]:
        """Names of all contenders, in the suite's order: the domain of every colour scale."""
        return tuple(dict.fromkeys(contender.name for arena in self.arenas for contender in arena.contenders))

    @cached_property
    def precision(self) -> str:
        """The suite's own precision, with which others are compared; of `auto`, what its first contender got."""
        if self.suite.precision != "auto":
            return self.suite.precision
        return next((result.entry.job.precision for result in self.compared), "auto")

    def reference(self, arena: Arena, contender: Contender) -> Contender | None:
        """Whom a contender is compared with; None for the baseline itself, or where its arena lacks one.

        At the arena's own precision and device that is the baseline; at another one, the same label at the own
        ones: that is what varying a precision asks.
        """
        own = self._own_settings(arena)
        settings = (contender.precision, contender.device)
        label = contender.label if settings != own else self.baseline_label(arena)
        candidates = [other for other in arena.contenders if (other.precision, other.device) == own]
        found = next((other for other in candidates if other.label == label), None)
        return None if found is contender else found

    def _own_settings(self, arena: Arena) -> tuple[str, str]:
        own = [contender for contender in arena.contenders if contender.precision == self.precision]
        first = (own or arena.contenders)[0]
        return first.precision, first.device

    def baseline_label(self, arena: Arena) -> str | None:
        """Label of the arena's baseline: the declared one, or the first; None if the declared one is not in it.

        A declared `lstm` also stands for the first of `lstm lr=0.001`, `lstm lr=0.003`.
        """
        declared = self.suite.report.baseline
        labels = [contender.label for contender in arena.contenders]
        if declared is None:
            return labels[0]
        if declared in labels:
            return declared
        return next((c.label for c in arena.contenders if _extends(c.label, declared)), None)

    @cached_property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Every declared comparison with at least one common seed, corrected over all of them."""
        found: list[Comparison] = []
        directions: list[bool] = []
        for arena in self.arenas:
            score = arena.score
            if score is None or score.better == "neither":
                continue
            for contender in arena.contenders:
                baseline = self.reference(arena, contender)
                if baseline is None or contender.emulated or baseline.emulated:
                    continue
                higher = score.better == "higher"
                values, others = contender.values(score.name), baseline.values(score.name)
                paired = compare(values, others, higher_is_better=higher)
                if paired is not None:
                    found.append(Comparison(arena, contender, baseline, paired))
                    directions.append(higher)
        corrected = correct([comparison.paired for comparison in found], directions)
        return tuple(
            Comparison(each.arena, each.contender, each.baseline, paired)
            for each, paired in zip(found, corrected, strict=True)
        )

    def comparison(self, contender: Contender) -> Comparison | None:
        """The declared comparison of a contender, if there is one."""
        return self._comparison_of.get(contender)

    @cached_property
    def _comparison_of(self) -> Mapping[Contender, Comparison]:
        return {comparison.contender: comparison for comparison in self.comparisons}

    @cached_property
    def noise_floors(self) -> Mapping[str, float]:
        """Metric → by how much it differs from itself on this machine, as far as that was calibrated."""
        return noise_floors(result.record for result in self.compared if result.record is not None)

    @cached_property
    def drifts(self) -> tuple[Drift, ...]:
        """What anchors say of the machine since contenders were first measured."""
        return drifts(self.arenas, self.noise_floors)

    def cost_ratio(
        self, contender: Contender, other: Contender, metric: str, batch_size: int, *, among: int = 1
    ) -> Ratio | None:
        """A cost of one over that of another at a batch size; None without a common round.

        Whether that may be told (`Ratio.told`) depends on its interval, the noise floor and the machine's drift.

        Args:
            among: so many ratios are looked at together, as where the best is named.
        """
        ratio = compare_cost(contender.rounds(metric, batch_size), other.rounds(metric, batch_size), among=among)
        if ratio is None:
            return None
        # Drift is of speeds: what a model needs of memory does not depend on how busy a machine is.
        drifted = not metric.endswith("_bytes") and any(drift.separates(contender, other) for drift in self.drifts)
        usual = LEAST_MEMORY if metric.endswith("_bytes") else 0.0
        return replace(ratio, floor=self.noise_floors.get(metric, usual), drifted=drifted)

    def curve(self, result: Result) -> Curve | None:
        """Learning curve of a train job: a row for each validation; None if it left none or it cannot be read."""
        path = self._artifact(result, "curve")
        if path is not None and path not in self._curves:
            self._curves[path] = read_curve(path)
        return None if path is None else self._curves[path]

    @cached_property
    def _curves(self) -> dict[Path, Curve | None]:
        """What was read: score and loss are drawn from the same file."""
        return {}

    def predictions(self, result: Result) -> dict[str, NDArray[Any]] | None:
        """Per-example columns of a train job's test split (`target`, `predicted`, …); None if none can be read."""
        path = self._artifact(result, "predictions")
        if path is None:
            return None
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as columns:
                return {name: columns[name] for name in columns.files}
        except (OSError, EOFError, ValueError, NotImplementedError, zipfile.BadZipFile, zlib.error):
            return None

    def mistakes(self, result: Result) -> tuple[Mistake, ...] | None:
        """The test mistakes that a train job was surest of; None if it left none or they cannot be read."""
        found = self._kept(result, "mistakes", Mistakes)
        return None if found is None else found.mistakes

    def samples(self, result: Result) -> tuple[Sample, ...] | None:
        """What a train job's model wrote for some test examples; None if it left nothing or it cannot be read."""
        found = self._kept(result, "samples", Samples)
        return None if found is None else found.samples

    def attention(self, result: Result) -> tuple[Attended, ...] | None:
        """Where a train job's model looks in some test examples; None if it left nothing or it cannot be read."""
        found = self._kept(result, "attention", AttentionMaps)
        return None if found is None else found.examples

    def _kept(self, result: Result, role: str, form: type[V]) -> V | None:
        path = self._artifact(result, role)
        if path is None:
            return None
        try:
            return form.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            return None

    def _artifact(self, result: Result, role: str) -> Path | None:
        if result.record is None or result.folder is None:
            return None
        for artifact in result.record.artifacts:
            path = Path(result.folder) / artifact.path
            if artifact.role == role and path.is_file():
                return path
        return None


def _extends(label: str, declared: str) -> bool:
    rest = label.removeprefix(declared)
    return rest != label and not rest[:1].isalnum()
