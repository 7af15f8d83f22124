"""Comparisons: every declared one, how sure it is, and what the test examples say of the same networks."""

from collections.abc import Sequence

from dlbench.analyze.bootstrap import Interval
from dlbench.analyze.certainty import Certainty, certainty, differences_of
from dlbench.analyze.compare import LEAST_SEEDS, Paired
from dlbench.analyze.examples import SecondOpinion, disagreement, second_opinions
from dlbench.analyze.power import LEAST_WINS
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
SURE_COLUMNS = (
    Column(name="Contender"),
    Column(name="Against"),
    Column(name="Bootstrap interval", format="number", tooltip="95 % bootstrap interval (BCa) of the mean over seeds"),
    Column(name="Chance to be better", format="number", tooltip="Probability of improvement, 95 % interval"),
    Column(name="Effect size", format="number", tooltip="Mean over spread of paired differences, 95 % interval"),
)
EXAMPLE_COLUMNS = (
    Column(name="Contender"),
    Column(name="Against"),
    Column(name="These networks", tooltip="At the 5 % level, after Holm's correction over all of these"),
    Column(name="Difference", format="number", tooltip="Contender minus the other, mean over common seeds"),
    Column(name="95 % interval", format="number", tooltip="Over test examples, not corrected; of BLEU by bootstrap"),
    Column(
        name="p",
        format="number",
        tooltip="Sign flips over examples, exact (for one seed McNemar's test); of BLEU 2,000 random ones",
    ),
    Column(
        name="Won and lost",
        format="count",
        tooltip="Examples that the contender gets right more often than the other; of BLEU, with a higher one",
    ),
    Column(name="Note", tooltip="Where the two opinions differ"),
)


def build(results: Results) -> Section | None:
    """Up to three tables for each arena, with a line for each comparison; None where nothing is compared."""
    blocks: list[Block] = []
    opinions = second_opinions(results)
    for arena in results.arenas:
        mine = [comparison for comparison in results.comparisons if comparison.arena is arena]
        if mine:
            blocks += [Heading(text=arena.title)] if len(results.arenas) > 1 else []
            rows = tuple(_row(comparison) for comparison in mine)
            blocks.append(Table(columns=COLUMNS, rows=rows, caption=_caption(len(results.comparisons))))
            blocks += [*_sure(mine), *_over_examples(mine, opinions)]
    return Section(title="Comparisons", anchor="comparisons", blocks=tuple(blocks)) if blocks else None


def _caption(count: int) -> str:
    corrected = "" if count == 1 else f"; p is corrected over all {count} comparisons of this report"
    return f"Test score, paired over common seeds{corrected}."


def _row(comparison: Comparison) -> tuple[Cell | str, ...]:
    paired, score = comparison.paired, comparison.arena.score
    unit = score.unit if score is not None else ""
    scale, suffix = _scale(comparison)
    left_out = f"{paired.unpaired} without a partner left out" if paired.unpaired else ""
    return (
        *_pair(comparison),
        Cell(value=paired.word, tone=_TONES.get(paired.word, "normal")),
        Cell(value=paired.difference, text=_signed(scale * paired.difference) + suffix),
        Cell(value=paired.low, text=_interval(paired, scale)),
        Cell(value=paired.p_holm, text=_p_text(paired.p_holm)),
        Cell(value=paired.wins, text=f"{100 * paired.wins:.0f} %"),
        Cell(value=paired.n),
        "; ".join(part for part in (seeds_phrase(paired, unit), left_out) if part),
    )


def _scale(comparison: Comparison) -> tuple[int, str]:
    """By what a difference is multiplied before it is shown, and what stands behind it."""
    fraction = comparison.arena.score is not None and comparison.arena.score.unit == "fraction"
    return (100, " points") if fraction else (1, "")


def _pair(comparison: Comparison) -> tuple[Cell, Cell]:
    sides = (comparison.contender.name, comparison.baseline.name)
    ours, theirs = (Cell(value=name, series=name) for name in sides)
    return ours, theirs


def _sure(comparisons: Sequence[Comparison]) -> list[Block]:
    """Intervals that need no normal distribution, for those with enough seeds."""
    rows = []
    for comparison in comparisons:
        if comparison.paired.n < LEAST_SEEDS or comparison.arena.score is None:
            continue
        higher = comparison.arena.score.better == "higher"
        found = certainty(differences_of(comparison), higher_is_better=higher)
        rows.append((*_pair(comparison), *_sure_cells(comparison, found)))
    caption = (
        "How sure: what other seeds might have given. Below ten seeds a bootstrap interval of the difference is too "
        "narrow: trust the one above. Chance to be better: of one training of each with the same seed, ties as half; "
        f"a verdict of better needs {100 * LEAST_WINS:.0f} %. An effect size of 1 is a difference as large as its own "
        "spread over seeds."
    )
    return [Table(columns=SURE_COLUMNS, rows=tuple(rows), caption=caption)] if rows else []


def _sure_cells(comparison: Comparison, found: Certainty) -> tuple[Cell, ...]:
    scale, _ = _scale(comparison)
    low = found.difference[0] if found.difference is not None else None
    chance = f"{100 * found.improvement:.0f} %{_bracket(found.improvement_interval, 100, '.0f')}"
    effect = NO_VALUE
    if found.effect is not None:
        effect = _signed(found.effect) + _bracket(found.effect_interval, 1, "+.1f")
    return (
        Cell(value=low, text="never varies" if found.difference is None else _span(*found.difference, scale)),
        Cell(value=found.improvement, text=chance),
        Cell(value=found.effect, text=effect),
    )


def _bracket(interval: Interval | None, scale: float, digits: str) -> str:
    if interval is None:
        return ""
    low, high = (f"{scale * end:{digits}}".replace("-", "−") for end in interval)
    return f" ({low} to {high})"


def _over_examples(comparisons: Sequence[Comparison], opinions: dict[Comparison, SecondOpinion]) -> list[Block]:
    rows = []
    for comparison in comparisons:
        found = opinions.get(comparison)
        if found is None:
            continue
        scale, suffix = _scale(comparison)
        rows.append(
            (
                *_pair(comparison),
                Cell(value=found.word, tone=_TONES.get(found.word, "normal")),
                Cell(value=found.difference, text=_signed(scale * found.difference) + suffix),
                Cell(value=found.low, text=_span(found.low, found.high, scale)),
                Cell(value=found.p_holm, text=_p_text(found.p_holm)),
                Cell(value=found.won - found.lost, text=f"{found.won:,} and {found.lost:,} of {found.n:,}"),
                disagreement(comparison.paired, found),
            )
        )
    seeds = sorted({len(found.seeds) for comparison, found in opinions.items() if comparison in comparisons})
    caption = (
        "A second opinion, over test examples: whether these trained networks differ on this test set. The verdict "
        "above is over seeds: whether the recipe is better, so that training again would show it again. "
        f"Networks of each side: {' or '.join(map(str, seeds))}."
    )
    return [Table(columns=EXAMPLE_COLUMNS, rows=tuple(rows), caption=caption)] if rows else []


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _interval(paired: Paired, scale: float) -> str:
    if paired.low is None or paired.high is None:
        return NO_VALUE
    return _span(paired.low, paired.high, scale)


def _span(low: float, high: float, scale: float) -> str:
    return f"{_signed(scale * low)} to {_signed(scale * high)}"


def _p_text(p: float | None) -> str:
    if p is None:
        return NO_VALUE
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"
