"""A second opinion on a comparison: paired over the test examples, where the answers to them were kept.

Over seeds a comparison says whether the *recipe* is better: another training would show it again. Over examples it says
whether *these trained networks* differ on this test set, of which another training may know nothing. Only tasks whose
artifact names a target and one answer for each example (classification) have it, and only their accuracy is compared.
"""

import zlib
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import fft, special

from dlbench.analyze.compare import Paired, holm
from dlbench.analyze.contenders import Contender, finished
from dlbench.analyze.results import Comparison, Results
from dlbench.analyze.summary import ALPHA, LEVEL
from dlbench.schema.record import Result

ExampleWord = Literal["better", "worse", "no difference found"]


@dataclass(frozen=True)
class SecondOpinion:
    """What the test examples say of the trained networks of two contenders.

    Attributes:
        seeds: common seeds whose answers both kept; a network of either side for each.
        n: test examples.
        difference: in accuracy, contender minus other, mean over seeds and examples.
        low: lower end of its 95 % interval over examples (normal).
        won: examples on which the contender is right more often than the other, over seeds; `lost` less often.
        p: of the sign-flip test over examples; exact. For one seed it is McNemar's.
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
    """Which test examples a network got right, and a checksum of what was asked."""

    asked: int
    right: NDArray[np.bool_]


def second_opinions(results: Results) -> dict[Comparison, SecondOpinion]:
    """An opinion for each declared comparison on accuracy whose answers were kept; each file is read once."""
    marks: dict[str, _Marks | None] = {}
    found: dict[Comparison, SecondOpinion] = {}
    for comparison in results.comparisons:
        score = comparison.arena.score
        if score is None or not score.name.endswith("_accuracy"):
            continue
        ours = _marks(results, comparison.contender, marks)
        theirs = _marks(results, comparison.baseline, marks)
        seeds = [
            seed
            for seed in comparison.paired.pairs
            if seed in ours and seed in theirs and ours[seed].asked == theirs[seed].asked
        ]
        sizes = {len(side[seed].right) for side in (ours, theirs) for seed in seeds}
        if len(sizes) == 1 and max(sizes) > 0:
            found[comparison] = opinion([ours[s].right for s in seeds], [theirs[s].right for s in seeds], seeds)
    adjusted = holm([one.p for one in found.values()])
    return {comparison: replace(one, p_holm=p) for (comparison, one), p in zip(found.items(), adjusted, strict=True)}


def _marks(results: Results, contender: Contender, known: dict[str, _Marks | None]) -> dict[int, _Marks]:
    found = {}
    for result, _ in finished(contender.train):
        key = result.entry.job.id
        if key not in known:
            known[key] = _read(results, result)
        marks = known[key]
        if marks is not None:
            found[result.entry.job.seed or 0] = marks
    return found


def _read(results: Results, result: Result) -> _Marks | None:
    columns = results.predictions(result)
    if columns is None or not {"target", "predicted"} <= columns.keys():
        return None
    target, predicted = columns["target"], columns["predicted"]
    if target.ndim != 1 or target.shape != predicted.shape:
        return None
    return _Marks(zlib.crc32(np.ascontiguousarray(target).tobytes()), target == predicted)


def opinion(
    ours: list[NDArray[np.bool_]], theirs: list[NDArray[np.bool_]], seeds: list[int] | None = None
) -> SecondOpinion:
    """Of the networks of two contenders, one a seed, from which of n > 0 examples each got right.

    The sum over seeds of right answers to an example, ours less theirs, is what is flipped: seeds are averaged before
    examples are compared, so that five networks do not pass for five test sets.
    """
    k = len(ours)
    gaps: NDArray[np.int64] = np.array(ours, dtype=np.int64).sum(axis=0) - np.array(theirs, dtype=np.int64).sum(axis=0)
    n, mean = len(gaps), float(gaps.mean()) / k
    margin = float(special.ndtri((1 + LEVEL) / 2) * gaps.std(ddof=1)) / (k * n**0.5) if n > 1 else 0.0
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
