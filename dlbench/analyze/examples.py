"""A second opinion on a comparison: paired over the test examples, where the answers to them were kept.

Over seeds a comparison says whether the *recipe* is better: another training would show it again. Over examples it says
whether *these trained networks* differ on this test set, of which another training may know nothing. There is one where
a score can be counted example by example: accuracy, exact match, and BLEU, a sum of what each sentence adds to it.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import fft, special

from dlbench.analyze.compare import Paired, holm
from dlbench.analyze.contenders import Contender, finished
from dlbench.analyze.results import Comparison, Results
from dlbench.analyze.sentences import COUNTS, bleu, gap_interval, randomisation
from dlbench.analyze.summary import ALPHA, LEVEL

Columns = Mapping[str, NDArray[Any]]

_ROUNDING = 1e-9
"""Difference of two BLEU of one sentence that is none."""

ExampleWord = Literal["better", "worse", "no difference found"]


@dataclass(frozen=True)
class SecondOpinion:
    """What the test examples say of the trained networks of two contenders.

    Attributes:
        seeds: common seeds whose answers both kept; a network of either side for each.
        n: test examples.
        difference: in the score and its unit, contender minus other, mean over seeds.
        low: lower end of its 95 % interval over examples: normal, of BLEU by paired bootstrap.
        won: examples on which the contender is right more often than the other, over seeds; of BLEU, on which its own
            smoothed one is higher. `lost` less often, or lower.
        p: of the sign-flip test over examples; exact, and for one seed McNemar's. Of BLEU by approximate randomisation.
        p_holm: after Holm's correction over all comparisons with an opinion.
    """

    seeds: tuple[int, ...]
    n: int
    difference: float
    low: float
    high: float
    won: int
    lost: int
    p: float
    p_holm: float

    @property
    def word(self) -> ExampleWord:
        """At the 5 % level, after Holm's correction."""
        if self.p_holm >= ALPHA:
            return "no difference found"
        return "better" if self.difference > 0 else "worse"


def disagreement(paired: Paired, opinion: SecondOpinion) -> str:
    """Where the opinion over examples differs from the verdict over seeds, in a sentence; empty where it does not."""
    if paired.word == opinion.word or (paired.word, opinion.word) == ("indistinguishable", "no difference found"):
        return ""
    if paired.word == "too few seeds":
        return "too few seeds to speak of the recipe"
    if paired.word == "indistinguishable":
        return "these networks differ, but training again may turn it round: the recipes have not been shown to differ"
    if opinion.word == "no difference found":
        return f"the recipe is {paired.word}, but this test set is too small to show it of these networks alone"
    return f"contradicts the verdict over seeds ({paired.word})"


@dataclass(frozen=True)
class _Marks:
    """What each test example adds to a network's score, and a checksum of what was asked.

    Attributes:
        of: how much each could add, (n,); empty where that is one for all.
    """

    asked: int
    earned: NDArray[Any]
    of: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))


@dataclass(frozen=True)
class _How:
    """How what each example adds to a score is read from the columns that were kept, and compared over seeds."""

    read: Callable[[Columns], _Marks | None]
    compare: Callable[[list[_Marks], list[_Marks], list[int]], SecondOpinion]


@lru_cache(maxsize=1)
def second_opinions(results: Results) -> dict[Comparison, SecondOpinion]:
    """An opinion for each declared comparison of scores that were kept by example; each file is read once."""
    marks: dict[str, _Marks | None] = {}
    found: dict[Comparison, SecondOpinion] = {}
    for comparison in results.comparisons:
        name = comparison.arena.score.name if comparison.arena.score is not None else ""
        how = next((how for end, how in _HOW.items() if name.endswith(end)), None)
        if how is None:
            continue
        ours = _marks(results, comparison.contender, how, marks)
        theirs = _marks(results, comparison.baseline, how, marks)
        seeds = [
            seed
            for seed in comparison.paired.pairs
            if seed in ours and seed in theirs and ours[seed].asked == theirs[seed].asked
        ]
        sizes = {len(side[seed].earned) for side in (ours, theirs) for seed in seeds}
        if len(sizes) == 1 and max(sizes) > 0:
            found[comparison] = how.compare([ours[s] for s in seeds], [theirs[s] for s in seeds], seeds)
    adjusted = holm([one.p for one in found.values()])
    return {comparison: replace(one, p_holm=p) for (comparison, one), p in zip(found.items(), adjusted, strict=True)}


def _marks(results: Results, contender: Contender, how: _How, known: dict[str, _Marks | None]) -> dict[int, _Marks]:
    found = {}
    for result, _ in finished(contender.train):
        key = result.entry.job.id
        if key not in known:
            columns = results.predictions(result)
            known[key] = None if columns is None else how.read(columns)
        marks = known[key]
        if marks is not None:
            found[result.entry.job.seed or 0] = marks
    return found


def _classes(columns: Columns) -> _Marks | None:
    """Of one class an example whether it is right, of one a token how many are."""
    correct, length = columns.get("correct"), columns.get("source_length")
    if correct is not None and length is not None and length.ndim == 1 and correct.shape == length.shape:
        return _Marks(_checksum(length), correct.astype(np.int64), length.astype(np.int64))
    target, predicted = columns.get("target"), columns.get("predicted")
    if target is None or predicted is None or target.ndim != 1 or target.shape != predicted.shape:
        return None
    return _Marks(_checksum(target), target == predicted)


