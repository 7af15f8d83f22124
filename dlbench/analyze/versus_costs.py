"""Costs of B against those of A: ratios over rounds, each with what may keep it from being judged.

Rounds that were measured side by side are pairs; those of different runs are independent (`dlbench.analyze.logratio`).
A cost has changed if that is significant after Holm's correction over all costs, and beyond the noise floor.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median

from dlbench.analyze.compare import holm
from dlbench.analyze.contenders import Contender
from dlbench.analyze.floors import USUAL
from dlbench.analyze.logratio import paired_logs, welch_logs
from dlbench.analyze.partners import Match
from dlbench.analyze.results import LEAST_MEMORY
from dlbench.analyze.summary import ALPHA
from dlbench.analyze.versus_rows import Judgement, Row, Settings, without
from dlbench.schema.metric import Metric
from dlbench.schema.record import WHILE_MEASURED, Record

LEAST_ROUNDS = 3
"""Rounds on either side below which no cost is judged."""
COST_ENDS = ("_throughput", "_latency_p50_ms", "_peak_memory_bytes", "energy_per_sample_j")
"""Ends of the names of the costs that are compared unless others are asked for."""


def cost_rows(match: Match, settings: Settings, foreign: Sequence[str]) -> list[Row]:
    """Every cost of a match, not yet judged: a note says why it cannot be.

    Args:
        foreign: what makes A's and B's machines two; empty where they are one.
    """
    rows = []
    ours, theirs = set(match.a.batch_sizes), set(match.b.batch_sizes)
    for size in sorted(ours & theirs or ours | theirs):  # what one of two measured sides lacks is listed elsewhere
        for metric in _costs(match, size, settings):
            samples = [_rounds(side, metric.name, size) for side in (match.a, match.b)]
            rows.append(_cost_row(match, metric, size, samples[0], samples[1], settings, foreign))
    return rows


def clock_row(
    match: Match,
    metric: Metric,
    ours: Mapping[int, float],
    theirs: Mapping[int, float],
    settings: Settings,
    foreign: Sequence[str],
) -> Row:
    """A time of trainings that was asked for, such as `train_time_s`: a cost whose rounds are seeds.

    Args:
        ours: of A: seed → time.
        theirs: of B.
    """
    rounds = [{seed: (value, False) for seed, value in side.items()} for side in (ours, theirs)]
    return _cost_row(match, metric, None, rounds[0], rounds[1], settings, foreign)


def _costs(match: Match, size: int, settings: Settings) -> list[Metric]:
    """The costs that either side has at a batch size, each once, as the first record that has it describes it."""
    found: dict[str, Metric] = {}
    for side in (match.a, match.b):
        for point, record in side.measured:
            for metric in record.metrics if point.batch_size == size and not point.anchor else ():
                asked = metric.name in settings.metrics if settings.metrics else metric.name.endswith(COST_ENDS)
                if asked and metric.value is not None:
                    found.setdefault(metric.name, metric)
    return list(found.values())


def clocked(metric: str) -> bool:
    """Whether a metric of a training is a time, hence a matter of the machine."""
    return metric.endswith(("_s", "_ms"))


def _rounds(contender: Contender, metric: str, size: int) -> dict[int, tuple[float, bool]]:
    """Round → value and whether it was disturbed; anchors are no rounds."""
    found = {}
    for point, record in contender.measured:
        one = record.metric(metric)
        if point.batch_size == size and not point.anchor and one is not None and one.value is not None:
            found[point.round] = (one.value, disturbed(record, metric))
    return found


def disturbed(record: Record, metric: str) -> bool:
    """Whether something else used the machine while a time was taken; memory does not mind."""
    region = " ".join(metric.split("_")[:2])
    return any(region in flag.partition(WHILE_MEASURED)[2].split(", ") for flag in record.flags)


def _cost_row(
    match: Match,
    metric: Metric,
    size: int | None,
    ours: Mapping[int, tuple[float, bool]],
    theirs: Mapping[int, tuple[float, bool]],
    settings: Settings,
    foreign: Sequence[str],
) -> Row:
    (a, b), noisy = _quiet(ours, theirs, together=match.together)
    row = Row(
        where=match.title,
        kind="ratio",
        metric=metric.name,
        batch_size=size,
        unit=metric.unit,
        better=metric.better,
        n=(len(a), len(b)),
        threshold=threshold_of(match, metric, settings),
        word="not told",
    )
    ratio, p = paired_logs(b, a) if match.together else welch_logs(list(b.values()), list(a.values()))
    if ratio is None:
        return replace(row, note=_why_no_ratio(ours, theirs, "value" if size is None else f"round at batch {size}"))
    row = replace(
        row, a=median(a.values()), b=median(b.values()), change=ratio.ratio, low=ratio.low, high=ratio.high, p=p
    )
    few = min(row.n) if not match.together else len(a.keys() & b.keys())
    if few < LEAST_ROUNDS:
        return replace(row, word="too few rounds", note=f"{few} of {LEAST_ROUNDS} rounds")
    return replace(row, note=why_not(match, metric, noisy, foreign))


def threshold_of(match: Match, metric: Metric, settings: Settings) -> float:
    """How large a change of a cost must be, as a fraction: what was asked for, else the noise floor."""
    floor = match.floors.get(metric.name, usual_floor(metric, together=match.together))
    return settings.thresholds.get(metric.name, floor)


def _why_no_ratio(ours: Mapping[int, object], theirs: Mapping[int, object], what: str) -> str:
    if not ours or not theirs:
        return without(ours, theirs, what)
    return "a value is not positive" if ours.keys() & theirs.keys() else f"no common {what}"


def usual_floor(metric: Metric, *, together: bool) -> float:
    """Noise floor of a metric that was not calibrated, as a fraction: none for what is counted, 5 % for all else.

    Args:
        together: whether both sides are of one run, where memory repeats within 1 %; another run's allocator and
            libraries shift a small peak by several per cent.
    """
    if metric.unit in ("count", "flop", "steps", "samples"):
        return 0.0
    return LEAST_MEMORY if metric.unit == "bytes" and together else USUAL


def _quiet(
    ours: Mapping[int, tuple[float, bool]], theirs: Mapping[int, tuple[float, bool]], *, together: bool
) -> tuple[tuple[dict[int, float], dict[int, float]], bool]:
    """The rounds that nothing disturbed, if they are enough; else all, and that they are not."""
    if together:
        ours, theirs = ({n: side[n] for n in ours.keys() & theirs.keys()} for side in (ours, theirs))
    bad = {n for side in (ours, theirs) for n, (_, noisy) in side.items() if noisy} if together else set()
    kept = [
        {n: value for n, (value, noisy) in sorted(side.items()) if not noisy and n not in bad}
        for side in (ours, theirs)
    ]
    every = [{n: value for n, (value, _) in sorted(side.items())} for side in (ours, theirs)]
    if kept == every or all(len(side) >= LEAST_ROUNDS for side in kept):
        return (kept[0], kept[1]), False
    return (every[0], every[1]), True


def why_not(match: Match, metric: Metric, noisy: bool, foreign: Sequence[str]) -> str:
    """Why a cost is not judged; empty where it is."""
    if metric.better == "neither":
        return "the metric has no better and worse"
    if foreign:
        return f"another machine: {', '.join(foreign)}"
    if match.a.emulated != match.b.emulated:
        return "an emulated precision"
    if noisy:
        return "too few rounds that nothing disturbed"
    if match.drifted and metric.unit != "bytes":
        return "the machine has drifted between A and B"
    return ""


def costs_judged(rows: Sequence[Row], settings: Settings) -> list[Row]:
    """The rows, with words for those that are costs and can be judged, corrected over all of them."""
    tested = [i for i, row in enumerate(rows) if row.kind == "ratio" and not row.note and row.p is not None]
    corrected = dict(zip(tested, holm([rows[i].p or 0.0 for i in tested]), strict=True))
    return [
        _cost_judged(
            row, corrected[i], len(tested), "threshold" if row.metric in settings.thresholds else "noise floor"
        )
        if i in corrected
        else row
        for i, row in enumerate(rows)
    ]


def _cost_judged(row: Row, p_holm: float, tested: int, floor: str) -> Row:
    ratio = row.change or 1.0
    row = replace(row, p_holm=p_holm, judgement="unchanged")
    if abs(ratio - 1) <= row.threshold:
        within = p_holm < ALPHA and ratio != 1
        return replace(row, note=f"within the {floor} of {100 * row.threshold:.3g} %" if within else "")
    if p_holm >= ALPHA:
        alone = row.p is not None and row.p < ALPHA
        return (
            replace(row, judgement="undecided", note=f"significant alone, but not among {tested} costs")
            if alone
            else row
        )
    up = ratio > 1
    judgement: Judgement = "improvement" if up == (row.better == "higher") else "regression"
    return replace(row, word=_cost_word(row, up), judgement=judgement)


def _cost_word(row: Row, up: bool) -> str:
    if row.metric.endswith("_throughput"):
        return "faster" if up else "slower"
    if row.unit in ("ms", "s"):
        return "slower" if up else "faster"
    return "more" if up else "less"
