"""The verdict: for each arena one or two sentences that a manager understands, every figure computed from records.

Nothing is ranked on unequal seeds, and where the data is not what its name says, that is said.
"""

from dataclasses import dataclass

from dlbench.analyze.compare import LEAST_SEEDS, Paired, Ratio, compare, correct
from dlbench.analyze.contenders import Arena, Contender
from dlbench.analyze.cost_verdict import cost_verdict
from dlbench.analyze.examples import SecondOpinion, second_opinions
from dlbench.analyze.left_out import reasoned, unranked
from dlbench.analyze.quantities import difference, format_of, listed, share, times, with_margin
from dlbench.analyze.results import Comparison, Results
from dlbench.analyze.summary import ALPHA, summarise, summarise_rounds
from dlbench.analyze.tuning import tuning_caveats

NOTICEABLE = 1.1
"""A ratio of speeds below which nobody is called faster."""

USED = ("decode_throughput", "infer_throughput")
"""What the speed of a trained model is: a model that writes decodes, and is told by that wherever it was measured."""

_SUPERLATIVES = {"accuracy": ("the most accurate", "less accurate")}
"""Score → how the best is called, and by how much of what the others are behind."""


@dataclass(frozen=True, eq=False)
class Verdict:
    """What there is to say of an arena.

    Attributes:
        sentence: the finding; complete sentences, plain text.
        caveats: what limits it: data, seeds that are missing, unequal tuning.
        decided: whether the sentence names a winner.
    """

    arena: Arena
    sentence: str
    caveats: tuple[str, ...]
    decided: bool


def headline(results: Results) -> str:
    """All verdicts in one paragraph."""
    if not results.arenas:
        if not results.candidates:
            return "The suite has no jobs yet."
        search = results.suite.search
        if search is not None and search.winners == 0:
            return "The suite trains no winner anew (winners: 0): what its search found stands below."
        return "The search goes on; no winner is known yet."
    return " ".join(verdict.sentence for verdict in verdicts(results))


def verdicts(results: Results) -> tuple[Verdict, ...]:
    """One verdict for each arena, in the suite's order."""
    return tuple(_verdict(results, arena) for arena in results.arenas)


def score_name(arena: Arena) -> str:
    """`accuracy` for `test_accuracy`, `BLEU` for `test_bleu`: the task's own score without its split."""
    name = arena.score.name.partition("_")[2] if arena.score else "score"
    return _ACRONYMS.get(name, name.replace("_", " "))


_ACRONYMS = {"bleu": "BLEU", "chrf": "chrF"}


def _verdict(results: Results, arena: Arena) -> Verdict:
    score = arena.score
    if arena.measured_only:
        costs = cost_verdict(results, arena)
        return Verdict(arena, costs.sentence, (*costs.caveats, *_data_caveats(arena)), costs.decided)
    if score is None:
        return Verdict(arena, f"On {arena.title}, no training has finished yet.", _data_caveats(arena), False)
    ranked = arena.ranked
    caveats = (*_seed_caveats(arena), *tuning_caveats(results, arena), *_data_caveats(arena))
    best = arena.best
    if best is None:
        return Verdict(arena, _unranked(arena), caveats, False)
    duels = _duels(arena, best, ranked)
    enough = all(duel.n >= LEAST_SEEDS for duel in duels.values())
    clauses = [_best_clause(arena, best, duels) if enough else _undecided(arena, best, duels)]
    clauses += _speed_clause(results, arena, best, ranked, duels)
    sentences = [f"{'; '.join(clauses)}.", *_baseline_sentence(results, arena), *_precision_sentences(results, arena)]
    sentences += [] if enough else _networks_sentences(results, arena)
    return Verdict(arena, " ".join(sentences), caveats, enough)


def _duels(arena: Arena, best: Contender, ranked: tuple[Contender, ...]) -> dict[Contender, Paired]:
    """Every other contender against the best, corrected among themselves."""
    assert arena.score is not None
    higher = arena.score.better == "higher"
    values = best.values(arena.score.name)
    pairs = {
        other: compare(other.values(arena.score.name), values, higher_is_better=higher)
        for other in ranked
        if other is not best
    }
    known = {other: paired for other, paired in pairs.items() if paired is not None}
    corrected = correct(list(known.values()), [higher] * len(known))
    return dict(zip(known, corrected, strict=True))


def mean_text(arena: Arena, contender: Contender) -> str:
    """`91.2 % ± 0.2`."""
    if arena.score is None:
        return ""
    summary = summarise(list(contender.values(arena.score.name).values()))
    if summary is None:
        return "no score"
    return with_margin(summary.mean, summary.margin, format_of(arena.score.unit))


