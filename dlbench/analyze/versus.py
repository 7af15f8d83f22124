"""B against A, row by row: what became better, worse, faster, slower, and what of it a gate may act on.

Quality: paired t over common seeds, corrected by Holm over all rows (`dlbench.analyze.compare`). Cost: ratios over
rounds, corrected over all costs (`dlbench.analyze.versus_costs`). Each of the two families keeps two-sided 5 %, of
which one half is on the side of worse: a gate between two equal runs fails in at most 5 % of cases. A job that fails
where it did not needs no statistics. Knows nothing of stores and of what a table looks like.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from dlbench.analyze.changes import Change, changes, machine_changes, shared
from dlbench.analyze.compare import LEAST_SEEDS, Paired, compare, correct
from dlbench.analyze.contenders import Contender, finished
from dlbench.analyze.partners import Alone, Match, Partners
from dlbench.analyze.verdict import seeds_phrase
from dlbench.analyze.versus_costs import clock_rows, clocked, cost_rows, costs_judged
from dlbench.analyze.versus_rows import Judgement, Row, Settings, without
from dlbench.schema.metric import Metric
from dlbench.schema.record import Record, Result

QUALITY = ("steps_to_target",)
"""Metrics of trainings that are compared besides the task's own."""
FAILED = frozenset({"failed", "oom", "diverged", "timeout"})
_SIDES: tuple[Literal["a"], Literal["b"]] = ("a", "b")
JOBS = "finished jobs"
"""Stands for a metric where jobs of one side failed that the other finished."""


def versus(matches: Sequence[Match], settings: Settings) -> tuple[Row, ...]:
    """All rows of all matches, in their order, judged and corrected over all of them."""
    rows: list[Row] = []
    family: list[tuple[int, Paired]] = []
    measured = _sharing(matches)
    for match in matches:
        foreign = () if settings.across_machines else machine_changes(match.a, match.b)
        rows += _job_rows(match, foreign)
        for metric, paired in _quality(match, settings):
            if paired is not None:
                family.append((len(rows), paired))
            rows.append(_quality_row(match, metric, paired, settings))
        rows += clock_rows(match, settings, foreign)
        if names := measured.pop(_measurements(match), []):
            rows += cost_rows(replace(match, name=", ".join(names)), settings, foreign)
    for (index, _), paired in zip(
        family, correct([p for _, p in family], [rows[i].better == "higher" for i, _ in family]), strict=True
    ):
        rows[index] = _quality_judged(rows[index], paired)
    return tuple(costs_judged(rows, settings))


def _sharing(matches: Sequence[Match]) -> dict[tuple[str, ...], list[str]]:
    """Cost jobs of a match → names of all that have them: who differs in the learning rate alone shares one row."""
    found: dict[tuple[str, ...], list[str]] = {}
    for match in matches:
        found.setdefault(_measurements(match), []).append(match.name)
    return found


def _measurements(match: Match) -> tuple[str, ...]:
    return (*(result.entry.job.id for result in match.a.cost), "", *(result.entry.job.id for result in match.b.cost))


def _quality(match: Match, settings: Settings) -> list[tuple[Metric, Paired | None]]:
    known = {metric.name: metric for result in (match.b.train, match.a.train) for metric in _metrics(result)}
    if settings.metrics:
        wanted = [name for name in settings.metrics if name in known and not clocked(name)]
    else:
        wanted = [name for name in (*([match.score.name] if match.score else []), *QUALITY) if name in known]
    found = []
    for name in wanted:
        higher = known[name].better == "higher"
        found.append((known[name], compare(match.b.values(name), match.a.values(name), higher_is_better=higher)))
    return found


def _metrics(results: Sequence[Result]) -> list[Metric]:
    return [metric for _, record in finished(results) for metric in record.metrics]


def _quality_row(match: Match, metric: Metric, paired: Paired | None, settings: Settings) -> Row:
    ours, theirs = match.a.values(metric.name), match.b.values(metric.name)
    row = Row(
        where=match.title,
        kind="difference",
        metric=metric.name,
        batch_size=None,
        unit=metric.unit,
        better=metric.better,
        n=(len(ours), len(theirs)),
        threshold=settings.thresholds.get(metric.name, 0.0),
        word="too few seeds",
        note="no common seed" if ours and theirs else without(ours, theirs, "value"),
    )
    if paired is None:
        return row
    return replace(
        row,
        n=(paired.n, paired.n),
        a=paired.other_mean,
        b=paired.mean,
        change=paired.difference,
        low=paired.low,
        high=paired.high,
        p=paired.p,
        note="",
    )


