"""What the literature reports (`published.toml`), and whether what was found here agrees with it.

A count is exact. A score has a band, and this installation's mean over seeds stands against it with its 95 % interval:

    PASS              the mean lies in the band
    FAIL              the whole interval lies outside
    not enough data   all else: the interval reaches into the band but the mean does not, too few seeds, another
                      training, data that is not the official one, or nothing at all

The band of a figure from one run is what chance alone leaves open: two standard errors of an accuracy on so many test
examples (binomial; Dietterich 1998, §2). Where several runs are published it reaches from the lowest to the highest of
them, likewise widened. What needs another band states it, and why.
"""

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from dlbench.analyze.contenders import canonical
from dlbench.analyze.quantities import NO_VALUE, listed, quantity, with_margin
from dlbench.analyze.summary import Summary, summarise
from dlbench.errors import UsageError
from dlbench.schema.base import Json, Value
from dlbench.schema.job import Job
from dlbench.schema.record import Result

Word = Literal["PASS", "FAIL", "not enough data"]

LEAST_SEEDS = 3
"""Fewer give no interval that says anything."""

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
            and not _differing(params, self.params)
            and all(params.get(name) is None for name in self.absent)
        )


def _by_chance(accuracy: float, n: int) -> float:
    """Half the width of the interval that chance alone leaves to an accuracy on n test examples."""
    return STANDARD_ERRORS * math.sqrt(accuracy * (1 - accuracy) / n)


def _differing(found: Mapping[str, Json], wanted: Mapping[str, Json]) -> list[str]:
    """What is not as wanted: `epochs 8 instead of 182`."""
    return [
        f"{key} {_short(found.get(key))} instead of {_short(value)}"
        for key, value in wanted.items()
        if found.get(key) != value
    ]


def _short(value: Json) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


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


# --- what was found against it ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """A published score beside what was found here.

    Attributes:
        ours: mean and interval over the seeds; None where nothing was scored on the figure's own dataset.
        reason: why there is no verdict, or on which side of the band ours lies; empty for a PASS.
    """

    score: Score
    ours: Summary | None
    word: Word
    reason: str


def standing(score: Score, results: Iterable[Result]) -> Standing:
    """What the results say of a figure.

    Jobs that differ in more than the seed are not pooled. Those that are nearest to what the figure asks for stand
    against it, and of several that are all it asks for, those with the most seeds.
    """
    groups: dict[str, list[Result]] = {}
    for result in results:
        job = result.entry.job
        if score.concerns(job) and job.dataset.name == score.dataset and result.entry.study is None:
            groups.setdefault(canonical(job.model_dump(exclude={"id", "seed"})), []).append(result)
    if not groups:
        return Standing(score, None, "not enough data", f"no result on {score.dataset}: {score.how}")
    members = min(groups.values(), key=lambda group: (len(_objections(score, group)), -len(_values(score, group))))
    comparable = not _differing(members[0].entry.job.dataset.params, score.dataset_params)
    ours = summarise(_values(score, members)) if comparable else None
    objections = _objections(score, members)
    if objections or ours is None:
        return Standing(score, ours, "not enough data", "; ".join(objections))
    return Standing(score, ours, *judged(ours, score.limits))


def judged(ours: Summary, band: tuple[float, float]) -> tuple[Word, str]:
    """The word for a mean with its interval against a band, and the reason if it is no PASS."""
    low, high = band
    if low <= ours.mean <= high:
        return "PASS", ""
    margin = ours.margin or 0.0
    side = "below" if ours.mean < low else "above"
    if ours.mean + margin < low or ours.mean - margin > high:
        return "FAIL", f"the whole 95 % interval lies {side} the band"
    return "not enough data", f"the mean lies {side} the band, and its interval reaches into it: take more seeds"


def _objections(score: Score, members: Sequence[Result]) -> list[str]:
    """Why a group of jobs is no evidence for or against a figure."""
    job, seeds = members[0].entry.job, len(_values(score, members))
    objections = _differing(job.dataset.params, score.dataset_params)
    objections += [] if job.dataset.official else [_unofficial(members)]
    objections += _differing(job.train.model_dump(mode="json"), score.train)
    if job.precision != score.precision:
        objections.append(f"precision {job.precision} instead of {score.precision}")
    if not objections and seeds < LEAST_SEEDS:
        ends = sorted({result.status for result in members if result.status != "ok"})
        others = f" (others: {listed(ends)})" if ends else ""
        objections.append(f"{seeds} of at least {LEAST_SEEDS} seeds{others}")
    return objections


def _unofficial(members: Sequence[Result]) -> str:
    sizes = {result.record.dataset.train for result in members if result.record is not None} - {None}
    size = f" of {sizes.pop():,} training examples" if len(sizes) == 1 else ""
    return f"an unofficial copy of {members[0].entry.job.dataset.name}{size}"


def _values(score: Score, members: Sequence[Result]) -> list[float]:
    """The metric of each finished seed, in order of the seeds."""
    ordered = sorted(members, key=lambda result: result.entry.job.seed or 0)
    found = [result.record.metric(score.metric) for result in ordered if result.record and result.status == "ok"]
    return [metric.value for metric in found if metric is not None and metric.value is not None]


@dataclass(frozen=True)
class Counted:
    """A published number of parameters beside what the model has here; None where it cannot be built."""

    count: Count
    here: int | None
    word: Word
    reason: str


def counted(count: Count, answer: Mapping[str, Json]) -> Counted:
    """What a model's own count says of a published one.

    Args:
        answer: `parameters` and `trainable_parameters` of the model that was built, or the `error` that this met.
    """
    here = answer.get(count.metric)
    if here is None:
        return Counted(count, None, "FAIL", str(answer.get("error", "it was not counted")))
    off = int(here) - count.figure
    return Counted(count, here, "FAIL" if off else "PASS", f"off by {off:+,}" if off else "")


# --- in words ---------------------------------------------------------------------------------------------------------


def published_text(score: Score) -> str:
    """`99.05 %`, `91.25 % to 92.60 %`, or the claim."""
    ends = dict.fromkeys((min(score.published), max(score.published))) if score.published else {}
    return " to ".join(quantity(end, "fraction", 2) for end in ends) or score.claim


def band_text(score: Score) -> str:
    """`98.86 % to 99.24 %`."""
    return " to ".join(quantity(end, "fraction", 2) for end in score.limits)


def here_text(standing: Standing) -> str:
    """`99.15 % ± 0.12, n = 5`."""
    ours = standing.ours
    return NO_VALUE if ours is None else f"{with_margin(ours.mean, ours.margin, 'fraction', 2)}, n = {ours.n}"
