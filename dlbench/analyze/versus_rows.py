"""Rows of a comparison of B with A, and what is asked of one: values without statistics of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from dlbench.schema.metric import Better

Judgement = Literal["regression", "improvement", "unchanged", "undecided"]

_NOUNS: dict[Judgement, tuple[str, str]] = {
    "regression": ("regression", "regressions"),
    "improvement": ("improvement", "improvements"),
    "unchanged": ("unchanged", "unchanged"),
    "undecided": ("undecided", "undecided"),
}


@dataclass(frozen=True)
class Row:
    """One metric of one contender (at one batch size), B against A.

    Attributes:
        where: title of the match.
        kind: what stands in `change`: a difference b − a, a ratio b / a, or nothing.
        n: how many seeds (pairs) or rounds of either side.
        change: difference in the metric's unit, or ratio; None where one side has no value.
        low: lower end of its uncorrected 95 % interval; None where that is not known.
        p_holm: p value after Holm's correction; None where nothing was tested.
        threshold: how large a change must be: in the metric's unit, or a fraction for a ratio.
        word: the verdict on B.
        note: why nothing was decided, or what else is to be known.
    """

    where: str
    kind: Literal["difference", "ratio", "jobs"]
    metric: str
    batch_size: int | None
    unit: str
    better: Better
    n: tuple[int, int]
    a: float | None = None
    b: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    threshold: float = 0.0
    word: str = ""
    judgement: Judgement = "undecided"
    note: str = ""


@dataclass(frozen=True)
class Settings:
    """What a comparison is asked for.

    Attributes:
        metrics: names, instead of the usual ones; empty: the usual ones.
        thresholds: metric → how large a change must be, instead of the noise floor.
        across_machines: whether costs are judged although hardware, torch or threads differ.
    """

    metrics: tuple[str, ...] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    across_machines: bool = False


def summary(rows: Sequence[Row], *, all_words: bool = True) -> str:
    """`1 regression, 2 improvements, 9 unchanged`; what could not be decided is counted too.

    Args:
        all_words: whether there is a word for what there is none of.
    """
    if not rows:
        return "nothing compared"
    counts = {word: sum(row.judgement == word for row in rows) for word in _NOUNS}
    kept = {word: n for word, n in counts.items() if n or (all_words and word != "undecided")}
    return ", ".join(f"{n or 'no'} {_NOUNS[word][n != 1]}" for word, n in kept.items())


def without(ours: Mapping[int, object], theirs: Mapping[int, object], what: str) -> str:
    """Which side has nothing."""
    if not ours and not theirs:
        return f"neither side has a {what}"
    return f"{'B' if ours else 'A'} has no {what}"
