"""What a chart shows of very many contenders and of very long curves, with the words that say so: never in silence."""

from collections.abc import Sequence
from typing import TypeVar

from dlbench.analyze.contenders import Arena, Contender

MOST_CONTENDERS = 40
"""Of a chart: more lines, bars or names cannot be told apart. Tables have all."""
MOST_ROWS = 2000
"""Of a chart of curves."""

T = TypeVar("T")


def drawn(arena: Arena, contenders: Sequence[Contender]) -> tuple[tuple[Contender, ...], str]:
    """Of contenders as many as a chart holds, in the order given, and a sentence that says so (empty for all).

    The best ones; where nothing is ranked, the first of the suite.
    """
    if len(contenders) <= MOST_CONTENDERS:
        return tuple(contenders), ""
    among = set(contenders)
    kept = set([contender for contender in arena.ordered if contender in among][:MOST_CONTENDERS])
    which = "best" if kept <= set(arena.ranked) else "first"
    note = f" Of {len(contenders):,} contenders the {which} {MOST_CONTENDERS} are drawn; the leaderboard has all."
    return tuple(contender for contender in contenders if contender in kept), note


def thinned(curve: Sequence[T], curves: int) -> tuple[Sequence[T], str]:
    """Of a curve's points as many as fit beside so many other curves, the first and the last among them.

    Returns:
        The points, evenly spread, and a sentence that says so (empty for all).
    """
    most = max(MOST_ROWS // curves, 2)
    if len(curve) <= most:
        return curve, ""
    kept = [curve[round(place * (len(curve) - 1) / (most - 1))] for place in range(most)]
    return kept, f" Of long curves {most:,} validations are drawn, evenly spread."
