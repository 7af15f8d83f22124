"""Sentences on what varying something does to costs, model by model: `With checkpointing, resnet-20 saves 62 % …`.

Only a ratio that `Ratio.told` supports is given; all else shows no clear difference.
"""

from dlbench.analyze.contenders import Arena
from dlbench.analyze.cost_effects import Effect, common_size, effects
from dlbench.analyze.largest import Largest
from dlbench.analyze.quantities import SPEEDS, listed, share, times
from dlbench.analyze.results import Results

MOST_TOLD = 4
"""Models that a sentence names: those that change most."""
MEMORY = "train_peak_memory_bytes"
_WORDS = {MEMORY: "training memory", **SPEEDS}
_SWITCHES = {
    "train.grad_checkpointing": "checkpointing",
    "train.compile": "torch.compile",
    "train.channels_last": "channels last",
    "train.nesterov": "Nesterov momentum",
}


def effect_sentences(results: Results, arena: Arena, key: str) -> list[tuple[str, bool]]:
    """What a varied key does to each model, a sentence for each of its values, and whether it tells any difference.

    What a model is made of (`model.…`) makes contenders of their own, which a ranking compares.
    """
    if key.startswith("model."):
        return []
    groups: dict[str, list[Effect]] = {}
    for effect in effects(arena, key):
        if not effect.contender.emulated:
            groups.setdefault(_condition(effect), []).append(effect)
    sentences = []
    for condition, found in groups.items():
        size = common_size(found)
        told = [] if size is None else [(_strength(results, one, size), _changes(results, one, size)) for one in found]
        known = sorted([pair for pair in told if pair[1]], key=lambda pair: -pair[0])
        if known:
            left = len(known) - MOST_TOLD
            more = f"; {left} more {'is' if left == 1 else 'are'} in the table" if left > 0 else ""
            clauses = "; ".join(words for _, words in known[:MOST_TOLD])
            sentences.append((f"{condition} (batch {size:,}), {clauses}{more}", known[0][0] > 0))
    return sentences


def _condition(effect: Effect) -> str:
    """`with checkpointing`, `on cuda instead of cpu`, `with optimizer sgd instead of adamw`."""
    if effect.key in _SWITCHES and isinstance(effect.value, bool):
        return f"{'with' if effect.value else 'without'} {_SWITCHES[effect.key]}"
    if effect.key == "device":
        return f"on {effect.value} instead of {effect.first}"
    if effect.key == "precision":
        return f"in {effect.value} instead of {effect.first}"
    name = effect.key.partition(".")[2].replace("_", " ")
    return f"with {name} {effect.value} instead of {effect.first}"


def _strength(results: Results, effect: Effect, size: int) -> float:
    """The largest change that is told, whichever way; 0 for none."""
    ratios = [effect.ratio(results, metric, size) for metric in _WORDS]
    return max((max(ratio.ratio, 1 / ratio.ratio) for ratio in ratios if ratio is not None and ratio.told), default=0)


def _changes(results: Results, effect: Effect, size: int) -> str:
    """`resnet-20 saves 62 % of its memory in training and loses 28 % of its training speed`; empty without a ratio."""
    told: list[str] = []
    untold: list[str] = []
    for metric in _WORDS:
        ratio = effect.ratio(results, metric, size)
        if ratio is not None and ratio.told:
            change = _memory_change(ratio.ratio) if metric == MEMORY else _speed_change(metric, ratio.ratio)
            told.append(change.removeprefix("loses ") if told and told[-1].startswith("loses ") else change)
        elif ratio is not None:
            untold.append(_WORDS[metric])
    if untold:
        told.append(f"shows no clear difference in {listed(untold)}")
    return f"{effect.series} {listed(told)}{_larger_batch(effect)}" if told else ""


def _memory_change(ratio: float) -> str:
    if ratio < 1:
        return f"saves {share(1 - ratio)} of its memory in training"
    if ratio < 1.5:
        return f"needs {share(ratio - 1)} more memory in training"
    return f"needs {times(ratio)} the memory in training"


def _speed_change(metric: str, ratio: float) -> str:
    verb = f"{metric.partition('_')[0]}s"
    if ratio < 1:
        return f"loses {share(1 - ratio)} of its {_WORDS[metric]}"
    if ratio < 1.5:
        return f"{verb} {share(ratio - 1)} faster"
    return f"{verb} {times(ratio)} as fast"


def _larger_batch(effect: Effect) -> str:
    """By how much its largest batch of training changes, where both were bounded by the same memory."""
    ours, theirs = (Largest.found(c, "train") for c in (effect.contender, effect.reference))
    if ours is None or theirs is None or not ours.batch or not theirs.batch or ours.limit_bytes != theirs.limit_bytes:
        return ""
    if effect.key == "device" or theirs.bounded_by != "memory" or ours.batch == theirs.batch:
        return ""
    reach = f"up to {ours.batch:,}" if ours.bounded_by == "memory" else f"{ours.batch:,} or more"
    return f", with batches of {reach} instead of {theirs.batch:,}"
