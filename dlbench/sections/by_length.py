"""The score by the length of what is read: whether a contender loses its thread in long sources."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlbench.analyze.bootstrap import Interval
from dlbench.analyze.contenders import Arena, Contender, finished
from dlbench.analyze.quantities import format_of, listed, quantity, titled
from dlbench.analyze.results import Results
from dlbench.analyze.sentences import COUNTS, bleu, bleu_interval, share_interval
from dlbench.analyze.verdict import score_name
from dlbench.schema.blocks import Block, Cell, Column, Figure, Heading, Section, Table, Text
from dlbench.sections import _charts, _drawn

POSITION = 42
BINS = 6
MOST_TOLD = 4
"""Contenders in a sentence."""
FEW = 8
"""Up to this many lengths each is a bin of its own."""


@dataclass(frozen=True)
class _Bin:
    """Test examples of neighbouring lengths."""

    shortest: int
    longest: int
    mean: float
    rows: NDArray[np.intp]

    @property
    def name(self) -> str:
        """`7`, `8–11`."""
        return f"{self.shortest}" if self.shortest == self.longest else f"{self.shortest}–{self.longest}"


@dataclass(frozen=True)
class _Value:
    """The score of a contender over a bin, mean over seeds, with its interval over examples."""

    mean: float
    interval: Interval


def build(results: Results) -> Section | None:
    """For each arena whose answers were kept with the lengths of their sources: a figure and a table."""
    blocks: list[Block] = []
    for arena in results.arenas:
        earned, lengths = _earned(results, arena)
        bins = _bins(lengths) if earned else []
        if len(bins) > 1:
            found = {one: [_value(marks[:, each.rows]) for each in bins] for one, marks in earned.items()}
            blocks += [Heading(text=arena.title)] if len(results.arenas) > 1 else []
            blocks += [Text(text=_finding(arena, found, bins)), _figure(results, arena, found, bins)]
            blocks.append(_table(arena, found, bins))
    return Section(title="By length of the source", anchor="by-length", blocks=tuple(blocks)) if blocks else None


def _exact(columns: Mapping[str, NDArray[Any]], n: int) -> NDArray[Any] | None:
    found = columns.get("exact")
    return None if found is None or found.shape != (n,) else found.astype(np.int64)


def _counts(columns: Mapping[str, NDArray[Any]], n: int) -> NDArray[Any] | None:
    found = columns.get("bleu_statistics")
    return None if found is None or found.shape != (n, COUNTS) else found.astype(np.int64)


def _tokens(columns: Mapping[str, NDArray[Any]], n: int) -> NDArray[Any] | None:
    """Of each example how many of its tokens are right, and how many there are."""
    correct = columns.get("correct")
    if correct is None or correct.shape != (n,):
        return None
    return np.stack([correct.astype(np.int64), columns["source_length"].astype(np.int64)], axis=1)


READERS: Mapping[str, Callable[[Mapping[str, NDArray[Any]], int], NDArray[Any] | None]] = {
    "_accuracy": _tokens,
    "_exact_match": _exact,
    "_bleu": _counts,
}
"""End of a score's name → what each example adds to it, out of the columns that were kept."""


def _earned(results: Results, arena: Arena) -> tuple[dict[Contender, NDArray[Any]], NDArray[np.int64]]:
    """Contender → what each example adds to its score, (seeds, examples, …), and the lengths of the sources."""
    name = arena.score.name if arena.score is not None else ""
    read = next((reader for end, reader in READERS.items() if name.endswith(end)), None)
    lengths: NDArray[np.int64] = np.zeros(0, np.int64)
    found: dict[Contender, NDArray[Any]] = {}
    if read is None:
        return found, lengths
    for contender in arena.contenders:
        seeds = []
        for result, _ in finished(contender.train):
            columns = results.predictions(result) or {}
            own = columns.get("source_length")
            if own is None or own.ndim != 1 or not len(own):
                continue
            lengths = lengths if len(lengths) else own.astype(np.int64)
            marks = read(columns, len(own))
            if marks is not None and np.array_equal(own, lengths):
                seeds.append(marks)
        if seeds:
            found[contender] = np.stack(seeds)
    return found, lengths


def _bins(lengths: NDArray[np.int64]) -> list[_Bin]:
    """Bins of about equally many examples; examples of one length are in one bin."""
    sizes, counts = np.unique(lengths, return_counts=True)
    middles = (np.cumsum(counts) - counts / 2) / len(lengths)
    places = np.arange(len(sizes)) if len(sizes) <= FEW else np.floor(middles * BINS).astype(int)
    bins = []
    for place in np.unique(places):
        within = sizes[places == place]
        rows = np.flatnonzero(np.isin(lengths, within))
        bins.append(_Bin(int(within[0]), int(within[-1]), float(lengths[rows].mean()), rows))
    return bins


