"""The mistakes that the best contender of each dataset is surest of, with the picture or the text."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlbench.analyze.contenders import Contender, finished
from dlbench.analyze.results import Results
from dlbench.schema.blocks import Block, Heading, Picture, Pictures, Section, Text, TextPairs
from dlbench.schema.mistake import Mistake

POSITION = 71
MOST = 12
"""Mistakes that are shown of a contender."""

READ = (
    "A mistake that every seed makes is often a label that can be argued about, or an example that lacks what it would "
    "take; one that a single seed makes is rather that network's own."
)


@dataclass(frozen=True)
class _Seed:
    """What one seed left: the mistakes that it was surest of, and all its answers."""

    surest: tuple[Mistake, ...]
    answers: dict[str, NDArray[Any]]


@dataclass(frozen=True)
class _Shared:
    """A mistake with how many seeds make it, and what probability these give to the wrong class, on average."""

    mistake: Mistake
    seeds: int
    probability: float


def build(results: Results) -> Section | None:
    """A part for each arena whose best contender kept its mistakes."""
    blocks: list[Block] = []
    for arena in results.arenas:
        best = arena.best or next((contender for contender in arena.contenders if contender.seeds), None)
        seeds = _seeds(results, best) if best is not None else []
        if best is not None and seeds:
            blocks.append(Heading(text=f"{best.name} on {arena.title}"))
            blocks.append(Text(text=_overview(seeds)))
            blocks += _shown(_shared(seeds)[:MOST], len(seeds), f"mistakes_{arena.anchor}")
    if not blocks:
        return None
    return Section(title="Surest mistakes", anchor="mistakes", blocks=(Text(text=READ), *blocks))


def _seeds(results: Results, contender: Contender) -> list[_Seed]:
    """Of the seeds that left both files, and the same test split."""
    found: list[_Seed] = []
    for result, _ in finished(contender.train):
        surest, answers = results.mistakes(result), results.predictions(result)
        if surest is None or answers is None or not {"target", "predicted", "probability"} <= answers.keys():
            continue
        rows = len(answers["target"])
        if any(mistake.index >= rows for mistake in surest):
            continue
        if not found or np.array_equal(answers["target"], found[0].answers["target"]):
            found.append(_Seed(surest, answers))
    return found


def _overview(seeds: Sequence[_Seed]) -> str:
    """How many examples are answered wrongly, and how many by all seeds in the same way."""
    target = seeds[0].answers["target"]
    wrong = [int((seed.answers["predicted"] != target).sum()) for seed in seeds]
    if not any(wrong):
        return f"No test example of {len(target):,} is answered wrongly by any seed."
    among = f"Of {len(target):,} test examples"
    if len(seeds) == 1:
        return f"{among} the one seed answers {wrong[0]:,} wrongly."
    predicted = np.stack([seed.answers["predicted"] for seed in seeds])
    alike = int(((predicted == predicted[0]).all(axis=0) & (predicted[0] != target)).sum())
    everyone = "both seeds" if len(seeds) == 2 else f"all {len(seeds)} seeds"
    mean = f"{fmean(wrong):,.0f}"
    return f"{among} a seed answers {mean} wrongly on average; {everyone} give {alike:,} the same wrong class."


def _shared(seeds: Sequence[_Seed]) -> list[_Shared]:
    """Mistakes that a seed was surest of, those that most seeds make first, then those with the highest probability."""
    shared: dict[tuple[int, int], _Shared] = {}
    for seed in seeds:
        for mistake in seed.surest:
            row = mistake.index
            predicted = int(seed.answers["predicted"][row])
            alike = [other.answers for other in seeds if other.answers["predicted"][row] == predicted]
            probability = fmean(float(answers["probability"][row]) for answers in alike)
            shared.setdefault((row, predicted), _Shared(mistake, len(alike), probability))
    ranked = sorted(shared.values(), key=lambda one: (-one.seeds, -one.probability, one.mistake.index))
    by_row = {one.mistake.index: one for one in reversed(ranked)}  # the first of each example
    return [one for one in ranked if by_row[one.mistake.index] is one]


def _shown(shared: Sequence[_Shared], seeds: int, name: str) -> list[Block]:
    blocks: list[Block] = []
    caption = (
        f"Out of the mistakes that each seed was surest of, those that most of the {seeds} seeds make come first; the "
        "percentage is the mean probability that these seeds give to the wrong class."
        if seeds > 1
        else "The surest come first; the percentage is the probability that the wrong class is given."
    )
    pictures = [_picture(one, seeds) for one in shared if one.mistake.picture is not None]
    if pictures:
        blocks.append(Pictures(name=name, pictures=tuple(pictures), caption=caption))
    texts = [_text(one, seeds) for one in shared if one.mistake.text is not None]
    if texts:
        blocks.append(TextPairs(labels=("Text", "True", "Predicted"), items=tuple(texts), caption=caption))
    return blocks


def _picture(one: _Shared, seeds: int) -> Picture:
    mistake = one.mistake
    said = f"{mistake.target}, taken for {mistake.predicted}"
    return Picture(
        png=mistake.picture or b"",
        alt=f"Test example {mistake.index}: {said}",
        caption=(said, _weight(one, seeds)),
    )


def _text(one: _Shared, seeds: int) -> tuple[str, ...]:
    mistake = one.mistake
    return mistake.text or "", mistake.target, f"{mistake.predicted} ({_weight(one, seeds)})"


def _weight(one: _Shared, seeds: int) -> str:
    """How sure the wrong answer is, and how many seeds give it."""
    return f"{_percent(one.probability)}, {'one seed' if seeds == 1 else f'{one.seeds} of {seeds} seeds'}"


def _percent(probability: float) -> str:
    """Never 100 %: no probability here was more than rounded to it."""
    return "> 99.9 %" if probability > 0.999 else f"{100 * probability:.1f} %"
