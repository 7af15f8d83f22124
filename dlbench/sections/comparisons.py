"""Comparisons: every declared one with its difference, interval, corrected p value and what more seeds would tell."""

from dlbench.analyze.compare import Paired
from dlbench.analyze.quantities import NO_VALUE
from dlbench.analyze.results import Comparison, Results
from dlbench.analyze.verdict import seeds_phrase
from dlbench.schema.blocks import Cell, Column, Section, Table, Tone

POSITION = 32

_TONES: dict[str, Tone] = {"better": "good", "worse": "error"}
COLUMNS = (
    Column(name="Contender"),
    Column(name="Against"),
    Column(name="Pairs", format="count", tooltip="Common seeds"),
    Column(name="Difference", format="number", tooltip="Contender minus the other, mean over common seeds"),
    Column(name="95 % interval", format="number", tooltip="Paired t interval of the difference, not corrected"),
    Column(name="p", format="number", tooltip="Paired t test, after Holm's correction over this table"),
    Column(name="Wins", format="number", tooltip="Share of common seeds that the contender wins"),
    Column(name="Verdict", tooltip="At the 5 % level, and with at least three of four seeds won"),
    Column(name="What more seeds would tell"),
)


def build(results: Results) -> Section | None:
    """A line for each comparison; None where nothing is compared."""
    if not results.comparisons:
        return None
    several = len(results.arenas) > 1
    return Section(
        title="Comparisons",
        anchor="comparisons",
        blocks=(
            Table(
                columns=((Column(name="Data"),) if several else ()) + COLUMNS,
                rows=tuple(
                    ((comparison.arena.title,) if several else ()) + _row(comparison)
                    for comparison in results.comparisons
                ),
                caption=f"All {len(results.comparisons)} declared comparisons of the test score.",
            ),
        ),
    )


def _row(comparison: Comparison) -> tuple[Cell | str, ...]:
    paired, score = comparison.paired, comparison.arena.score
    unit = score.unit if score is not None else ""
    scale, suffix = (100, " points") if unit == "fraction" else (1, "")
    left_out = f"{paired.unpaired} without a partner left out" if paired.unpaired else None
    return (
        Cell(value=comparison.contender.name, series=comparison.contender.name),
        Cell(value=comparison.baseline.name, series=comparison.baseline.name),
        Cell(value=paired.n, text=f"{paired.n} ({left_out})" if left_out else None),
        Cell(value=paired.difference, text=_signed(scale * paired.difference) + suffix),
        Cell(value=paired.low, text=_interval(paired, scale)),
        Cell(value=paired.p_holm, text=_p_text(paired.p_holm)),
        Cell(value=paired.wins, text=f"{paired.wins:.0%}"),
        Cell(value=paired.word, tone=_TONES.get(paired.word, "normal")),
        seeds_phrase(paired, unit) or "enough",
    )


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _interval(paired: Paired, scale: float) -> str:
    if paired.low is None or paired.high is None:
        return NO_VALUE
    return f"{_signed(scale * paired.low)} to {_signed(scale * paired.high)}"


def _p_text(p: float | None) -> str:
    if p is None:
        return NO_VALUE
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"