def _exact(columns: Columns) -> _Marks | None:
    return _written(columns, "exact", ())


def _statistics(columns: Columns) -> _Marks | None:
    return _written(columns, "bleu_statistics", (COUNTS,))


def _written(columns: Columns, name: str, each: tuple[int, ...]) -> _Marks | None:
    """Of sequences: the questions are told apart by the lengths of all answers."""
    earned, target = columns.get(name), columns.get("target_length")
    if earned is None or target is None or target.ndim != 1 or earned.shape != (len(target), *each):
        return None
    return _Marks(_checksum(target), earned.astype(np.int64 if each else np.bool_))


def _checksum(asked: NDArray[Any]) -> int:
    return zlib.crc32(np.ascontiguousarray(asked).tobytes())


def opinion(
    ours: list[NDArray[np.generic]],
    theirs: list[NDArray[np.generic]],
    seeds: list[int] | None = None,
    of: NDArray[np.int64] | None = None,
) -> SecondOpinion:
    """Of the networks of two contenders, one a seed, from which of n > 0 examples each got right.

    Where an example has several answers, its number of right ones stands for it, and `of` says how many it has: the
    difference is that of all answers, and its interval that of a ratio over examples (Cochran 1977, §6.4).

    The sum over seeds of right answers to an example, ours less theirs, is what is flipped: seeds are averaged before
    examples are compared, so that five networks do not pass for five test sets.
    """
    k = len(ours)
    gaps: NDArray[np.int64] = np.array(ours, dtype=np.int64).sum(axis=0) - np.array(theirs, dtype=np.int64).sum(axis=0)
    n = len(gaps)
    answers = np.ones(n) if of is None or not len(of) else of.astype(np.float64)
    mean = float(gaps.sum() / answers.sum()) / k
    beside = gaps / k - mean * answers
    margin = float(special.ndtri((1 + LEVEL) / 2) * beside.std(ddof=1) * n**0.5 / answers.sum()) if n > 1 else 0.0
    p = sign_flip(gaps)
    return SecondOpinion(
        seeds=tuple(range(k) if seeds is None else seeds),
        n=n,
        difference=mean,
        low=mean - margin,
        high=mean + margin,
        won=int(np.sum(gaps > 0)),
        lost=int(np.sum(gaps < 0)),
        p=p,
        p_holm=p,
    )


def bleu_opinion(
    ours: list[NDArray[np.int64]], theirs: list[NDArray[np.int64]], seeds: list[int] | None = None
) -> SecondOpinion:
    """The same of BLEU, from the statistics of n > 0 sentences, (n, 10) for each network."""
    own, other = np.stack(ours), np.stack(theirs)
    gaps = (bleu(own, effective_order=True) - bleu(other, effective_order=True)).mean(axis=0)
    low, high = gap_interval(own, other)
    p = randomisation(own, other)
    return SecondOpinion(
        seeds=tuple(range(len(ours)) if seeds is None else seeds),
        n=len(gaps),
        difference=float((bleu(own.sum(axis=1)) - bleu(other.sum(axis=1))).mean()),
        low=low,
        high=high,
        won=int(np.sum(gaps > _ROUNDING)),
        lost=int(np.sum(gaps < -_ROUNDING)),
        p=p,
        p_holm=p,
    )


def sign_flip(gaps: NDArray[np.int64]) -> float:
    """Two-sided p value of whole paired differences under random signs (Fisher 1935, §21), over all sign patterns.

    Differences of one size only count how many of them are positive, which is binomial; the sum's distribution is the
    convolution over sizes. No pattern is drawn at random, hence nothing depends on a seed. Differences of ±1 alone give
    McNemar's exact test.
    """
    sizes, counts = np.unique(np.abs(gaps[gaps != 0]), return_counts=True)
    most = int(np.sum(sizes * counts))
    length = fft.next_fast_len(most + 1, real=True)
    spectrum = np.ones(length // 2 + 1, dtype=np.complex128)
    for size, count in zip(sizes, counts, strict=True):
        steps = np.zeros(length)
        steps[: size * count + 1 : size] = _fair_coins(int(count))
        spectrum *= fft.rfft(steps)
    chances = fft.irfft(spectrum, length)[: most + 1]
    extreme = np.abs(2 * np.arange(most + 1) - most) >= abs(int(gaps.sum()))
    return float(np.clip(chances[extreme].sum(), 0.0, 1.0))


def _fair_coins(count: int) -> NDArray[np.float64]:
    """Probabilities of 0, 1, …, `count` heads."""
    heads = np.arange(count + 1)
    ways = special.gammaln(count + 1) - special.gammaln(heads + 1) - special.gammaln(count - heads + 1)
    return np.asarray(np.exp(ways - count * np.log(2)))


def _of_right_answers(ours: list[_Marks], theirs: list[_Marks], seeds: list[int]) -> SecondOpinion:
    return opinion([one.earned for one in ours], [one.earned for one in theirs], seeds, ours[0].of)


def _of_sentences(ours: list[_Marks], theirs: list[_Marks], seeds: list[int]) -> SecondOpinion:
    return bleu_opinion([one.earned for one in ours], [one.earned for one in theirs], seeds)


_HOW: Mapping[str, _How] = {
    "_accuracy": _How(_classes, _of_right_answers),
    "_exact_match": _How(_exact, _of_right_answers),
    "_bleu": _How(_statistics, _of_sentences),
}
"""By the end of the score's name."""
