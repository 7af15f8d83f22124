"""Do shared weights order architectures as their own weights do? Rank correlations of the two scores.

A one-shot strategy's helper leaves scores of architectures under shared weights in its outputs (`shared`: a list of
`{edge: operation, …, "score": number}`, the task's own score); the same architectures' own scores are those of
candidates in any study of the task.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from scipy import stats

from dlbench.analyze.contenders import canonical
from dlbench.analyze.studies import StudyGroup
from dlbench.analyze.summary import LEVEL
from dlbench.schema.base import Json
from dlbench.schema.study import Study

LEAST_PAIRS = 3
RESAMPLES = 500
MOST_RESAMPLED = 1000
"""Pairs of which the bootstrap draws at most so many at once, so that it takes a moment."""
_SEED = 20_260_101


@dataclass(frozen=True)
class Correlation:
    """A rank correlation with its 95 % percentile bootstrap interval over pairs."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, eq=False)
class Agreement:
    """Scores of the same architectures under shared and under their own weights.

    Attributes:
        names: of each pair, its operations.
        shared: score under shared weights, the task's own.
        own: mean objective of the architecture, as it was measured.
    """

    study: Study
    names: tuple[str, ...]
    shared: tuple[float, ...]
    own: tuple[float, ...]
    tau: Correlation | None
    rho: Correlation | None

    @property
    def n(self) -> int:
        """Number of pairs."""
        return len(self.own)


def agreements(group: StudyGroup, *, higher: bool = True) -> tuple[Agreement, ...]:
    """One for each study whose helpers scored architectures that other candidates trained.

    Args:
        higher: whether more of the score under shared weights, the task's own, is better.
    """
    found = []
    for study in group.studies:
        scores = _shared(study)
        edges = sorted({edge for architecture, _ in scores.values() for edge in architecture})
        own = _own(group, edges) if edges else {}
        keys = [key for key in scores if key in own]
        if not keys:
            continue
        shared = tuple(scores[key][1] for key in keys)
        values = tuple(own[key] for key in keys)
        sign = 1.0 if (group.goal.better == "higher") == higher else -1.0
        names = tuple(", ".join(f"{edge} {scores[key][0].get(edge)}" for edge in edges) for key in keys)
        found.append(Agreement(study, names, shared, values, *correlations(shared, [sign * v for v in values])))
    return tuple(found)


def _shared(study: Study) -> dict[str, tuple[dict[str, Json], float]]:
    """Architecture → itself and its mean score under shared weights."""
    found: dict[str, tuple[dict[str, Json], list[float]]] = {}
    for trial in study.trials:
        listed = trial.told.outputs.get("shared") if trial.told is not None and trial.origin == "helper" else None
        for line in listed if isinstance(listed, Sequence) else ():
            if not isinstance(line, Mapping) or not _number(line.get("score")):
                continue
            architecture = {str(edge): operation for edge, operation in line.items() if edge != "score"}
            found.setdefault(canonical(architecture), (architecture, []))[1].append(float(line["score"]))
    return {key: (architecture, fmean(scores)) for key, (architecture, scores) in found.items()}


def _own(group: StudyGroup, edges: Sequence[str]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for candidate in group.ranked:
        point = {axis.rpartition("/")[2]: value for axis, value in candidate.point.items()}
        architecture = {edge: point[f"model.{edge}"] for edge in edges if f"model.{edge}" in point}
        if len(architecture) == len(edges) and candidate.value is not None:
            found.setdefault(canonical(architecture), []).append(candidate.value)
    return {key: fmean(values) for key, values in found.items()}


def _number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))


def correlations(one: Sequence[float], other: Sequence[float]) -> tuple[Correlation | None, Correlation | None]:
    """Kendall's tau-b and Spearman's rho of pairs; None where there are too few, or all values are equal."""
    x, y = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if len(x) < LEAST_PAIRS or len(np.unique(x)) < 2 or len(np.unique(y)) < 2:
        return None, None
    rng = np.random.default_rng(_SEED)
    size = min(len(x), MOST_RESAMPLED)
    drawn = [rng.integers(0, len(x), size) for _ in range(RESAMPLES)]
    usable = [rows for rows in drawn if len(np.unique(x[rows])) > 1 and len(np.unique(y[rows])) > 1]
    found = []
    for measure in (stats.kendalltau, stats.spearmanr):
        value = float(measure(x, y).statistic)
        resampled = [float(measure(x[rows], y[rows]).statistic) for rows in usable]
        if len(resampled) < RESAMPLES / 2:
            found.append(Correlation(value, None, None))
            continue
        # A sample of fewer pairs than there are spreads more: shrink its spread to that of all of them.
        shrink = (size / len(x)) ** 0.5
        low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        found.append(Correlation(value, float(value + shrink * (low - value)), float(value + shrink * (high - value))))
    return found[0], found[1]
