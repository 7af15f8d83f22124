"""What is missing: jobs that failed, were skipped or have not run, what disturbed a measurement, vain candidates."""

from collections import Counter
from collections.abc import Sequence

from dlbench.analyze.contenders import Contender, finished
from dlbench.analyze.drift import Drift, worst
from dlbench.analyze.left_out import meaning
from dlbench.analyze.quantities import listed, quantity
from dlbench.analyze.results import Results
from dlbench.schema.blocks import Block, Cell, Column, Section, Table, Text, Tone
from dlbench.schema.record import WHILE_MEASURED, Result
from dlbench.sections import _cost

POSITION = 20
BROKEN = ("failed", "oom", "diverged", "timeout", "lost")
NOT_REPORTED = ("ok", "pruned")
MOST_REASONS = 20
"""Lines of the table of candidates without a result."""


def build(results: Results) -> Section | None:
    """A table with a line for each reason; None when every job is there and nothing was disturbed.

    That some candidates of a search have no result is part of searching: they are counted, and alarm nobody.
    """
    gaps = [result for result in results.compared if result.status not in NOT_REPORTED]
    flagged = [
        (result, flag)
        for result, record in finished(results.compared)
        for flag in record.flags
        if not flag.startswith("emulated")  # asked for, and told where precisions are
    ]
    drifted = worst(results.drifts)
    searched = _searched(results)
    if not gaps and not flagged and not drifted and not searched:
        return None
    blocks: list[Block] = []
    tone: Tone = "warning" if flagged or drifted else "normal"
    if gaps:
        broken = any(result.status in BROKEN for result in gaps)
        tone = "error" if broken else "warning"
        planned = [result for result in gaps if result.entry.skipped is not None]
        rest = [result for result in gaps if result.entry.skipped is None]
        blocks += [Text(text=_summary(results, gaps), tone=tone)]
        blocks += [_gap_table(results, rest)] if rest else []
        blocks += [Text(text=text) for text in _skipped(results, planned)]
    blocks += [Text(text=_drift(drift), tone="warning") for drift in drifted]
    if flagged:
        blocks += [_flag_table(results, flagged)]
    if searched:
        blocks.append(_search_table(searched))
    title = "Failures and gaps" if gaps else "Warnings" if flagged or drifted else "Candidates without a result"
    return Section(title=title, anchor="failures", blocks=tuple(blocks), tone=tone)


def _summary(results: Results, gaps: Sequence[Result]) -> str:
    counts = Counter(meaning(result.status) for result in gaps)
    parts = listed([f"{count} {status}" for status, count in counts.items()])
    return f"{len(gaps)} of {len(results.compared)} jobs have no result: {parts}."


def _skipped(results: Results, planned: Sequence[Result]) -> list[str]:
    """A line for each reason why the plan skips jobs: whose, and how many."""
    where = _where(results)
    reasons: dict[str, list[Result]] = {}
    for result in planned:
        reasons.setdefault(_reason(result), []).append(result)
    lines = []
    for reason, members in reasons.items():
        names = list(dict.fromkeys(_place(where, member)[1] for member in members))
        jobs = "1 job" if len(members) == 1 else f"{len(members)} jobs"
        lines.append(f"Skipped, {jobs} of {listed(names)}: {reason}.")
    return lines


def _drift(drift: Drift) -> str:
    """`The machine was 8 % slower when lstm was measured again …`, and whose costs do not compare."""
    slower = drift.ratio < 1
    share = quantity(abs(1 - drift.ratio), "fraction", 0)
    metric, (low, high) = drift.metric, (drift.low or drift.ratio, drift.high or drift.ratio)
    what = f"{'latency' if metric.endswith('_ms') else 'throughput'} of {_cost.PHASES[metric.partition('_')[0]]}"
    sides = f"From before: {_names(drift.before)}{'; from after: ' if drift.after else ''}{_names(drift.after)}."
    return (
        f"The machine was {share} {'slower' if slower else 'faster'} when {drift.contender.name} was measured again "
        f"than when it was measured first: costs from before and after do not compare. {sides} By the {what} at batch "
        f"{drift.batch_size} it had {quantity(drift.ratio, 'fraction')} of its first speed, 95 % interval "
        f"{quantity(low, 'fraction')} to {quantity(high, 'fraction')}; the noise floor is "
        f"{quantity(drift.floor, 'fraction')}."
    )


def _names(contenders: Sequence[Contender]) -> str:
    return listed(list(dict.fromkeys(contender.name for contender in contenders)))


def _where(results: Results) -> dict[tuple[str, str], tuple[str, str]]:
    """(job id, label) → titles of its arena and contender; contenders may share a cost job."""
    return {
        (result.entry.job.id, result.entry.label): (arena.title, contender.name)
        for arena in results.arenas
        for contender in arena.contenders
        for result in (*contender.train, *contender.cost)
    }


def _place(where: dict[tuple[str, str], tuple[str, str]], result: Result) -> tuple[str, str]:
    entry = result.entry
    return where.get((entry.job.id, entry.label), (entry.job.dataset.name, entry.label))


