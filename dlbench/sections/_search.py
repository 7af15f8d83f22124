"""Shared words and rows of the sections on searches."""

import math
import re
from collections.abc import Sequence
from typing import Any, TypeVar

from dlbench.analyze.contenders import canonical
from dlbench.analyze.quantities import format_of, quantity, significant
from dlbench.analyze.regret import By
from dlbench.analyze.results import Results
from dlbench.analyze.studies import Candidate, StudyGroup
from dlbench.schema.base import Json
from dlbench.schema.blocks import Block, Format, Heading
from dlbench.schema.space import Axis
from dlbench.schema.study import Study
from dlbench.sections import _charts

MOST_POINTS = 2000
"""Of a figure: more are thinned, the best and the last kept."""
MOST_LINES = 300
"""Of parallel coordinates, which more would make a felt of."""

_USUAL: tuple[tuple[tuple[str, ...], Format], ...] = (
    (("accuracy", "f1_macro", "ece", "error"), "fraction"),
    (("_bytes",), "bytes"),
    (("_ms",), "milliseconds"),
    (("_s",), "seconds"),
    (("throughput",), "rate"),
    (("parameters",), "count"),
    (("flops", "flops_per_sample"), "flop"),
)
UNITS = {"milliseconds": " (ms)", "seconds": " (s)", "rate": " (samples/s)", "flop": " (FLOP)"}
"""What an axis title needs besides, where its labels are bare numbers."""
_NAMES = {"infer_latency_p50_ms": "inference latency", "flops_per_sample": "FLOPs per sample"}
_SPLITS = {"val": "validation", "test": "test", "train": "training", "infer": "inference"}
BUDGETS: dict[By, str] = {"candidates": "candidates told", "epochs": "epochs charged"}
T = TypeVar("T")
Spec = dict[str, Any]


def heading(results: Results, group: StudyGroup, blocks: Sequence[Block]) -> list[Block]:
    """Blocks of a group, under its title where there are several groups."""
    return [*([Heading(text=group.title)] if blocks and len(results.searches) > 1 else []), *blocks]


def format_of_metric(results: Results, metric: str) -> Format:
    """How a metric's values are written: by the unit of a record that has it, else by its name."""
    for result in results.results:
        found = result.record.metric(metric) if result.record is not None else None
        if found is not None:
            return format_of(found.unit)  # type: ignore[return-value]
    return next((format for ends, format in _USUAL if metric.endswith(ends)), "number")


def words(metric: str) -> str:
    """`validation accuracy` for `val_accuracy`."""
    split, _, rest = metric.partition("_")
    if metric in _NAMES:
        return _NAMES[metric]
    return f"{_SPLITS[split]} {rest}".replace("_", " ") if rest and split in _SPLITS else metric.replace("_", " ")


def shown(value: float | None, format: str) -> str:
    """A value of an objective: a fraction with two decimals, so that candidates differ."""
    return quantity(value, format, 2 if format == "fraction" else None)


def of_axis(value: Json) -> str:
    """A value on an axis."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value if isinstance(value, str) else canonical(value)
    if isinstance(value, int):
        return str(value)
    return significant(value) if 1e-4 <= abs(value) < 1e6 or value == 0 else f"{value:.3g}"


def short(axis: str, among: Sequence[str]) -> str:
    """An axis without `train.` or `model.`, unless two would then be called the same."""
    name = axis.partition(".")[2] or axis
    return axis if sum(name == (other.partition(".")[2] or other) for other in among) > 1 else name


def varied(group: StudyGroup, candidates: Sequence[Candidate] | None = None) -> list[Axis]:
    """Axes on which candidates differ, in the order of the space."""
    chosen = group.candidates if candidates is None else candidates
    return [
        axis
        for axis in group.space.axes
        if len({canonical(candidate.point.get(axis.name)) for candidate in chosen}) > 1
    ]


def thinned(items: Sequence[T], most: int = MOST_POINTS) -> tuple[list[T], str]:
    """At most so many, evenly from first to last, and a sentence that says so (empty for all)."""
    if len(items) <= most:
        return list(items), ""
    kept = [items[math.floor(place * (len(items) - 1) / (most - 1))] for place in range(most)]
    return kept, f" Of {len(items):,} candidates, {most:,} are drawn."


def domain(results: Results, labels: Sequence[str]) -> tuple[str, ...]:
    """Series of the report, with what it lacks behind them: a strategy has its contender's colour."""
    return (*results.series, *(label for label in labels if label not in results.series))


def series_of(group: StudyGroup, study: Study) -> str:
    """What a study is called: its strategy, with the seed where that has several."""
    label = study.head.strategy.label
    return f"{label}, seed {study.head.seed}" if len(group.of(label)) > 1 else label


def first_alone(group: StudyGroup) -> str:
    """A sentence that says that only the first of several objectives is looked at; empty for one."""
    return " The first objective alone is looked at." if len(group.studies[0].head.objectives) > 1 else ""


def number(value: Json) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def axis_of(values: Sequence[float], title: str, format: str) -> Spec:
    """A quantitative axis of an objective: fractions with the decimals that their range deserves."""
    axis = _charts.measure("value", title, format)
    if format == "fraction" and values and max(values) - min(values) < 0.02:
        axis["axis"]["format"] = ".1%" if max(values) - min(values) > 0.002 else ".2%"
    return axis


def plain(text: str) -> bool:
    """Whether a text can be part of a figure's name."""
    return re.fullmatch(r"[a-z0-9_-]+", text) is not None


def stairs(results: Results, shown: list[str], x: Spec, y: Spec, tip: list[Spec]) -> list[Spec]:
    """Layers of a stepped line for each strategy, with its band behind it."""
    hue = _charts.colour(domain(results, shown), shown)
    shapes = _charts.shape(domain(results, shown), shown)
    layers = _charts.lines_with_bands(x, y, hue, shapes, tip, point_size=24)
    layers[0]["encoding"]["y"] = {**y, "field": "low"}
    for layer in layers[:2]:
        layer["mark"]["interpolate"] = "step-after"
    return layers


def drawn_range(values: Sequence[float], group: StudyGroup) -> list[float] | None:
    """The range to draw where a few values are so bad that all others would be one line; None: all of it."""
    ordered = sorted(values, reverse=group.goal.better == "higher")  # the best first
    best, quarter, worst = ordered[0], ordered[(3 * len(ordered)) // 4], ordered[-1]
    if abs(worst - best) <= 4 * abs(quarter - best) or quarter == best:
        return None
    edge = best + 2.5 * (quarter - best)
    margin = 0.06 * abs(edge - best)
    return [min(best, edge) - margin, max(best, edge) + margin]


def upwards(values: Sequence[float], group: StudyGroup, title: str, format: str) -> tuple[Spec, str]:
    """The axis of the objective, without a few values that are far off, and a sentence that says so."""
    kept = drawn_range(values, group)
    axis = axis_of(kept or values, title, format)
    if kept is None:
        return axis, ""
    axis["scale"] = {"domain": kept, "clamp": True, "zero": False, "nice": False}
    return axis, " Candidates far worse than the others stand at the edge."
