"""What the literature reports: the figures of `published.toml`, and the band in which each counts as reproduced.

A count of parameters is exact. The band of a score from one run is what chance alone leaves open: two standard errors
of an accuracy on so many test examples (binomial; Dietterich 1998, §2). Where several runs are published it goes from
the lowest to the highest of them, likewise widened. What needs another band states it, and why.
"""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from dlbench.errors import UsageError
from dlbench.schema.base import Json, Value
from dlbench.schema.job import Job

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
    figure: int
    source: str
    convention: str


class Score(Value):
    """A published test score, and the jobs that are held against it.

    Attributes:
        dataset_params: those that must be as given; likewise `params` of the model and `train`.
        absent: parameters of the model that must be null.
        published: the figures, in the unit of the metric; empty where there is only a claim.
        claim: what is said in words where there is no figure.
        test_size: test examples of the published figure, from which the band follows.
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
    published: tuple[float, ...] = ()
    claim: str = ""
    test_size: int | None = Field(None, gt=0)
    band: tuple[float, float] | None = None
    why: str = ""
    source: str
    convention: str
    how: str

    @model_validator(mode="after")
    def _has_a_band(self) -> "Score":
        if not self.published and not self.claim:
            raise ValueError(f"{self.label}: needs a published figure or a claim")
        if (self.band is None) == (self.test_size is None):
            raise ValueError(f"{self.label}: needs either a band or the test size that it follows from")
        if self.band is None and not self.published:
            raise ValueError(f"{self.label}: a band cannot follow from a test size without a figure")
        if self.band is not None and (not self.why or self.band[0] > self.band[1]):
            raise ValueError(f"{self.label}: a band needs its reason (why), and its lower end first")
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
        UsageError: it cannot be read, or is not such a file.
    """
    try:
        file = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        counts = [count for entry in file.counts for count in _counts(entry)]
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}".removeprefix(": ") for e in error.errors())
        raise UsageError(f"{path}: not a file of published figures: {wrong}") from error
    except ValueError as error:  # of TOML, of UTF-8
        raise UsageError(f"{path}: not TOML: {error}") from error
    return Published(tuple(counts), file.scores)


class _File(Value):
    counts: tuple[dict[str, Json], ...] = ()
    scores: tuple[Score, ...] = ()


def _counts(entry: dict[str, Json]) -> list[Count]:
    """The counts of one entry, one for each preset."""
    rest = {key: value for key, value in entry.items() if key not in ("parameters", "presets")}
    figures = dict(entry.get("presets", {}))
    if "parameters" in entry:
        figures[None] = entry["parameters"]
    return [
        Count.model_validate({"preset": preset, "label": preset or entry.get("model"), **rest, "figure": figure})
        for preset, figure in figures.items()
    ]