def _value(marks: NDArray[Any]) -> _Value:
    if marks.ndim == 2:
        share = float(marks.mean())
        return _Value(share, share_interval(share, marks.shape[1]))
    if marks.shape[2] == 2:
        return _share_of_tokens(marks.mean(axis=0))
    return _Value(float(bleu(marks.sum(axis=1)).mean()), bleu_interval(marks))


def _share_of_tokens(marks: NDArray[np.float64]) -> _Value:
    """The share of tokens that are right; those of one example are no independent ones, and count as so many fewer.

    Args:
        marks: right ones and all, (examples, 2), means over seeds.
    """
    n, (right, tokens) = len(marks), marks.sum(axis=0)
    share = float(right / tokens)
    variance = n / max(n - 1, 1) * float(((marks[:, 0] - share * marks[:, 1]) ** 2).sum()) / float(tokens) ** 2
    return _Value(share, share_interval(share, share * (1 - share) / variance if variance > 0 else n))


def _format(arena: Arena) -> str:
    return format_of(arena.score.unit if arena.score is not None else "")


def _finding(arena: Arena, found: Mapping[Contender, Sequence[_Value]], bins: Sequence[_Bin]) -> str:
    """What the shortest and the longest sources make of the best contenders, in a sentence."""
    courses = [
        f"{one.name} from {_shown(found[one][0], _format(arena))} to {_shown(found[one][-1], _format(arena))}"
        for one in arena.ordered
        if one in found
    ]
    others = "; the table has all others" if len(courses) > MOST_TOLD else ""
    return (
        f"Between the shortest sources ({bins[0].name} tokens) and the longest ({bins[-1].name} tokens) "
        f"{score_name(arena)} goes: {listed(courses[:MOST_TOLD])}{others}."
    )


def _figure(
    results: Results, arena: Arena, found: Mapping[Contender, Sequence[_Value]], bins: Sequence[_Bin]
) -> Figure:
    drawn, note = _drawn.drawn(arena, list(found))
    rows = [
        {
            "model": contender.name,
            "length": each.mean,
            "tokens": each.name,
            "mean": value.mean,
            "low": value.interval[0],
            "high": value.interval[1],
            "n": len(each.rows),
        }
        for contender in drawn
        for each, value in zip(bins, found[contender], strict=True)
    ]
    shown, format, name = [one.name for one in drawn], _format(arena), score_name(arena)
    tip = [
        _charts.tooltip("model", "model"),
        _charts.tooltip("tokens", "source tokens"),
        _charts.tooltip("mean", name, _charts.tooltip_format(format)),
        _charts.tooltip("n", "examples", ","),
    ]
    x = _charts.measure("length", "Tokens of the source", "number")
    y = _charts.measure("mean", titled(name), format)
    hue, shapes = _charts.colour(results.series, shown), _charts.shape(results.series, shown)
    return Figure(
        name=f"by_length_{arena.anchor}",
        title=f"{titled(name)} by length of the source on {arena.title}",
        alt=f"Lines of {name} over {len(bins)} bins of source length for {len(shown)} contenders. "
        + _finding(arena, found, bins),
        caption="Each point is a bin, at its mean length; mean over seeds. The band is a 95 % interval over the test "
        f"examples of the bin, of these trained networks.{note}",
        spec=_charts.chart(rows, _charts.lines_with_bands(x, y, hue, shapes, tip, point_size=45)),
    )


def _shown(value: _Value, format: str) -> str:
    return quantity(value.mean, format, 1)


def _interval(value: _Value, format: str) -> str:
    low, high = (quantity(end, format, 1) for end in value.interval)
    return f"95 % interval over examples: {low} to {high}"


def _table(arena: Arena, found: Mapping[Contender, Sequence[_Value]], bins: Sequence[_Bin]) -> Table:
    format, name = _format(arena), score_name(arena)
    columns = [
        Column(name=f"{each.name} tokens", format=format, tooltip=f"{len(each.rows):,} examples") for each in bins
    ]
    rows = tuple(
        (
            Cell(value=contender.name, series=contender.name),
            *(Cell(value=one.mean, text=_shown(one, format), note=_interval(one, format)) for one in values),
        )
        for contender, values in sorted(found.items(), key=lambda item: arena.ordered.index(item[0]))
    )
    mean = fmean(len(each.rows) for each in bins)
    caption = f"{titled(name)} of the test examples with so many source tokens, about {mean:,.0f} in each bin."
    return Table(columns=(Column(name="Contender"), *columns), rows=rows, caption=caption)