def _gap_table(results: Results, gaps: Sequence[Result]) -> Table:
    where = _where(results)
    groups: dict[tuple[str, str, str, str, str], list[Result]] = {}
    for result in gaps:
        arena, contender = _place(where, result)
        groups.setdefault((arena, contender, result.entry.job.kind, result.status, _reason(result)), []).append(result)
    reached = [_reached(members) for members in groups.values()]
    rows: tuple[tuple[Cell | str, ...], ...] = tuple(
        (
            arena,
            Cell(value=contender, series=contender),
            kind,
            _which(members),
            Cell(value=meaning(status), tone="error" if status in BROKEN else "warning"),
            reason,
        )
        for (arena, contender, kind, status, reason), members in groups.items()
    )
    names = ["Data", "Contender", "Kind", "Which", "Status", "Reason"]
    if any(reached):
        names.append("Got as far as")
        rows = tuple((*row, text) for row, text in zip(rows, reached, strict=True))
    return Table(
        columns=tuple(Column(name=name) for name in names),
        rows=rows,
        caption="Jobs without a result. They are part of no figure in this report.",
    )


def _reached(members: Sequence[Result]) -> str:
    """What is known of jobs that ended early: the highest peak of their memory, the largest batch that fitted."""
    told = []
    for phase, what in _cost.PHASES.items():
        for end, kind, words in (
            ("peak_memory_bytes", "bytes", "peak of"),
            ("largest_batch", "count", "largest batch of"),
        ):
            found = [member.record.metric(f"{phase}_{end}") for member in members if member.record is not None]
            values = [metric.value for metric in found if metric is not None and metric.value is not None]
            if values:
                told.append(f"{words} {what} {quantity(max(values), kind)}")
    return "; ".join(told)


def _reason(result: Result) -> str:
    if result.entry.skipped is not None:
        return result.entry.skipped
    return (result.record.reason if result.record is not None else None) or ""


def _which(members: Sequence[Result]) -> str:
    seeds = [str(member.entry.job.seed) for member in members if member.entry.job.seed is not None]
    if seeds:
        return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)}"
    points = [member.entry.job.cost for member in members if member.entry.job.cost is not None]
    searches = [f"largest batch, {' and '.join(point.phases)}" for point in points if point.largest_batch]
    points = [point for point in points if not point.largest_batch]
    return "; ".join(
        [
            f"batch {size}, round{'s' if len(rounds) > 1 else ''} {', '.join(map(str, rounds))}"
            for size in sorted({point.batch_size for point in points})
            for rounds in [[point.round for point in points if point.batch_size == size]]
        ]
        + list(dict.fromkeys(searches))
    )


def _searched(results: Results) -> list[tuple[str, str, str, str, int]]:
    """(data, strategy, what became of it, reason, candidates) of those that were tried in vain, most first."""
    counts = Counter(
        (study.head.dataset, study.head.strategy.label, trial.state, (trial.told.reason or "") if trial.told else "")
        for study in results.studies
        for trial in study.distinct
        if trial.state in ("infeasible", "failed")
    )
    return [(*key, count) for key, count in counts.most_common()]


def _search_table(searched: Sequence[tuple[str, str, str, str, int]]) -> Table:
    left = sum(count for *_, count in searched[MOST_REASONS:])
    return Table(
        columns=(
            Column(name="Data"),
            Column(name="Strategy"),
            Column(name="What became of it"),
            Column(name="Reason"),
            Column(name="Candidates", format="count"),
        ),
        rows=tuple(searched[:MOST_REASONS]),
        caption="Candidates of searches that gave no result, which is part of searching."
        + (f" {left} more, of other reasons, are left out." if left else ""),
    )


def _flag_table(results: Results, flagged: Sequence[tuple[Result, str]]) -> Table:
    """A line for each disturbance of each kind of job: a busy machine disturbs many regions of many jobs."""
    where = _where(results)
    groups: dict[tuple[str, str, str], list[tuple[str, str]]] = {}  # → (contender, regions) of each job
    for result, flag in flagged:
        arena, contender = _place(where, result)
        what, _, regions = flag.partition(WHILE_MEASURED)
        groups.setdefault((arena, result.entry.job.kind, what), []).append((contender, regions))
    rows = tuple(
        (
            arena,
            kind,
            what,
            _counted([region for _, regions in seen for region in regions.split(", ") if region]),
            _counted([contender for contender, _ in seen]),
        )
        for (arena, kind, what), seen in groups.items()
    )
    names = ("Data", "Kind", "What happened", "While this was measured", "To whom")
    return Table(
        columns=tuple(Column(name=name) for name in names),
        rows=rows,
        caption="What disturbed finished jobs, and how many of them. They count, but look twice.",
    )


def _counted(names: Sequence[str]) -> str:
    """`train throughput 5, infer latency 2`, the most frequent first; a name alone where there is but one."""
    counts = Counter(names)
    if sum(counts.values()) == 1:
        return names[0]
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())
