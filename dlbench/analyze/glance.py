"""The results at a glance, in words: what the terminal prints and what a tracker shows of a suite.

The report says more, with intervals and reasons for every figure.
"""

from dlbench.analyze.contenders import Arena, Contender
from dlbench.analyze.quantities import NO_VALUE, difference, format_of, quantity, significant
from dlbench.analyze.results import Comparison, Results
from dlbench.analyze.summary import summarise_rounds
from dlbench.analyze.verdict import mean_text, score_name
from dlbench.schema.invocation import Sheet

MOST_SIZES = 3
"""Batch sizes that are shown of an arena without scores, for it has two speeds at each."""

MEMORIES = {"train_peak_memory_bytes": "training memory", "infer_peak_memory_bytes": "inference memory"}


def leaderboard(results: Results, arena: Arena, *, memory: bool = False) -> Sheet:
    """One task on one dataset: a row for each contender, the best first; empty columns are left out.

    Where nothing is trained there are speeds of training instead of scores.

    Args:
        memory: whether to show the peak memory of each phase, at the largest batch size.
    """
    sizes = arena.batch_sizes
    columns = {"model": [contender.name for contender in arena.ordered]}
    if not arena.measured_only:
        columns |= _quality(results, arena)
    for size in sizes_shown(arena):
        phases = ("train", "infer", "decode") if arena.measured_only else ("infer", "decode")
        columns |= {f"{phase}/s, batch {size}": _speeds(arena, f"{phase}_throughput", size) for phase in phases}
    if memory and sizes:
        columns |= {f"{name}, batch {sizes[-1]}": _medians(arena, metric) for metric, name in MEMORIES.items()}
    columns["parameters"] = [_parameters(contender, sizes) for contender in arena.ordered]
    known = {heading: cells for heading, cells in columns.items() if any(cells)}
    return Sheet(title=arena.title, columns=tuple(known), rows=tuple(zip(*known.values(), strict=True)))


def sizes_shown(arena: Arena) -> tuple[int, ...]:
    """Batch sizes whose speeds a leaderboard shows: the smallest, the middle and the largest, where there are more."""
    sizes = arena.batch_sizes
    if not arena.measured_only or len(sizes) <= MOST_SIZES:
        return sizes
    return sizes[0], sizes[len(sizes) // 2], sizes[-1]


def comparisons(results: Results) -> Sheet | None:
    """Every declared comparison of scores in words; None where nothing is compared."""
    if not results.comparisons:
        return None
    columns = ("dataset", "contender", "against", "verdict", "difference", "95 % interval", "p (Holm)", "wins", "seeds")
    rows = tuple(_comparison(comparison) for comparison in results.comparisons)
    return Sheet(title="Comparisons", columns=columns, rows=rows)


def _quality(results: Results, arena: Arena) -> dict[str, list[str]]:
    scores: list[str] = []
    counts: list[str] = []
    words: list[str] = []
    for contender in arena.ordered:
        values = contender.values(arena.score.name) if arena.score else {}
        comparison = results.comparison(contender)
        own = contender.label == results.baseline_label(arena) and results.reference(arena, contender) is None
        is_baseline = own and len(arena.contenders) > 1
        scores.append(mean_text(arena, contender) if values else "no result")
        counts.append(str(len(values)))
        words.append(comparison.paired.word if comparison else "baseline" if is_baseline else "")
    return {score_name(arena): scores, "n": counts, "against baseline": words}


def _speeds(arena: Arena, metric: str, size: int) -> list[str]:
    """Medians over rounds; where there is none, what became of the jobs. All are empty where nobody has one."""
    found = [summarise_rounds(list(contender.rounds(metric, size).values())) for contender in arena.ordered]
    if not any(found):
        return [""] * len(found)
    return [
        f"{speed.median:,.0f}" if speed else _instead(contender, size) if arena.measured_only else ""
        for contender, speed in zip(arena.ordered, found, strict=True)
    ]


def _instead(contender: Contender, size: int) -> str:
    """`skipped`, `oom`: what became of the cost jobs at a batch size, if it is the same for all."""
    points = [(result.entry.job.cost, result.status) for result in contender.cost]
    rounds = [(p, status) for p, status in points if p is not None and not p.anchor and not p.largest_batch]
    statuses = {status for point, status in rounds if point.batch_size == size}
    return statuses.pop() if len(statuses) == 1 and "ok" not in statuses else ""


def _medians(arena: Arena, metric: str) -> list[str]:
    """Bytes at the largest batch size of all."""
    size = arena.batch_sizes[-1]
    found = [summarise_rounds(list(contender.rounds(metric, size).values())) for contender in arena.ordered]
    return [quantity(one.median, "bytes") if one else "" for one in found]


def _parameters(contender: Contender, sizes: tuple[int, ...]) -> str:
    counts = {n for size in sizes for n in contender.rounds("parameters", size).values()}
    return f"{counts.pop():,.0f}" if len(counts) == 1 else ", ".join(map(significant, counts))


def _comparison(comparison: Comparison) -> tuple[str, ...]:
    paired, score = comparison.paired, comparison.arena.score
    format = format_of(score.unit if score is not None else "")
    bounds = [NO_VALUE if bound is None else _signed(bound, format) for bound in (paired.low, paired.high)]
    return (
        comparison.arena.title,
        comparison.contender.name,
        comparison.baseline.name,
        paired.word,
        _signed(paired.difference, format),
        " to ".join(bounds) if paired.low is not None else NO_VALUE,
        NO_VALUE if paired.p_holm is None else "< 0.0001" if paired.p_holm < 1e-4 else f"{paired.p_holm:.2g}",
        f"{100 * paired.wins:.0f} %",
        str(paired.n),
    )


def _signed(value: float, format: str) -> str:
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{difference(value, format)}"
