"""The verdict where nothing is trained: who is fastest, who needs least, and what varying something does to that.

A sentence claims only what `Ratio.told` supports: an interval over rounds that leaves 1 out, beyond the noise floor,
on a machine that has not drifted. Who lacks a round that others have is not ranked, but named.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dlbench.analyze.compare import Ratio
from dlbench.analyze.contenders import Arena, Contender
from dlbench.analyze.cost_effects import cost_keys
from dlbench.analyze.effect_sentences import effect_sentences
from dlbench.analyze.largest import Largest
from dlbench.analyze.quantities import SPEEDS, listed, quantity, share, times, titled
from dlbench.analyze.results import Results
from dlbench.analyze.summary import summarise_rounds
from dlbench.analyze.varied import entry_of
from dlbench.schema.job import ModelRef

RANKED_BY = (*SPEEDS, "train_peak_memory_bytes")
MOST_NAMED = 4
"""Names in a list, beyond which a number stands for them."""
_FASTEST = "is the fastest "
FEW_ROUNDS = 3
"""Below so many rounds an interval is too wide to call anybody indistinguishable."""


@dataclass(frozen=True)
class CostVerdict:
    """What there is to say of an arena's costs.

    Attributes:
        sentence: complete sentences, plain text.
        caveats: who was not measured, or not in all rounds.
        decided: whether anything was told from anything.
    """

    sentence: str
    caveats: tuple[str, ...]
    decided: bool


def cost_verdict(results: Results, arena: Arena) -> CostVerdict:
    """The verdict of an arena in which costs alone are measured."""
    if not arena.batch_sizes and not _searches(arena, "train") and not _searches(arena, "infer"):
        return CostVerdict(f"On {arena.title}, no cost has been measured yet.", _unmeasured(arena), False)
    varied = [found for key in cost_keys(results) for found in effect_sentences(results, arena, key)]
    ranked = [_Ranking(results, arena, metric) for metric in RANKED_BY]
    # Where an effect is told, ranking the same model with and without it says little unless it decides.
    shown = [ranking for ranking in ranked if ranking.decided] if varied else ranked
    sentences = [*(sentence for sentence, _ in varied), *_ranking_sentence(shown), *_largest_sentences(arena)]
    if not sentences:
        one = len([contender for contender in arena.contenders if contender.measured]) == 1
        sentences = [f"costs {'of one contender alone are known' if one else 'cannot be compared on equal rounds'}"]
    sentences[0] = f"On {arena.title}, {sentences[0]}"
    decided = any(told for _, told in varied) or any(ranking.decided for ranking in ranked)
    text = " ".join(f"{titled(sentence)}." for sentence in sentences)
    return CostVerdict(text, (*_unmeasured(arena), *_unequal(arena, ranked), *_unsearched(arena)), decided)


class _Ranking:
    """Who is best in one cost, at the largest batch size at which at least two have the same rounds."""

    def __init__(self, results: Results, arena: Arena, metric: str) -> None:
        self.metric, self.less = metric, metric.endswith("_bytes")
        self.size, self.fair = _fair(arena, metric)
        order = sorted(self.fair, key=lambda c: self._median(c), reverse=not self.less)
        self.best = order[0] if order else None
        self.ratios: dict[Contender, Ratio] = {}
        for other in order[1:]:
            assert self.best is not None
            ratio = results.cost_ratio(self.best, other, metric, self.size, among=len(order) - 1)
            if ratio is not None:
                self.ratios[other] = ratio

    def _median(self, contender: Contender) -> float:
        found = summarise_rounds(list(contender.rounds(self.metric, self.size).values()))
        return found.median if found is not None else 0.0

    @property
    def decided(self) -> bool:
        """Whether the best is told from every other."""
        return bool(self.ratios) and all(ratio.told for ratio in self.ratios.values())

    def words(self) -> tuple[str, str] | None:
        """Who, and what is to be said of it against the next model; None where nobody can be compared."""
        if self.best is None or not self.ratios:
            return None
        phase = self.metric.partition("_")[0]
        ends = "needs the least memory in training" if self.less else f"{_FASTEST}to {phase}"
        near = [other for other, ratio in self.ratios.items() if not ratio.told]
        if not near:
            second = next((c for c in self.ratios if _model(c) != _model(self.best)), next(iter(self.ratios)))
            ratio = self.ratios[second]
            lead = f"{_less(ratio.ratio)} than {second.name}" if self.less else _faster(ratio.ratio, second.name)
            size = f"{quantity(self._median(self.best), 'bytes')}, " if self.less else ""
            return self.best.name, f"{ends} ({size}{lead})"
        measured = ends.replace("is the", "was the").replace("needs", "needed")
        return self.best.name, f"{measured}, {_not_told(near, self.ratios)}"


def _model(contender: Contender) -> ModelRef:
    return entry_of(contender).job.model


def _not_told(near: Sequence[Contender], ratios: Mapping[Contender, Ratio]) -> str:
    """Why the best may not be called so: too few rounds, a drift, or no difference."""
    names = [other.name for other in near]
    who = listed(names) if len(names) <= MOST_NAMED else f"{len(names)} others"
    rounds = max(ratios[other].n for other in near)
    if rounds < FEW_ROUNDS:
        return f"but {'one round' if rounds == 1 else f'{rounds} rounds'} cannot tell it from {who}"
    if any(ratios[other].drifted for other in near):
        return f"but cannot be told from {who}, since the machine has drifted"
    return f"but is indistinguishable from {who}"


def _fair(arena: Arena, metric: str) -> tuple[int, tuple[Contender, ...]]:
    """The largest batch size at which at least two contenders have every round that anyone has, and those."""
    largest = 0
    for size in reversed(arena.batch_sizes):
        compared = [contender for contender in arena.contenders if not contender.emulated]
        if metric.endswith("_bytes") and len({contender.device for contender in compared}) > 1:
            return 0, ()  # memory is measured differently on each device
        rounds = {c: c.rounds(metric, size) for c in compared}
        everything = {number for found in rounds.values() for number in found}
        fair = tuple(c for c, found in rounds.items() if found and found.keys() == everything)
        largest = largest or (size if everything else 0)
        if len(fair) > 1:
            return size, fair
    return largest, ()


def _ranking_sentence(rankings: Sequence[_Ranking]) -> list[str]:
    """All rankings at one batch size in one sentence: the same subject is named once."""
    clauses: dict[int, list[tuple[str, list[str]]]] = {}
    for ranking in rankings:
        words = ranking.words()
        if words is None:
            continue
        told = clauses.setdefault(ranking.size, [])
        if told and told[-1][0] == words[0]:
            told[-1][1].append(words[1])
        else:
            told.append((words[0], [words[1]]))
    return [
        f"at batch {size:,}, {'; '.join(f'{who} {_joined(whats)}' for who, whats in told)}"
        for size, told in clauses.items()
    ]


def _joined(whats: Sequence[str]) -> str:
    """What is said of one contender, without saying `is the fastest` twice in a row."""
    text = whats[0]
    for before, what in pairwise(whats):
        both = before.startswith(_FASTEST) and what.startswith(_FASTEST)
        text += f" and {what.removeprefix(_FASTEST)}" if both else f"; it {what}"
    return text


def _faster(ratio: float, other: str) -> str:
    if ratio < 1.5:
        return f"{share(ratio - 1)} faster than {other}"
    return f"{times(ratio)} as fast as {other}"


def _less(ratio: float) -> str:
    return f"{share(1 - ratio)} less"


def _searches(arena: Arena, phase: str) -> dict[Contender, Largest]:
    found = {c: Largest.found(c, phase) for c in arena.contenders if not c.emulated}
    return {contender: largest for contender, largest in found.items() if largest is not None and largest.batch}


def _largest_sentences(arena: Arena) -> list[str]:
    """Whose batch may be the largest, of those who were searched within the same memory."""
    sentences = []
    for phase, word in (("train", "training"), ("infer", "inference")):
        found = _searches(arena, phase)
        if len(found) < 2 or len({(c.device, largest.limit_bytes) for c, largest in found.items()}) > 1:
            continue
        batches = {contender: largest.batch or 0 for contender, largest in found.items()}
        most = max(batches.values())
        best = [contender for contender, batch in batches.items() if batch == most]
        limit = found[best[0]].limit_bytes
        within = f" within {quantity(limit, 'bytes')}" if limit else ""
        every = " (all examples)" if any(found[one].bounded_by == "examples" for one in best) else ""
        rest = ", for all contenders"
        if len(best) < len(batches):
            owners = listed([one.name for one in best]) if len(best) <= MOST_NAMED else f"{len(best)} contenders"
            rest = f", that of {owners}; the next is {max(b for b in batches.values() if b < most):,}"
        sentences.append(f"the largest batch of {word}{within} is {most:,}{every}{rest}")
    return sentences


def _unmeasured(arena: Arena) -> tuple[str, ...]:
    """Contenders without a finished cost job, by the reason."""
    whose: dict[str, list[str]] = {}
    for contender in arena.contenders:
        results = contender.cost
        if not any(result.status == "ok" for result in results):
            reasons = [result.entry.skipped or (result.record.reason if result.record else None) for result in results]
            reason = next((reason for reason in reasons if reason), None) or "not run yet"
            whose.setdefault(reason, []).append(contender.name)
    return tuple(f"Not measured: {_few(arena, names)} ({reason})." for reason, names in whose.items())


def _few(arena: Arena, names: Sequence[str]) -> str:
    return listed(list(names)) if len(names) <= MOST_NAMED else f"{len(names)} of {len(arena.contenders)} contenders"


def _unsearched(arena: Arena) -> tuple[str, ...]:
    """Whose search for the largest batch has not finished, where others' has."""
    if not _searches(arena, "train") and not _searches(arena, "infer"):
        return ()
    names = [
        contender.name
        for contender in arena.contenders
        for result in contender.cost
        if (point := result.entry.job.cost) is not None and point.largest_batch and result.status != "ok"
        if any(other.status == "ok" for other in contender.cost)
    ]
    unique = list(dict.fromkeys(names))
    return (f"The largest batch is not known of {_few(arena, unique)}.",) if unique else ()


def _unequal(arena: Arena, rankings: Sequence[_Ranking]) -> tuple[str, ...]:
    """Who was measured, but not in all rounds at the batch size of a ranking, or only emulates."""
    out: dict[str, str] = {}
    for ranking in rankings:
        rounds = {c: c.rounds(ranking.metric, ranking.size) for c in arena.contenders}
        most = len({number for found in rounds.values() for number in found})
        for contender, found in rounds.items():
            if contender.emulated:
                out.setdefault(contender.name, "emulated precision")
            elif most and len(found) < most and any(result.status == "ok" for result in contender.cost):
                out.setdefault(contender.name, f"{len(found)} of {most} rounds at batch {ranking.size:,}")
    return (f"Not ranked: {listed([f'{name} ({why})' for name, why in out.items()])}.",) if out else ()
