"""Whether what was found here agrees with what the literature reports.

A count of parameters must be the same. Of a score, this installation's mean over seeds stands against the band with its
95 % interval:

    PASS              the mean lies in the band
    FAIL              the whole interval lies outside
    not enough data   all else: the interval reaches into the band but the mean does not, too few seeds, another
                      training, data that is not the official one, or nothing at all
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dlbench.analyze.contenders import canonical
from dlbench.analyze.published import Count, Score, differing
from dlbench.analyze.quantities import NO_VALUE, format_of, listed, quantity, significant, with_margin
from dlbench.analyze.summary import Summary, summarise
from dlbench.schema.base import Json
from dlbench.schema.record import AGAIN, Result

Word = Literal["PASS", "FAIL", "not enough data"]

LEAST_SEEDS = 3
"""Fewer give no interval that says anything."""

UNTOLD = ("ok", "missing", "skipped", *AGAIN)
"""Ends of a job that say nothing against its training."""


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
            same = job.model_dump(exclude={"id": True, "seed": True, "dataset": {"source"}})
            groups.setdefault(canonical(same), []).append(result)
    if not groups:
        return Standing(score, None, "not enough data", f"no result on {score.dataset}: {score.how}")
    members = min(groups.values(), key=lambda group: (len(_objections(score, group)), -len(_values(score, group))))
    comparable = not differing(members[0].entry.job.dataset.params, score.dataset_params)
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
    objections = differing(job.dataset.params, score.dataset_params)
    objections += [] if job.dataset.official else [_unofficial(members)]
    objections += differing(job.train.model_dump(mode="json"), score.train)
    if job.precision not in (score.precision, "fp32"):
        objections.append(f"precision {job.precision} instead of {score.precision}")
    if seeds < LEAST_SEEDS:
        objections.append(f"{seeds} of at least {LEAST_SEEDS} seeds")
    if ends := sorted({result.status for result in members if result.status not in UNTOLD}):
        objections.append(f"some seeds ended as {listed(ends)}")  # those that are left are no fair sample
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
    return " to ".join(_text(end, score) for end in ends) or score.claim


def band_text(score: Score) -> str:
    """`98.86 % to 99.24 %`."""
    return " to ".join(_text(end, score) for end in score.limits)


def here_text(standing: Standing) -> str:
    """`99.15 % ± 0.12, n = 5`."""
    ours, format = standing.ours, format_of(standing.score.unit)
    if ours is None:
        return NO_VALUE
    return f"{with_margin(ours.mean, ours.margin, format, 2 if format == 'fraction' else None)}, n = {ours.n}"


def _text(value: float, score: Score) -> str:
    """A figure in the digits that papers give."""
    format = format_of(score.unit)
    if format != "number":
        return quantity(value, format, 2 if format == "fraction" else None)
    text = significant(value, 4)
    return text.rstrip("0").rstrip(".") if "." in text else text