def _score_text(arena: Arena, contender: Contender) -> str:
    """`91.2 % ± 0.2, n = 5`."""
    assert arena.score is not None
    return f"{mean_text(arena, contender)}, n = {len(contender.values(arena.score.name))}"


def _best_clause(arena: Arena, best: Contender, duels: dict[Contender, Paired]) -> str:
    superlative = _SUPERLATIVES.get(score_name(arena), (f"the best by {score_name(arena)}", ""))[0]
    near = [other.name for other, duel in duels.items() if duel.word != "worse"]
    if not near:
        rest = ", ahead of the other one" if len(duels) == 1 else f", ahead of all {len(duels)} others"
    else:
        rest = f", indistinguishable from {listed(near)}"
    return f"On {arena.title}, {best.name} is {superlative} ({_score_text(arena, best)}){rest}"


def _undecided(arena: Arena, best: Contender, duels: dict[Contender, Paired]) -> str:
    which = "highest" if arena.score and arena.score.better == "higher" else "lowest"
    tied = [best.name, *(other.name for other, duel in duels.items() if duel.difference == 0)]
    have = "has" if len(tied) == 1 else "have"
    return (
        f"On {arena.title}, {listed(tied)} {have} the {which} mean {score_name(arena)} ({_score_text(arena, best)}); "
        f"fewer than {LEAST_SEEDS} seeds are too few to name a winner"
    )


def _speed_clause(
    results: Results, arena: Arena, best: Contender, ranked: tuple[Contender, ...], duels: dict[Contender, Paired]
) -> list[str]:
    """How the fastest in use compares with the best, at the largest batch size that both were measured at."""
    used = [
        (metric, size)
        for metric in USED
        for size in sorted(best.batch_sizes, reverse=True)
        if best.rounds(metric, size)
    ]
    if not used:
        return []
    metric, size = used[0]
    speeds = {
        contender: summary.median
        for contender in ranked
        if (summary := summarise_rounds(list(contender.rounds(metric, size).values()))) is not None
    }
    fastest = max(speeds, key=lambda contender: speeds[contender])
    phase = metric.partition("_")[0]
    if fastest is best:
        return _also_fastest(results, best, speeds, metric, size)
    ratio = results.cost_ratio(fastest, best, metric, size)
    if ratio is None or not _noticeable(ratio):
        return []
    once = ", measured once" if ratio.n == 1 else ""
    clause = f"{fastest.name} {phase}s {times(ratio.ratio)} as fast (batch {size}{once})"
    return [f"{clause}{_price(arena, fastest, duels)}"]


def _also_fastest(
    results: Results, best: Contender, speeds: dict[Contender, float], metric: str, size: int
) -> list[str]:
    others = [contender for contender in speeds if contender is not best]
    if not others:
        return []
    second = max(others, key=lambda contender: speeds[contender])
    ratio = results.cost_ratio(best, second, metric, size)
    if ratio is None or not _noticeable(ratio):
        return []
    return [f"{best.name} is also the fastest to {metric.partition('_')[0]} (batch {size})"]


def _noticeable(ratio: Ratio) -> bool:
    return ratio.ratio >= NOTICEABLE and (ratio.told or (ratio.n == 1 and ratio.large))


def _price(arena: Arena, fastest: Contender, duels: dict[Contender, Paired]) -> str:
    duel = duels.get(fastest)
    if duel is None or arena.score is None or duel.word == "indistinguishable" or duel.difference == 0:
        return ""
    format = format_of(arena.score.unit)
    apart = difference(duel.difference, format)
    adjective = _SUPERLATIVES.get(score_name(arena), ("", ""))[1]
    if adjective:
        return f" and is {apart} {adjective}"
    return f" and is {apart} worse in {score_name(arena)}"


def _baseline_sentence(results: Results, arena: Arena) -> list[str]:
    """Words against the declared baseline, of those that have one."""
    baseline = results.baseline_label(arena)
    if results.suite.report.baseline is None or baseline is None:
        return []
    words: dict[str, list[str]] = {}
    for comparison in results.comparisons:
        if comparison.arena is arena and _against_label(comparison) == baseline:
            words.setdefault(comparison.paired.word, []).append(comparison.contender.name)
    parts = [
        f"{listed(words[word])} {'is' if len(words[word]) == 1 else 'are'} {word}"
        for word in ("better", "worse", "indistinguishable")
        if word in words
    ]
    return [f"Against the baseline {baseline}: {listed(parts)}."] if parts else []


def _against_label(comparison: Comparison) -> str | None:
    """Label of the other side; None where that is the contender itself at another precision."""
    label = comparison.baseline.label
    return None if label == comparison.contender.label else label


