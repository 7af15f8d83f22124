"""What the literature reports: the figures of `published.toml`, and the band in which each counts as reproduced.

A count of parameters is exact. The band of a score from one run is what chance alone leaves open: two standard errors
of an accuracy on so many test examples (binomial; Dietterich 1998, §2). Where several runs are published it goes from
the lowest to the highest of them, likewise widened. What needs another band states it, and why.
"""

import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, FiniteFloat, ValidationError, model_validator

from dlbench.catalog import did_you_mean
from dlbench.errors import UsageError
from dlbench.schema.base import Json, Value
from dlbench.schema.job import Job
from dlbench.schema.metric import usual_unit
from dlbench.schema.said import Error, said

STANDARD_ERRORS = 1.96
"""Of a published accuracy, to each side: 95 % of runs on as many other test examples."""


class Count(Value):
    """A published number of parameters.

    Attributes:
        label: what it is called; default: the preset's or the model's name.
        metric: `parameters` leaves heads out that only training uses, `trainable_parameters` counts them.
        convention: what is counted and how.
    """

    model: str
    preset: str | None = None
    params: dict[str, Json] = {}
    label: str
    metric: Literal["parameters", "trainable_parameters"] = "parameters"
    figure: int = Field(gt=0, strict=True)
    source: str
    convention: str


class Score(Value):
    """A published test score, and the jobs that are held against it.

    Attributes:
        dataset_params: those that must be as given; likewise `params` of the model and `train`.
        absent: parameters of the model that must be null.
        precision: that the jobs must have, or fp32, which is never less precise.
        unit: of the metric; default: what the vocabulary has under its name.
        published: the figures, in the unit of the metric; empty where there is only a claim.
        claim: what is said in words where there is no figure.
        test_size: test examples of the published figure, from which the band of a fraction follows.
        band: the band where it does not follow from the test size.
        why: where that band comes from.
        convention: what was published for what, and how ours differs.
        how: the command that trains it.
    """

    label: str
    task: str
    dataset: str
    dataset_params: dict[str, Json] = {}
    model: str
    params: dict[str, Json] = {}
    absent: tuple[str, ...] = ()
    train: dict[str, Json] = {}
    precision: str = "fp32"
    metric: str = "test_accuracy"
    unit: str = "fraction"
    published: tuple[FiniteFloat, ...] = ()
    claim: str = ""
    test_size: int | None = Field(None, gt=0)
    band: tuple[FiniteFloat, FiniteFloat] | None = None
    why: str = ""
    source: str
    convention: str
    how: str

    @model_validator(mode="before")
    @classmethod
    def _in_the_usual_unit(cls, entry: Json) -> Json:
        return {"unit": usual_unit(str(entry.get("metric", "test_accuracy"))), **entry}

    @model_validator(mode="after")
    def _has_a_band(self) -> "Score":
        if not self.metric.startswith("test_"):
            raise ValueError(f"metric: {self.metric!r} is not of the test split. Was 'test_{self.metric}' meant?")
        if not self.published and not self.claim:
            raise ValueError("needs a published figure (published) or a claim")
        if (self.band is None) == (self.test_size is None):
            raise ValueError("needs either a band or the test size (test_size) that it follows from")
        if self.band is None and not self.published:
            raise ValueError("test_size: a band cannot follow from it without a figure (published)")
        if self.test_size is not None and self.unit != "fraction":
            raise ValueError("test_size: chance gives a band to a fraction alone: write the band and its reason (why)")
        if self.band is not None and not self.why:
            raise ValueError("band: needs its reason (why)")
        if self.band is not None and self.band[0] > self.band[1]:
            raise ValueError(f"band: its lower end comes first. Was [{self.band[1]:g}, {self.band[0]:g}] meant?")
        return self

    @model_validator(mode="after")
    def _fractions_are_fractions(self) -> "Score":
        for key, values in (("published", self.published), ("band", self.band or ())):
            for value in values if self.unit == "fraction" else ():
                if not 0 <= value <= 1:
                    meant = f"Was {value / 100:g} meant?" if 1 < value <= 100 else 'Say `unit = "…"` if it is none.'
                    raise ValueError(f"{key}: {value:g} is no fraction (0 to 1). {meant}")
        return self

    @property
    def limits(self) -> tuple[float, float]:
        """The band's ends."""
        if self.band is not None:
            return self.band
        assert self.test_size is not None
        low, high = min(self.published), max(self.published)
        return low - _by_chance(low, self.test_size), high + _by_chance(high, self.test_size)

    @property
    def reason(self) -> str:
        """Where the band comes from."""
        return self.why or f"chance: {STANDARD_ERRORS} standard errors on {self.test_size:,} test examples"

    def concerns(self, job: Job) -> bool:
        """Whether a job trains the figure's model for its task, on whatever data and however long."""
        params = job.model.params
        return (
            job.kind == "train"
            and "test" in job.splits
            and (job.task.name, job.model.name) == (self.task, self.model)
            and not differing(params, self.params)
            and all(params.get(name) is None for name in self.absent)
        )