def _quality_judged(row: Row, paired: Paired) -> Row:
    left_out = f"{paired.unpaired} of {paired.unpaired + paired.n} seeds have no pair" if paired.unpaired else ""
    row = replace(row, p_holm=paired.p_holm, word=paired.word, note=left_out)
    if row.better == "neither":
        return replace(row, word="no verdict", note="the metric has no better and worse")
    if paired.word == "too few seeds":
        return replace(row, note=f"{paired.n} of {LEAST_SEEDS} common seeds" + (f"; {left_out}" if left_out else ""))
    if paired.word == "indistinguishable":
        return replace(
            row, judgement="unchanged", note="; ".join(filter(None, (seeds_phrase(paired, row.unit), left_out)))
        )
    if abs(paired.difference) <= row.threshold:
        return replace(row, judgement="unchanged", note="within the threshold")
    return replace(row, judgement="regression" if paired.word == "worse" else "improvement")


def _job_rows(match: Match, foreign: Sequence[str]) -> list[Row]:
    """A row where jobs of one side failed that the other finished: a failure needs no statistics."""
    rows = []
    kinds: tuple[tuple[str, Callable[[Contender], tuple[Result, ...]]], ...] = (
        ("train", lambda side: side.train),
        ("cost", lambda side: side.cost),
    )
    for kind, jobs in kinds:
        a, b = _ends(jobs(match.a)), _ends(jobs(match.b))
        lost = [b[key] for key in a.keys() & b.keys() if a[key] == "ok" and b[key] in FAILED]
        won = [a[key] for key in a.keys() & b.keys() if b[key] == "ok" and a[key] in FAILED]
        if not lost and not won:
            continue
        both = sum(key in b for key in a)
        ends = ", ".join(f"{len([e for e in lost or won if e == end])} {end}" for end in sorted({*(lost or won)}))
        judged = not foreign or kind == "train"
        rows.append(
            Row(
                where=match.title,
                kind="jobs",
                metric=f"{JOBS} ({kind})",
                batch_size=None,
                unit="count",
                better="higher",
                n=(both, both),
                a=float(sum(a[key] == "ok" for key in a.keys() & b.keys())),
                b=float(sum(b[key] == "ok" for key in a.keys() & b.keys())),
                word="fails" if lost else "works",
                judgement="undecided" if not judged else "regression" if lost else "improvement",
                note=f"{'B' if lost else 'A'}: {ends}" + ("" if judged else f"; another machine: {', '.join(foreign)}"),
            )
        )
    return rows


def _ends(results: Sequence[Result]) -> dict[tuple[object, ...], str]:
    """What became of each job: by seed, or by batch size and round."""
    found: dict[tuple[object, ...], str] = {}
    for result in results:
        point = result.entry.job.cost
        if point is None:
            found[(result.entry.job.seed,)] = result.status
        elif not point.anchor:
            found[(point.batch_size, point.round, point.largest_batch, point.phases)] = result.status
    return found


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
    return Versus(
        a=a,
        b=b,
        rows=versus(matches, settings),
        alone=(*partners.alone, *(one for match in matches for one in _left_out(match))),
        changed=tuple(shared({match.title: changes(match) for match in matches})),
        warnings=tuple(_warnings(matches, settings)),
        metrics=tuple(
            sorted({m.name for match in matches for s in _SIDES for r in _records(match, s) for m in r.metrics})
        ),
    )


def _left_out(match: Match) -> list[Alone]:
    """What of a match has no row, or one side only: where nothing has finished, and batch sizes."""
    if not _records(match, "a") and not _records(match, "b"):
        return [Alone("neither", match.title, "nothing has finished")]
    ours, theirs = set(match.a.batch_sizes), set(match.b.batch_sizes)
    if not ours or not theirs:
        return []
    one = [Alone("A", f"{match.title} at batch {size}", "B has no such round") for size in sorted(ours - theirs)]
    return [
        *one,
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
