"""B against A, row by row: what became better, worse, faster, slower, and what of it a gate may act on.

Quality: paired t over common seeds, or, where a target was missed, who misses more and who is later
(`dlbench.analyze.versus_quality`), corrected by Holm over all of them. Cost: ratios over
rounds, corrected over all costs (`dlbench.analyze.versus_costs`). Each of the two families keeps two-sided 5 %, of
which one half is on the side of worse: a gate between two equal runs fails in at most 5 % of cases. A job that fails
where it did not needs no statistics. Knows nothing of stores and of what a table looks like.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from dlbench.analyze.changes import Change, changes, machine_changes, shared
from dlbench.analyze.contenders import finished
from dlbench.analyze.partners import Alone, Match, Partners
from dlbench.analyze.versus_costs import cost_rows, costs_judged
from dlbench.analyze.versus_jobs import JOB_KINDS, JobKind, job_rows, jobs_of
from dlbench.analyze.versus_quality import Draft, quality_judged, training_rows
from dlbench.analyze.versus_rows import Judgement, Row, Settings
from dlbench.schema.record import Record

_SIDES: tuple[Literal["a"], Literal["b"]] = ("a", "b")
_Evidence = tuple[object, ...]
"""What names the jobs of one kind on both sides: where it is equal, so is all that can be told."""


def versus(matches: Sequence[Match], settings: Settings) -> tuple[Row, ...]:
    """All rows of all matches, in their order, judged and corrected over all of them."""
    return _each_once(_rows_of(matches, settings))


def _each_once(found: Sequence[Sequence[Row]]) -> tuple[Row, ...]:
    return tuple({id(row): row for rows in found for row in rows}.values())


def _rows_of(matches: Sequence[Match], settings: Settings) -> list[list[Row]]:
    """For each match its rows.

    What several suites list is tested once and shown in each. Contenders of one arena that share jobs, as those do who
    differ in the learning rate alone and share costs, share one row: it is the same object for all of them.
    """
    drafts: list[Draft] = []
    known: dict[_Evidence, range] = {}
    names: dict[tuple[str, _Evidence], list[str]] = {}
    for match in matches:
        for kind in JOB_KINDS:
            evidence = _evidence(match, kind)
            names.setdefault((match.arena, evidence), []).append(match.name)
            if evidence not in known:
                made = _drafts(match, kind, settings)
                known[evidence] = range(len(drafts), len(drafts) + len(made))
                drafts += made
    judged = costs_judged(quality_judged(drafts), settings)
    titled = {
        (arena, evidence): [replace(judged[index], where=f"{', '.join(some)} on {arena}") for index in known[evidence]]
        for (arena, evidence), some in names.items()
    }
    return [[row for kind in JOB_KINDS for row in titled[match.arena, _evidence(match, kind)]] for match in matches]


def _evidence(match: Match, kind: JobKind) -> _Evidence:
    sides = [jobs_of(side, kind) for side in (match.a, match.b)]
    return kind, *(tuple((result.entry.job.id, result.entry.skipped) for result in side) for side in sides)


def _drafts(match: Match, kind: JobKind, settings: Settings) -> list[Draft]:
    foreign = () if settings.across_machines else machine_changes(match.a, match.b)
    failed = [Draft(row) for row in job_rows(match, kind, foreign)]
    if kind == "train":
        return failed + training_rows(match, settings, foreign)
    return failed + [Draft(row) for row in cost_rows(match, settings, foreign)]


@dataclass(frozen=True)
class Versus:
    """Everything that a comparison of B with A found.

    Attributes:
        a: what A is, in words.
        alone: what could not be compared.
        changed: what is configured otherwise, and whose.
        warnings: what a reader must know before believing a row.
        metrics: names of all that the records of either side have.
    """

    a: str
    b: str
    rows: tuple[Row, ...]
    alone: tuple[Alone, ...]
    changed: tuple[tuple[Change, tuple[str, ...]], ...]
    warnings: tuple[str, ...]
    metrics: tuple[str, ...]

    def judged(self, judgement: Judgement) -> tuple[Row, ...]:
        """The rows with a judgement."""
        return tuple(row for row in self.rows if row.judgement == judgement)


def found(a: str, b: str, partners: Partners, settings: Settings) -> Versus:
    """The whole comparison.

    Args:
        a: what A is, in words.
    """
    matches = partners.matches
    rows = _rows_of(matches, settings)
    left_out = [one for match, some in zip(matches, rows, strict=True) for one in _left_out(match, some, settings)]
    return Versus(
        a=a,
        b=b,
        rows=_each_once(rows),
        alone=(*partners.alone, *left_out),
        changed=tuple(shared({match.title: changes(match) for match in matches})),
        warnings=tuple(_warnings(matches, settings)),
        metrics=tuple(
            sorted({m.name for match in matches for s in _SIDES for r in _records(match, s) for m in r.metrics})
        ),
    )


def _left_out(match: Match, rows: Sequence[Row], settings: Settings) -> list[Alone]:
    """What of a match has no row: where nothing has finished, metrics that were asked for, and batch sizes."""
    if not _records(match, "a") and not _records(match, "b"):
        return [Alone("neither", match.title, "nothing has finished")]
    shown = {row.metric for row in rows}
    lacking = [
        Alone("neither", f"{metric} of {match.title}", "neither side has a value")
        for metric in settings.metrics
        if metric not in shown
    ]
    ours, theirs = set(match.a.batch_sizes), set(match.b.batch_sizes)
    if not ours or not theirs:
        return lacking
    return [
        *lacking,
        *(Alone("A", f"{match.title} at batch {size}", "B has no such round") for size in sorted(ours - theirs)),
        *(Alone("B", f"{match.title} at batch {size}", "A has no such round") for size in sorted(theirs - ours)),
    ]


def _warnings(matches: Sequence[Match], settings: Settings) -> list[str]:
    foreign = dict.fromkeys(key for match in matches for key in machine_changes(match.a, match.b))
    warnings = []
    if foreign:
        what = f"A and B ran on different machines or software ({', '.join(foreign)})"
        told = "costs are judged all the same" if settings.across_machines else "no cost is judged"
        warnings.append(f"{what}: {told}.")
    ours, theirs = ({_attempt(record) for match in matches for record in _records(match, side)} for side in _SIDES)
    if same := len(ours & theirs):
        share = "all" if same == len(ours) == len(theirs) else f"{same} of {len(ours | theirs)}"
        warnings.append(f"A and B share {share} of their records: what was measured once cannot differ.")
    dirty = [
        side.upper() for side in _SIDES if any(r.code.get("git_dirty") for m in matches for r in _records(m, side))
    ]
    if dirty:
        warnings.append(f"Records of {' and '.join(dirty)} were made with uncommitted changes.")
    return warnings


def _records(match: Match, side: Literal["a", "b"]) -> list[Record]:
    contender = match.a if side == "a" else match.b
    return [record for _, record in finished((*contender.train, *contender.cost))]


def _attempt(record: Record) -> tuple[object, ...]:
    return record.id, record.attempt, record.started_at, tuple(metric.value for metric in record.metrics)
