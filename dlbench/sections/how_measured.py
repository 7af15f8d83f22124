"""How it was measured: what the figures of the report mean, in short."""

from dlbench.analyze.compare import LEAST_SEEDS
from dlbench.analyze.results import Results
from dlbench.schema.blocks import Section, Text

POSITION = 100


def build(results: Results) -> Section | None:
    """The rules behind the figures, with the numbers of this suite; None for a suite without jobs."""
    if not results.results:
        return None
    texts = [_quality(results)]
    if results.studies:
        texts.append(_search(results))
    if results.comparisons:
        texts.append(_comparisons(results))
    if any(arena.batch_sizes for arena in results.arenas):
        texts.append(_cost(results))
    return Section(title="How it was measured", anchor="method", blocks=tuple(Text(text=text) for text in texts))


def _quality(results: Results) -> str:
    seeds = sorted({len(contender.train) for arena in results.arenas for contender in arena.contenders})
    if len(seeds) == 1:
        count = "one seed, the same" if seeds[0] == 1 else f"{seeds[0]} seeds, the same"
    else:
        count = "the same seeds"
    return (
        f"Every contender is trained with {count} for all. The test split is scored once, with the "
        "weights that the validation split chose. A mean stands with n and a 95 % t interval. Contenders are ranked "
        "only where they have the same seeds."
    )


def _search(results: Results) -> str:
    seeds = sorted({seed for study in results.studies for seed in study.head.seeds})
    shown = f"{', '.join(map(str, seeds[:5]))}{', …' if len(seeds) > 5 else ''}"
    return (
        f"A search trains its candidates with seeds of its own ({shown}) and sees their validation score alone. Only "
        "its winners are trained again, with the seeds of all other contenders, and scored on the test split. A budget "
        "counts what all candidates of a study were trained, pruned ones and a strategy's own helpers included; an "
        "equal candidate named twice costs nothing."
    )


def _comparisons(results: Results) -> str:
    return (
        f"Scores are compared in {len(results.comparisons)} declared comparisons: a t test on the differences of "
        "common seeds, at the 5 % level after Holm's correction over all of them. Better needs, besides that, a win "
        f"in three of four seeds (Bouthillier et al. 2021). Below {LEAST_SEEDS} common seeds there is no verdict. "
        "More seeds are counted for 80 % power."
    )


def _cost(results: Results) -> str:
    sizes = sorted({size for arena in results.arenas for size in arena.batch_sizes})
    rounds = sorted(
        {
            len(c.rounds("parameters", size) or c.rounds("infer_throughput", size))
            for arena in results.arenas
            for c in arena.contenders
            for size in c.batch_sizes
        }
    )
    if rounds == [1]:
        turns = "once"
    else:
        span = f"{rounds[0]}" if rounds[0] == rounds[-1] else f"{rounds[0]} to {rounds[-1]}"
        turns = f"in {span} rounds that take turns between contenders, so that drift is nobody's gain"
    return (
        "Costs are measured apart from training, alone on the machine, at batch "
        f"{'size' if len(sizes) == 1 else 'sizes'} {', '.join(map(str, sizes))}, {turns}. "
        "A cost is the median of its rounds; its interval lies between two of them and holds for any distribution. "
        "Ratios are means over rounds paired by number."
    )
