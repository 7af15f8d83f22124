"""What trainings of B have become against those of A: rows not yet judged, and their words once all are known.

A score is compared by a paired t over common seeds (`dlbench.analyze.compare`), a time that was asked for as a cost
(`dlbench.analyze.versus_costs`), and what leads to a target, where someone missed it, by who did
(`dlbench.analyze.missed`). All tests are one family of Holm's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dlbench.analyze.compare import LEAST_SEEDS, Paired, compare, correct
from dlbench.analyze.contenders import Contender, finished
from dlbench.analyze.missed import Missed, missed
from dlbench.analyze.partners import Match
from dlbench.analyze.targets import times_to
from dlbench.analyze.verdict import seeds_phrase
from dlbench.analyze.versus_costs import clock_row, clocked, threshold_of, why_not
from dlbench.analyze.versus_rows import Judgement, Row, Settings, without
from dlbench.schema.metric import Metric

QUALITY = ("steps_to_target",)
"""Metrics of trainings that are compared besides the task's own."""
TO_TARGET = ("steps_to_target", "time_to_target_s")
"""Metrics of which no value means that the target was missed."""


@dataclass(frozen=True)
class Draft:
    """A row before the family of tests is known.

    Attributes:
        tests: of quality, that stand for it in the family; none for a cost, and for what cannot be tested.
        missed: what they are about, where a target was missed: who misses more, and, unless that cannot be told, who
            is later.
    """

    row: Row
    tests: tuple[Paired, ...] = ()
    missed: Missed | None = None


def training_rows(match: Match, settings: Settings, foreign: Sequence[str]) -> list[Draft]:
    """The score, steps to the target, and what else was asked for, of a match.

    Args:
        foreign: what makes A's and B's machines two; empty where they are one.
    """
    records = [record for side in (match.b, match.a) for _, record in finished(side.train)]
    known = {metric.name: metric for record in records for metric in record.metrics}
    wanted = settings.metrics or (*([match.score.name] if match.score else []), *QUALITY)
    return [_draft(match, known[name], settings, foreign) for name in wanted if name in known]


def _draft(match: Match, metric: Metric, settings: Settings, foreign: Sequence[str]) -> Draft:
    to_target = metric.name in TO_TARGET
    ours, theirs = (_values(side, metric.name, to_target=to_target) for side in (match.a, match.b))
    common = ours.keys() & theirs.keys()
    if to_target and (found := _missed(match, metric, settings, foreign, ours, theirs)) is not None:
        return found
    if clocked(metric.name) and (common or not to_target):
        if to_target:  # what the seeds of one side alone missed has no part in a mean
            ours, theirs = ({seed: side[seed] for seed in common} for side in (ours, theirs))
        return Draft(clock_row(match, metric, ours, theirs, settings, foreign))
    paired = compare(theirs, ours, higher_is_better=metric.better == "higher")
    row = _row(match, metric, settings, (len(ours), len(theirs)))
    if paired is None:
        return Draft(replace(row, note="no common seed" if ours and theirs else without(ours, theirs, "value")))
    return Draft(
        replace(
            row,
            n=(paired.n, paired.n),
            a=paired.other_mean,
            b=paired.mean,
            change=paired.difference,
            low=paired.low,
            high=paired.high,
            p=paired.p,
        ),
        (paired,),
    )


def _values(side: Contender, metric: str, *, to_target: bool) -> Mapping[int, float]:
    return times_to(side, metric) if to_target else side.values(metric)


def _row(match: Match, metric: Metric, settings: Settings, n: tuple[int, int]) -> Row:
    return Row(
        where=match.title,
        kind="difference",
        metric=metric.name,
        batch_size=None,
        unit=metric.unit,
        better=metric.better,
        n=n,
        threshold=settings.thresholds.get(metric.name, 0.0),
        word="too few seeds",
    )


