"""Why a contender is not among those that are compared: its score, its cost at a batch size; in a few words each."""

from collections.abc import Mapping

from dlbench.analyze.contenders import Arena, Contender
from dlbench.analyze.quantities import listed

MOST_NAMED = 8
"""Names with one reason; more of them are counted."""
_MEANINGS = {
    "oom": "out of memory",
    "missing": "not run yet",
    "interrupted": "interrupted, the next run makes it again",
    "lost": "its process died",
}


def meaning(status: str) -> str:
    """What became of a job, in words: `out of memory`, `not run yet`."""
    return _MEANINGS.get(status, status)


def unranked(arena: Arena, contender: Contender) -> str:
    """Why its score can be ranked with nobody's: `emulated precision`, `4 of 5 seeds`; empty if it can be."""
    if contender.emulated:
        return "emulated precision"
    have = contender.values(arena.score.name) if arena.score else {}
    statuses = {result.status for result in contender.train}
    if not have:
        return meaning(statuses.pop()) if len(statuses) == 1 and "ok" not in statuses else "no score"
    return "" if have.keys() == arena.seeds else f"{len(have)} of {len(arena.seeds)} seeds"


def uncosted(contender: Contender, metric: str, size: int) -> str:
    """Why it has no cost at a batch size: `out of memory at batch 512`; empty if it has."""
    if contender.rounds(metric, size):
        return ""
    points = [(result.entry.job.cost, result.status) for result in contender.cost]
    rounds = [(point, status) for point, status in points if point is not None and not point.largest_batch]
    statuses = {status for point, status in rounds if point.batch_size == size and not point.anchor}
    at = f"at batch {size:,}"
    if not statuses:
        return f"not measured {at}"
    if "ok" in statuses:
        return next(iter(contender.reasons(metric)), f"no such cost {at}")
    return f"{listed([meaning(status) for status in sorted(statuses)])} {at}"


def reasoned(reasons: Mapping[str, str]) -> str:
    """Names with why they are left out, those with one reason together: `a and b (4 of 5 seeds) and c (skipped)`."""
    whose: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        whose.setdefault(reason, []).append(name)
    named = {why: listed(n) if len(n) <= MOST_NAMED else f"{len(n)} contenders" for why, n in whose.items()}
    return listed([f"{names} ({reason})" for reason, names in named.items()])