def _by_chance(accuracy: float, n: int) -> float:
    """Half the width of the interval that chance alone leaves to an accuracy on n test examples."""
    return STANDARD_ERRORS * math.sqrt(accuracy * (1 - accuracy) / n)


def differing(found: Mapping[str, Json], wanted: Mapping[str, Json]) -> list[str]:
    """What is not as wanted: `epochs 8 instead of 182`."""
    return [
        f"{key} {_short(found.get(key))} instead of {_short(value)}"
        for key, value in wanted.items()
        if found.get(key) != value
    ]


def _short(value: Json) -> str:
    return f"{value:g}" if isinstance(value, float) else "none" if value is None else str(value)


@dataclass(frozen=True)
class Published:
    """All figures of a file."""

    counts: tuple[Count, ...]
    scores: tuple[Score, ...]


@cache
def published() -> Published:
    """The figures that dlbench ships."""
    return read(Path(__file__).with_name("published.toml"))


def read(path: Path) -> Published:
    """The figures of a file in the form of `published.toml`.

    Each of `[[counts]]` is a model with `parameters`, or with `presets` (name → number); each of `[[scores]]` is a
    `Score`.

    Raises:
        UsageError: it cannot be read, or is not such a file; a line for each thing that is wrong.
    """
    try:
        file = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: the published figures cannot be read: {error.strerror}") from error
    except ValueError as error:  # of TOML, of UTF-8
        raise UsageError(f"{path}: not TOML: {error}") from error
    problems = [f"there is no table [[{name}]].{did_you_mean(name, TABLES)}" for name in file if name not in TABLES]
    counts = [one for spot, entry in _entries(file, "counts", problems) for one in _counts(spot, entry, problems)]
    scores = [one for spot, entry in _entries(file, "scores", problems) for one in _made(Score, spot, entry, problems)]
    if not (counts or scores or problems):
        problems.append(
            "holds no figure: it needs a [[counts]] (a number of parameters) or a [[scores]] (a test score)"
        )
    if problems:
        raise UsageError("\n".join(f"{path}: {problem}" for problem in dict.fromkeys(problems)))
    return Published(tuple(counts), tuple(scores))


TABLES = ("counts", "scores")
_Figure = TypeVar("_Figure", Count, Score)


def _entries(file: Mapping[str, Json], table: str, problems: list[str]) -> Iterator[tuple[str, dict[str, Json]]]:
    """Every entry of a table with the words that say where it stands: `[[scores]] 2 (lenet5 on mnist)`."""
    entries = file.get(table, [])
    for number, entry in enumerate(entries if isinstance(entries, list) else [entries], start=1):
        if isinstance(entry, dict):
            name = entry.get("label", entry.get("model"))
            yield f"[[{table}]] {number}" + (f" ({name})" if name else ""), entry
        else:
            problems.append(f"{table}: must be tables, each below a line [[{table}]], not {entry!r}")


def _counts(spot: str, entry: dict[str, Json], problems: list[str]) -> list[Count]:
    """The counts of one entry, one for each preset."""
    rest = {key: value for key, value in entry.items() if key not in ("parameters", "presets")}
    presets = entry.get("presets", {})
    if not isinstance(presets, dict):
        wanted = "must be a table, preset → number (`{ vgg11 = 132_863_336 }`)"
        problems.append(f"{spot}: presets: {wanted}, not {presets!r}")
        return []
    figures = {f"presets.{preset}": (preset, figure) for preset, figure in presets.items()}
    if "parameters" in entry:
        figures["parameters"] = (None, entry["parameters"])
    if not figures:
        problems.append(f"{spot}: needs `parameters`, or `presets` with a number for each")
    found = []
    for key, (preset, figure) in figures.items():
        label = preset or entry.get("model", "?")
        count = {"preset": preset, "label": label, **rest, "figure": figure}
        found += _made(Count, spot, count, problems, figure=key)
    return found


def _made(
    kind: type[_Figure], spot: str, entry: dict[str, Json], problems: list[str], figure: str = "figure"
) -> list[_Figure]:
    """The value of an entry; none, and a problem for each thing that is wrong.

    Args:
        figure: what the file calls the key `figure`.
    """
    try:
        return [kind.model_validate(entry)]
    except ValidationError as error:
        for each in error.errors():
            where = ".".join(map(str, each["loc"])).replace("figure", figure)
            wrong = {"loc": [where] if where else [], "type": each["type"], "message": each["msg"]}
            problems.append(f"{spot}: {_in_words(wrong, where, each['input'], kind)}")
        return []


def _in_words(wrong: Error, where: str, given: Json, kind: type[Value]) -> str:
    """An error of pydantic in plain words, with the key, and the value where that is short."""
    if wrong["type"] == "extra_forbidden":
        return f"there is no key {where!r}.{did_you_mean(where, kind.model_fields)}"
    if wrong["type"] in ("missing", "value_error"):
        return said(wrong)
    return f"{where}: {said(wrong)}, not {given!r}"