def _missed(
    match: Match,
    metric: Metric,
    settings: Settings,
    foreign: Sequence[str],
    ours: Mapping[int, float],
    theirs: Mapping[int, float],
) -> Draft | None:
    """The row where a common seed has missed the target; None where none has."""
    clock = clocked(metric.name)
    least = threshold_of(match, metric, settings) if clock else settings.thresholds.get(metric.name, 0.0)
    found = missed(theirs, ours, lambda b, a: abs(b - a) <= least * (a if clock else 1.0))
    if found is None:
        return None
    why = why_not(match, metric, False, foreign) if clock else ""
    told = [f"{side} misses {n} of {found.n} seeds" for side, n in zip("AB", found.misses, strict=True) if n]
    row = replace(
        _row(match, metric, settings, (found.n, found.n)),
        a=found.medians[0],
        b=found.medians[1],
        threshold=least,
        note="; ".join(filter(None, (*told, why, _left_out(found)))),
    )
    return Draft(row, (found.more,) if why else (found.more, found.later), found)


def quality_judged(drafts: Sequence[Draft]) -> list[Row]:
    """The rows, those of quality with words that are corrected over all their tests.

    What two metrics of a match ask alike, such as who misses more in steps and in seconds, is one test.
    """
    asked = [[(draft.row.where, draft.row.better == "higher", test) for test in draft.tests] for draft in drafts]
    family = list(dict.fromkeys(one for some in asked for one in some))
    corrected = correct([test for _, _, test in family], [higher for _, higher, _ in family])
    found = dict(zip(family, corrected, strict=True))
    return [_judged(draft, [found[one] for one in some]) for draft, some in zip(drafts, asked, strict=True)]


def _judged(draft: Draft, tests: Sequence[Paired]) -> Row:
    if draft.missed is not None:
        return _missed_judged(draft.row, draft.missed, tests)
    return _paired_judged(draft.row, tests[0]) if tests else draft.row


def _missed_judged(row: Row, found: Missed, tests: Sequence[Paired]) -> Row:
    """Who misses more beyond chance is worse, else who is later; who misses more is never better for being first."""
    if found.n < LEAST_SEEDS:
        return replace(row, note=f"{row.note}; {found.n} of {LEAST_SEEDS} common seeds")
    more, later = tests[0], tests[-1]
    a, b = found.misses
    told = {test.word for test in (later, more) if test.word in ("better", "worse")}
    deciding = more if more.word in told or (a != b and later.word not in told) else later
    row = replace(row, p=deciding.p, p_holm=deciding.p_holm)
    word = ("worse" if b else "better") if found.complete else deciding.word
    if word == "worse":
        return replace(row, word=word, judgement="regression")
    if word == "better" and b <= a:
        return replace(row, word=word, judgement="improvement")
    if a != b:
        return replace(row, word="not told", note=f"{row.note}, which may be chance")
    if len(tests) == 1 or a == found.n:
        return replace(row, word="not told")
    return replace(row, word="indistinguishable", judgement="unchanged")


def _paired_judged(row: Row, paired: Paired) -> Row:
    left_out = _left_out(paired)
    row = replace(row, p_holm=paired.p_holm, word=paired.word, note=left_out)
    if row.better == "neither":
        return replace(row, word="no verdict", note="the metric has no better and worse")
    if paired.word == "too few seeds":
        return replace(row, note=f"{paired.n} of {LEAST_SEEDS} common seeds" + (f"; {left_out}" if left_out else ""))
    if paired.word == "indistinguishable":
        note = "; ".join(filter(None, (seeds_phrase(paired, row.unit), left_out)))
        return replace(row, judgement="unchanged", note=note)
    if abs(paired.difference) <= row.threshold:
        return replace(row, judgement="unchanged", note="within the threshold")
    judgement: Judgement = "regression" if paired.word == "worse" else "improvement"
    return replace(row, judgement=judgement)


def _left_out(found: Paired | Missed) -> str:
    return f"{found.unpaired} of {found.unpaired + found.n} seeds have no pair" if found.unpaired else ""
