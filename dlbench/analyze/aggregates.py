"""A suite in a few numbers: what a tracker's parent run shows."""

import re

from dlbench.analyze.contenders import Arena, Contender
from dlbench.analyze.results import Results
from dlbench.analyze.summary import summarise, summarise_rounds

COSTS = (
    "train_throughput",
    "infer_throughput",
    "infer_latency_p50_ms",
    "train_peak_memory_bytes",
    "infer_peak_memory_bytes",
    "mfu",
    "energy_per_sample_j",
    "infer_energy_per_sample_j",
)


def aggregates(results: Results) -> dict[str, float]:
    """`{"lstm/test_accuracy_mean": 0.91, "lstm/test_accuracy_n": 5, "lstm/infer_throughput_b64": 12300, …}`.

    Means over seeds, medians over rounds. Where a suite has several datasets, their titles stand in front.
    """
    values: dict[str, float] = {}
    for arena in results.arenas:
        front = f"{_plain(arena.title)}/" if len(results.arenas) > 1 else ""
        for contender in arena.contenders:
            facts = _quality(arena, contender) | _cost(contender)
            values |= {f"{front}{_plain(contender.name)}/{key}": value for key, value in facts.items()}
    return values


def _quality(arena: Arena, contender: Contender) -> dict[str, float]:
    facts: dict[str, float] = {}
    for metric in (arena.score.name if arena.score else None, "train_time_s"):
        summary = summarise(list(contender.values(metric).values())) if metric else None
        if summary is not None:
            facts[f"{metric}_mean"] = summary.mean
            facts[f"{metric}_n"] = float(summary.n)
    return facts


def _cost(contender: Contender) -> dict[str, float]:
    facts: dict[str, float] = {}
    for size in contender.batch_sizes:
        for metric in COSTS:
            summary = summarise_rounds(list(contender.rounds(metric, size).values()))
            if summary is not None:
                facts[f"{metric}_b{size}"] = summary.median
    return facts


def _plain(name: str) -> str:
    """A name in the characters that trackers allow in a metric's."""
    return re.sub(r"[^\w .\-]+", "_", name, flags=re.ASCII).strip("_ ") or "_"