def _precision_sentences(results: Results, arena: Arena) -> list[str]:
    """What another precision or device does to each model, where a suite varies them."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for comparison in results.comparisons:
        if comparison.arena is arena and _against_label(comparison) is None:
            ours, theirs = comparison.contender, comparison.baseline
            there, here = (
                (ours.precision, theirs.precision) if ours.device == theirs.device else (ours.device, theirs.device)
            )
            groups.setdefault((there, here, comparison.paired.word), []).append(ours.label)
    return [
        f"Compared with {here}, {there} is {word} for {listed(labels)}."
        for (there, here, word), labels in groups.items()
        if word != "too few seeds"
    ]


def _networks_sentences(results: Results, arena: Arena) -> list[str]:
    """What the test examples say of the trained networks, where seeds are too few to speak of recipes."""
    found = {
        comparison: opinion
        for comparison, opinion in second_opinions(results).items()
        if comparison.arena is arena and comparison.paired.n < LEAST_SEEDS
    }
    sentences = []
    for baseline in dict.fromkeys(comparison.baseline for comparison in found):
        mine = {c.contender.name: opinion for c, opinion in found.items() if c.baseline is baseline}
        examples = sorted({opinion.n for opinion in mine.values()})
        words: dict[str, list[str]] = {}
        for name, opinion in mine.items():
            words.setdefault(opinion.word, []).append(f"{name} ({_gap(arena, opinion)})")
        parts = [
            f"{listed(words[word])} {'is' if len(words[word]) == 1 else 'are'} {said}"
            for word, said in _OVER_EXAMPLES.items()
            if word in words
        ]
        over = listed([f"{n:,}" for n in examples])
        sentences.append(
            f"Of these trained networks, over the {over} test examples and against {baseline.name}, {listed(parts)}."
        )
    return sentences


_OVER_EXAMPLES = {
    "better": "better",
    "worse": "worse",
    "no difference found": "indistinguishable",
}


def _gap(arena: Arena, opinion: SecondOpinion) -> str:
    sign = "+" if opinion.difference > 0 else "−" if opinion.difference < 0 else ""
    return sign + difference(opinion.difference, format_of(arena.score.unit if arena.score else ""))


def _unranked(arena: Arena) -> str:
    assert arena.score is not None
    scored = [contender for contender in arena.contenders if contender.values(arena.score.name)]
    if len(scored) == 1:
        only = scored[0]
        text = _score_text(arena, only)
        return f"On {arena.title}, {only.name} reaches {text}; there is nothing yet to compare it with."
    if arena.score.better == "neither":
        return f"On {arena.title}, {score_name(arena)} has no better and worse, so nothing is ranked."
    counts = listed([f"{contender.name} {len(contender.values(arena.score.name))}" for contender in scored])
    return f"On {arena.title}, nothing is ranked yet: the contenders have unequal seeds ({counts})."


def _seed_caveats(arena: Arena) -> tuple[str, ...]:
    ranked = arena.ranked
    if arena.score is None or not ranked:
        return ()
    out = {one.name: unranked(arena, one) for one in arena.contenders if one not in ranked}
    return (f"Not ranked: {reasoned(out)}.",) if out else ()


def _data_caveats(arena: Arena) -> tuple[str, ...]:
    if arena.stand_in_for is not None:
        kind = "a built-in dataset, " if arena.source == "built-in" else ""
        return (
            f"{arena.stand_in_for} could not be had: {arena.dataset}, {kind}stands in for it. "
            f"This says nothing about {arena.stand_in_for}.",
        )
    if not arena.official:
        return (
            f"The data is an unofficial copy of {arena.dataset} (digest {arena.digest[:19]}…): "
            "do not compare these figures with published ones.",
        )
    return ()


def seeds_phrase(paired: Paired, unit: str) -> str:
    """What more seeds would tell, as a clause; empty where that is known already.

    `7 more seeds would resolve 0.3 points`.
    """
    if paired.word == "indistinguishable" and paired.p_holm is not None and paired.p_holm < ALPHA:
        return f"significant, but seeds disagree too much for a verdict: {share(paired.wins)} are won"
    if paired.word == "indistinguishable" and paired.more_seeds is not None:
        seeds = f"{paired.more_seeds} more seed{'s' if paired.more_seeds > 1 else ''}"
        return f"{seeds} would resolve a difference of {difference(paired.difference, format_of(unit))}"
    if paired.word == "indistinguishable" and paired.resolvable:
        found = difference(paired.resolvable, format_of(unit))
        return f"{paired.n} seeds can find differences from {found} on"
    if paired.word == "too few seeds":
        return f"a verdict needs {LEAST_SEEDS} common seeds, there {'is' if paired.n == 1 else 'are'} {paired.n}"
    return ""
