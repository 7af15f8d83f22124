"""How it was measured: what the figures of the report mean, in short."""

from collections.abc import Sequence

from dlbench.analyze.compare import LEAST_SEEDS
from dlbench.analyze.contenders import Arena
from dlbench.analyze.quantities import SPEEDS, listed, quantity
from dlbench.analyze.results import Results
from dlbench.schema.blocks import Section, Text
from dlbench.sections import _cost

POSITION = 100

_MFU = (
    "MFU is the share of the matrix rate that dlbench calibrate reached on this machine in the dtype that ran (the "
    "quickest of them, where several did). Operations are those of matrix products, convolutions and attention, and a "
    "step of training counts as three forward passes."
)


def build(results: Results) -> Section | None:
    """The rules behind the figures, with the numbers of this suite; None where there is none yet."""
    if not results.results:
        return None
    trained = [arena for arena in results.arenas if not arena.measured_only]
    texts = [_quality(trained)] if trained or not results.arenas else []
    if results.studies:
        texts.append(_search(results))
    if results.comparisons:
        texts.append(_comparisons(results))
    if any(arena.batch_sizes for arena in results.arenas):
        texts += [_costs(results), _ratios(results)]
    if results.drifts:
        texts.append(_anchors(results))
    if any(_cost.sizes_of(arena, ("mfu", "infer_mfu")) for arena in results.arenas):
        texts.append(_MFU)
    blocks = tuple(Text(text=text) for text in texts)
    return Section(title="How it was measured", anchor="method", blocks=blocks) if blocks else None


def _quality(arenas: Sequence[Arena]) -> str:
    seeds = sorted({len(contender.train) for arena in arenas for contender in arena.contenders})
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


def _costs(results: Results) -> str:
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
        "The machine is watched over every region that is timed; a disturbed one is measured again, up to twice, and "
        "flagged if that did not help. Peak memory is above what was in use before the model was built: on a CPU the "
        "kernel's high-water mark of the process, on a GPU the allocator's. Nothing samples while throughput is "
        "measured."
    )


def _ratios(results: Results) -> str:
    floors = {name: results.noise_floors[name] for name in SPEEDS if name in results.noise_floors}
    told = listed([f"{quantity(floor, 'fraction')} for {name.replace('_', ' ')}" for name, floor in floors.items()])
    beyond = (
        f"and the ratio is beyond the noise floor that dlbench calibrate measured on this machine ({told})"
        if told
        else "(the machine's noise floor is not known: dlbench calibrate measures it)"
    )
    return (
        "Ratios of costs are geometric means over rounds paired by number. One is called faster than another where the "
        f"95 % interval of the ratio leaves 1 out {beyond}."
    )


def _anchors(results: Results) -> str:
    return (
        "When contenders joined others that had been measured before, one of those was measured again beside them: "
        f"{listed(sorted({drift.contender.name for drift in results.drifts}))}. These anchors count in no median. The "
        "machine has drifted where the ratio of anchors to first rounds (geometric means, Welch's t on the logarithms) "
        "has a 95 % interval that leaves 1 out, and lies beyond the noise floor, or 5 % where that is not known. "
        "Nobody is called faster across a drift."
    )
