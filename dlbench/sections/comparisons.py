"""Comparisons: every declared one with its difference, interval, corrected p value and what more seeds would tell."""

from dlbench.analyze.compare import Paired
from dlbench.analyze.quantities import NO_VALUE
from dlbench.analyze.results import Comparison, Results
from dlbench.analyze.verdict import seeds_phrase
from dlbench.schema.blocks import Block, Cell, Column, Heading, Section, Table, Tone

POSITION = 32

_TONES: dict[str, Tone] = {"better": "good", "worse": "error"}
COLUMNS = (
    Column(name="Contender"),
    Column(name="Against"),
    Column(name="Verdict", tooltip="At the 5 % level, and with at least three of four seeds won"),
    Column(name="Difference", format="number", tooltip="Contender minus the other, mean over common seeds"),
    Column(name="95 % interval", format="number", tooltip="Paired t interval of the difference, not corrected"),
    Column(name="p", format="number", tooltip="Paired t test, after Holm's correction over all comparisons"),
    Column(name="Wins", format="number", tooltip="Share of common seeds that the contender wins"),
    Column(name="Seeds", format="count", tooltip="Common seeds"),
    Column(name="Note", tooltip="What more seeds would tell, and what was left out"),
)


def build(results: Results) -> Section | None:
    """A table for each arena with a line for each comparison; None where nothing is compared."""
    blocks: list[Block] = []
    for arena in results.arenas:
        rows = tuple(_row(comparison) for comparison in results.comparisons if comparison.arena is arena)
        if rows:
            blocks += [Heading(text=arena.title)] if len(results.arenas) > 1 else []
            blocks.append(Table(columns=COLUMNS, rows=rows, caption=_caption(len(results.comparisons))))
    return Section(title="Comparisons", anchor="comparisons", blocks=tuple(blocks)) if blocks else None


def _caption(count: int) -> str:
    return f"Test score, paired over common seeds; p is corrected over all {count} comparisons of this report."


def _row(comparison: Comparison) -> tuple[Cell | str, ...]:
    paired, score = comparison.paired, comparison.arena.score
    unit = score.unit if score is not None else ""
    scale, suffix = (100, " points") if unit == "fraction" else (1, "")
    left_out = f"{paired.unpaired} without a partner left out" if paired.unpaired else ""
    return (
        Cell(value=comparison.contender.name, series=comparison.contender.name),
        Cell(value=comparison.baseline.name, series=comparison.baseline.name),
        Cell(value=paired.word, tone=_TONES.get(paired.word, "normal")),
        Cell(value=paired.difference, text=_signed(scale * paired.difference) + suffix),
        Cell(value=paired.low, text=_interval(paired, scale)),
        Cell(value=paired.p_holm, text=_p_text(paired.p_holm)),
        Cell(value=paired.wins, text=f"{100 * paired.wins:.0f} %"),
        Cell(value=paired.n),
        "; ".join(part for part in (seeds_phrase(paired, unit), left_out) if part),
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
