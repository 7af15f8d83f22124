"""Shared parts of sections on cost: medians, their cells, words of phases, and why a figure is missing."""

from collections.abc import Callable, Iterable, Sequence

from dlbench.analyze.compare import Ratio
from dlbench.analyze.contenders import Arena, Contender
from dlbench.analyze.quantities import listed, significant, titled
from dlbench.analyze.summary import MedianSummary, summarise_rounds
from dlbench.schema.blocks import Block, Cell, Heading, Text, Tone
from dlbench.schema.record import Result

PHASES = {"train": "training", "infer": "inference", "decode": "decoding", "sample": "sampling"}
"""Prefix of a metric's name → what the phase is called in a sentence."""


def summary(contender: Contender, metric: str, batch_size: int) -> MedianSummary | None:
    """The median over rounds, with its interval; None where there is no value."""
    return summarise_rounds(list(contender.rounds(metric, batch_size).values()))


def median(contender: Contender, metric: str, batch_size: int) -> float | None:
    """The median over rounds; None where there is no value."""
    found = summary(contender, metric, batch_size)
    return None if found is None else found.median


def cell(contender: Contender, metric: str, batch_size: int) -> Cell:
    """The median over rounds, with its interval and, where it is missing, the reason as a note."""
    found = summary(contender, metric, batch_size)
    if found is None:
        reasons = contender.reasons(metric)
        return Cell(value=None, note="; ".join(reasons) or None)
    note = f"median of {found.n} round{'s' if found.n > 1 else ''} at batch {batch_size}"
    if found.low is not None and found.high is not None:
        note += f", {found.coverage or 0:.0%} interval {found.low:.4g} to {found.high:.4g}"
    return Cell(value=found.median, note=note)


def name_cell(contender: Contender) -> Cell:
    """The contender, marked with its colour, and as emulated where it is."""
    text = f"{contender.name} (emulated)" if contender.emulated and "emulated" not in contender.name else None
    note = "Never ranked: the device only emulates this precision" if contender.emulated else None
    return Cell(value=contender.name, series=contender.name, text=text, note=note)


def sizes_of(arena: Arena, metrics: Iterable[str]) -> list[int]:
    """Batch sizes at which any contender of the arena has a value of any of the metrics, ascending."""
    names = tuple(metrics)
    return [s for s in arena.batch_sizes if any(c.rounds(name, s) for c in arena.contenders for name in names)]


def headed(arenas: Sequence[Arena], arena: Arena, blocks: Sequence[Block]) -> list[Block]:
    """The blocks of an arena, under its title where the suite has several; nothing for none."""
    return [*([Heading(text=arena.title)] if blocks and len(arenas) > 1 else []), *blocks]


def ratio_cell(ratio: Ratio | None, batch_size: int, less: bool) -> Cell:
    """A ratio of costs: coloured where it may be told from 1, with its interval as a note.

    Args:
        less: whether less of the metric is better.
    """
    if ratio is None:
        return Cell(value=None)
    tone: Tone = "normal"
    if ratio.told:
        tone = "good" if (ratio.ratio < 1) == less else "error"
    note = f"batch {batch_size}, {ratio.n} round{'s' if ratio.n > 1 else ''}"
    if ratio.low is not None and ratio.high is not None:
        note += f", 95 % interval {ratio.low:.3g} to {ratio.high:.3g}"
    if ratio.floor:
        note += f", noise floor {ratio.floor:.1%}"
    if ratio.drifted:
        note += "; the machine has drifted between the two"
    return Cell(value=ratio.ratio, text=f"{significant(ratio.ratio)}×", note=note, tone=tone)


def skipped(results: Iterable[Result], what: Callable[[Result], str | None]) -> list[Block]:
    """One line on what could not run here, and why.

    Args:
        what: what a skipped job stands for, such as its precision; None leaves it out.
    """
    whose: dict[tuple[str, str], list[str]] = {}
    for result in results:
        name = what(result) if result.status == "skipped" else None
        if name is not None:
            reason = result.entry.skipped or (result.record.reason if result.record is not None else None) or ""
            whose.setdefault((name, reason), []).append(result.entry.label)
    if not whose:
        return []
    lines = [f"{name} ({_of(labels)}): {reason}" for (name, reason), labels in whose.items()]
    return [Text(text=f"Skipped: {'; '.join(lines)}.", level="note")]


def _of(labels: Iterable[str]) -> str:
    unique = list(dict.fromkeys(labels))
    return listed(unique) if len(unique) <= 4 else f"{len(unique)} models"


def missing(contenders: Sequence[Contender], names: dict[str, str]) -> list[Block]:
    """One small line that says which figures are missing, and why; each reason once.

    Args:
        contenders: all that a table shows; those whom a reason concerns are named where it is not all of them.
        names: metric → what it is called.
    """
    measured = [contender for contender in contenders if contender.measured]
    whats: dict[str, list[str]] = {}
    whose: dict[str, list[str]] = {}
    for metric, name in names.items():
        for contender in measured:
            for reason in contender.reasons(metric):
                whats.setdefault(reason, []).append(name)
                whose.setdefault(reason, []).append(contender.name)
    lines = []
    for reason, found in whats.items():
        concerned = list(dict.fromkeys(whose[reason]))
        of = "" if len(concerned) == len(measured) else f" of {listed(concerned)}"
        lines.append(f"{titled(listed(list(dict.fromkeys(found))))}{of}: {reason.rstrip('.')}")
    return [Text(text=f"Not measured. {'. '.join(lines)}.", level="note")] if lines else []
