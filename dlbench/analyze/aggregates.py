"""A suite in a few words and numbers: what a tracker shows of an invocation."""

import re
from typing import Any

from dlbench.analyze.contenders import Arena, Contender
from dlbench.analyze.glance import comparisons, leaderboard
from dlbench.analyze.quantities import SPEEDS
from dlbench.analyze.results import Results
from dlbench.analyze.summary import summarise, summarise_rounds
from dlbench.analyze.verdict import headline, verdicts
from dlbench.schema.metric import Better

AT_LARGEST = (*SPEEDS, "train_peak_memory_bytes", "infer_peak_memory_bytes")
"""Cost metrics that are shown at the largest batch size that was measured."""

AT_SMALLEST = ("infer_latency_p50_ms",)


def account(results: Results) -> dict[str, Any]:
    """What was found, as the fields of a `dlbench.schema.invocation.Invocation`."""
    return {
        "verdict": headline(results),
        "caveats": tuple(dict.fromkeys(caveat for verdict in verdicts(results) for caveat in verdict.caveats)),
        "leaderboards": tuple(leaderboard(results, arena, memory=True) for arena in results.arenas),
        "comparisons": comparisons(results),
        "scores": _scores(results),
        "metrics": aggregates(results),
    }


def _scores(results: Results) -> dict[str, Better]:
    """The tasks' own; where no contender has one yet, those that its studies go for on validation."""
    own = {arena.score.name: arena.score.better for arena in results.arenas if arena.score is not None}
    goals = [goal for study in results.studies for goal in study.head.objectives if goal.metric.startswith("val_")]
    return own or {f"test_{goal.metric.removeprefix('val_')}": goal.better for goal in goals}


def aggregates(results: Results) -> dict[str, float]:
    """`{"lstm/test_accuracy_mean": 0.91, "lstm/test_accuracy_n": 5, "lstm/infer_throughput_b64": 12300, …}`.

    Means over seeds, medians over rounds; few of them, for each is a column where runs are compared. Where a suite
    has several datasets, their titles stand in front.
    """
    values: dict[str, float] = {}
    for arena in results.arenas:
        front = f"{_plain(arena.title)}/" if len(results.arenas) > 1 else ""
        for contender in arena.contenders:
            facts = _quality(arena, contender) | _cost(contender)
            values |= {f"{front}{_plain(contender.name)}/{key}": value for key, value in facts.items()}
    return values


def _quality(arena: Arena, contender: Contender) -> dict[str, float]:
    scores = list(contender.values(arena.score.name).values()) if arena.score else []
    score, time = summarise(scores), summarise(list(contender.values("train_time_s").values()))
    facts: dict[str, float] = {}
    if arena.score is not None and score is not None:
        facts |= {f"{arena.score.name}_mean": score.mean, f"{arena.score.name}_n": float(score.n)}
        # No interval of one seed.
        facts |= {} if score.margin is None else {f"{arena.score.name}_margin": score.margin}
    return facts | ({} if time is None else {"train_time_s_mean": time.mean})


def _cost(contender: Contender) -> dict[str, float]:
    facts: dict[str, float] = {}
    for metrics, sizes in ((AT_LARGEST, contender.batch_sizes[::-1]), (AT_SMALLEST, contender.batch_sizes)):
        for metric in metrics:
            found = {size: summarise_rounds(list(contender.rounds(metric, size).values())) for size in sizes}
            known = [(size, summary.median) for size, summary in found.items() if summary is not None]
            facts |= {f"{metric}_b{size}": median for size, median in known[:1]}
    return facts


def _plain(name: str) -> str:
    """A name in the characters that trackers allow in a metric's."""
    return re.sub(r"[^\w .\-]+", "_", name.replace(" · ", " "), flags=re.ASCII).strip("_ ") or "_"
