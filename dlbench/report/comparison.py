"""A comparison of two sides as neutral tables, and as a comment for a pull request. Everything from outside is escaped.

A comment's reader sees one line first, then what changed; the rest folds away.
"""

import re
from collections.abc import Sequence

from dlbench.analyze.partners import Alone
from dlbench.analyze.quantities import NO_VALUE, digits_for, format_of, quantity
from dlbench.analyze.versus import Versus
from dlbench.analyze.versus_rows import Judgement, Row, summary
from dlbench.report.markdown import block_text, escape, paragraph
from dlbench.schema.blocks import Cell, Column, Table, Tone

TONES: dict[Judgement, Tone] = {
    "regression": "error",
    "improvement": "good",
    "unchanged": "normal",
    "undecided": "warning",
}
_MARKS: dict[Judgement, str] = {"regression": "✖ ", "improvement": "✔ ", "unchanged": "", "undecided": "? "}
MOST_NAMES = 3
"""Contenders that a change in configuration names, beyond which it counts them."""
LARGEST_COMMENT = 60_000
"""Characters; GitHub refuses comments of more than 65,536."""
_CALLS = re.compile(r"[@#](?=\w)")
"""What a forge would make a call to a person, or a link to an issue."""


def rows_table(rows: Sequence[Row], *, named: bool = True) -> Table:
    """A line for each row: who, what, A, B, how much it changed, and the verdict on B.

    Args:
        named: whether it says who; not where that is the table's title.
    """
    names = ("contender", "metric", "A", "B", "change", "n", "verdict on B")
    return Table(
        columns=tuple(Column(name=name) for name in names[not named :]),
        rows=tuple(_line(row)[not named :] for row in rows),
        caption="",
        sortable=False,
    )


def _line(row: Row) -> tuple[str | Cell, ...]:
    size = "" if row.batch_size is None else f", batch {row.batch_size}"
    format = format_of(row.unit)
    n = str(row.n[0]) if row.n[0] == row.n[1] else f"{row.n[0]}, {row.n[1]}"
    verdict = Cell(value=verdict_text(row), tone=TONES[row.judgement])
    metric = f"{row.metric}{size}"
    digits = _digits(row)
    return (
        row.where,
        metric,
        quantity(row.a, format, digits),
        quantity(row.b, format, digits),
        change_text(row),
        n,
        verdict,
    )


def _digits(row: Row) -> int | None:
    """Decimals that a fraction's interval deserves; all other quantities choose by their size."""
    if row.unit != "fraction" or row.low is None or row.high is None:
        return None
    return digits_for((row.high - row.low) / 2, scale=100)


def verdict_text(row: Row) -> str:
    """The word with its mark, and what else there is to know."""
    return f"{_MARKS[row.judgement]}{row.word}" + (f": {row.note}" if row.note else "")


def sentence(row: Row) -> str:
    """`test_accuracy of lstm on digits: 91.2 % → 89.0 %, −2.2 points (−2.9 to −1.5), worse`."""
    _, metric, a, b, change, _, _ = _line(row)
    change = "" if row.change is None else f", {change}"
    return f"{metric} of {row.where}: {a} → {b}{change}, {row.word}" + (f" ({row.note})" if row.note else "")


def change_text(row: Row) -> str:
    """`−2.2 points (−2.9 to −1.5)`, `+7.1 % (+4.0 to +10.3)`; a dash where there is none."""
    if row.change is None:
        return NO_VALUE
    if row.kind == "ratio":
        ends = [None if end is None else 100 * (end - 1) for end in (row.change, row.low, row.high)]
        return _with_ends([_signed(end, 1) for end in ends], "%")
    if row.unit == "fraction":
        margin = None if row.low is None or row.high is None else (row.high - row.low) / 2
        digits = digits_for(margin, scale=100)
        ends = [None if end is None else 100 * end for end in (row.change, row.low, row.high)]
        return _with_ends([_signed(end, digits) for end in ends], "points")
    words = [_amount(end, format_of(row.unit)) for end in (row.change, row.low, row.high)]
    return _with_ends(words, "")


def _with_ends(words: Sequence[str | None], unit: str) -> str:
    change, low, high = words
    ends = f" ({low} to {high})" if low is not None and high is not None else ""
    return f"{change} {unit}".rstrip() + ends


def _signed(value: float | None, digits: int) -> str | None:
    return None if value is None else f"{value:+,.{digits}f}".replace("-", "−")


def _amount(value: float | None, format: str) -> str | None:
    return None if value is None else ("+" if value > 0 else "") + quantity(value, format)


def alone_table(alone: Sequence[Alone]) -> Table:
    """What could not be compared, and why."""
    return Table(
        columns=tuple(Column(name=name) for name in ("only in", "what", "why")),
        rows=tuple((one.side, one.what, one.why) for one in alone),
        caption="",
        sortable=False,
    )


def changes_table(found: Versus) -> Table:
    """What is configured otherwise in B, each change once, with those whom it befell."""
    everyone = len({name for _, names in found.changed for name in names})
    return Table(
        columns=tuple(Column(name=name) for name in ("setting", "A", "B", "of")),
        rows=tuple((change.key, change.old, change.new, _whose(names, everyone)) for change, names in found.changed),
        caption="",
        sortable=False,
    )


def _whose(names: Sequence[str], everyone: int) -> str:
    if len(names) <= MOST_NAMES:
        return ", ".join(names)
    return "all" if len(names) == everyone else f"{len(names)} of {everyone}"


def comment(found: Versus) -> str:
    """The comparison as GitHub-flavoured Markdown: a line that sums it up, what changed, the rest folded away."""
    told = [row for row in found.rows if row.judgement in ("regression", "improvement")]
    told.sort(key=lambda row: row.judgement != "regression")
    rest = [row for row in found.rows if row not in told]
    parts = [f"**{escape(summary(found.rows))}**: B ({escape(found.b)}) against A ({escape(found.a)})"]
    parts += [paragraph(f"⚠ {warning}") for warning in found.warnings]
    parts += [block_text(rows_table(told)).rstrip()] if told else []
    parts += [_folded(summary(rest, all_words=False), rows_table(rest))] if rest else []
    parts += (
        [_folded(f"Changed in configuration ({len(found.changed)})", changes_table(found))] if found.changed else []
    )
    parts += [_folded(f"Not compared ({len(found.alone)})", alone_table(found.alone))] if found.alone else []
    parts.append(paragraph(HOW))
    kept = [_calling_nobody(part) for part in parts]
    while sum(map(len, kept)) > LARGEST_COMMENT and any(part.startswith("<details>") for part in kept):
        longest = max((part for part in kept if part.startswith("<details>")), key=len)
        kept[kept.index(longest)] = "(A table was left out: a comment has no room for it.)"
    return "\n\n".join(kept) + "\n"


HOW = (
    "A and B are means over common seeds, of costs medians over rounds. Changes are differences of means, of costs "
    "ratios of geometric means, both with 95 % intervals; where a target was missed, A and B are medians, and a miss "
    "is infinite; verdicts are corrected over all rows (Holm), and a cost must change by more than the noise floor."
)
"""What the columns mean, once."""


def _folded(title: str, table: Table) -> str:
    return f"<details><summary>{escape(title)}</summary>\n\n{block_text(table).rstrip()}\n\n</details>"


def _calling_nobody(text: str) -> str:
    """With an empty comment behind each sign that a forge would take for a mention or a reference."""
    return _CALLS.sub(lambda found: f"{found.group()}<!-- -->", text)
