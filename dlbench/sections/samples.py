"""What the contenders of a dataset make of the same test examples, beside what should have been written."""

from collections.abc import Sequence
from dataclasses import dataclass

from dlbench.analyze.contenders import Arena, Contender, finished
from dlbench.analyze.results import Results
from dlbench.schema.blocks import Block, Heading, Picture, Pictures, Section, Text, TextPairs
from dlbench.schema.sample import Sample

POSITION = 72
MOST = 8
"""Examples that are shown."""
MOST_CONTENDERS = 6
"""Of each example: more would not be read."""
RIGHT = "✓ the reference"


@dataclass(frozen=True)
class _Answers:
    """What a contender's first network wrote, by row of the test split."""

    contender: Contender
    seed: int
    samples: dict[int, Sample]


def build(results: Results) -> Section | None:
    """A part for each arena whose contenders kept samples."""
    blocks: list[Block] = []
    for arena in results.arenas:
        everyone = [found for one in arena.ordered if (found := _answers(results, one)) is not None]
        shown = everyone[:MOST_CONTENDERS]
        rows = _common(shown)
        if rows:
            blocks += [Heading(text=arena.title)] if len(results.arenas) > 1 else []
            blocks += [Text(text=_who(arena, shown, len(everyone))), *_shown(rows, shown, f"samples_{arena.anchor}")]
    return Section(title="Sample outputs", anchor="samples", blocks=tuple(blocks)) if blocks else None


def _answers(results: Results, contender: Contender) -> _Answers | None:
    """Of the first seed that left any."""
    for result, record in finished(contender.train):
        samples = results.samples(result)
        if samples:
            return _Answers(contender, record.seed or 0, {sample.index: sample for sample in samples})
    return None


def _common(answers: Sequence[_Answers]) -> list[int]:
    """Rows that all were asked, evenly spread; only those of which all read the same."""
    if not answers:
        return []
    first = answers[0].samples
    rows = [row for row in sorted(first) if all(_asked(one.samples.get(row)) == _asked(first[row]) for one in answers)]
    count = min(len(rows), MOST)
    return [rows[(2 * place + 1) * len(rows) // (2 * count)] for place in range(count)]


def _asked(sample: Sample | None) -> tuple[str | bytes | None, ...] | None:
    return None if sample is None else (sample.text, sample.picture, sample.reference)


def _who(arena: Arena, shown: Sequence[_Answers], count: int) -> str:
    """Whose answers are shown, in which order."""
    order = "the best contender first" if arena.ranked else "in the suite's order"
    seeds = sorted({one.seed for one in shown})
    networks = f"Networks of seed {seeds[0]}" if len(seeds) == 1 else "The first network of each contender"
    left = f" Of {count} contenders the first {len(shown)} of that order are shown." if count > len(shown) else ""
    return (
        f"{networks}, {order}. The examples are spread evenly over the test split and were chosen before anything was "
        f"trained.{left}"
    )


def _shown(rows: Sequence[int], answers: Sequence[_Answers], name: str) -> list[Block]:
    names = [one.contender.name for one in answers]
    pictures, texts = [], []
    for row in rows:
        sample = answers[0].samples[row]
        outputs = [_output(one.samples[row]) for one in answers]
        if sample.picture is None:
            texts.append((sample.text or "", sample.reference, *outputs))
        else:
            lines = (sample.reference, *(f"{who}: {output}" for who, output in zip(names, outputs, strict=True)))
            alt = f"Test example {row}, to be written as {sample.reference}"
            pictures.append(Picture(png=sample.picture, alt=alt, caption=lines))
    blocks: list[Block] = []
    if texts:
        blocks.append(TextPairs(labels=("Source", "Reference", *names), items=tuple(texts), caption=CAPTION))
    if pictures:
        caption = f"In the first line what should be written. {CAPTION}"
        blocks.append(Pictures(name=name, pictures=tuple(pictures), caption=caption, width_px=144))
    return blocks


CAPTION = f"{RIGHT}: the same words, but for the case of letters."


def _output(sample: Sample) -> str:
    """Long answers that are right need not be compared word by word."""
    return RIGHT if _words(sample.output) == _words(sample.reference) else sample.output or "(nothing)"


def _words(text: str) -> list[str]:
    return text.lower().split()
