"""A suite like the real one on news texts, drawn from a fixed generator: five models, seeds, rounds, curves."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from synthetic import costs, job, result, with_artifact

from dlbench.schema.metric import Metric
from dlbench.schema.record import Result

TRUTH = {
    "linear": (0.903, 0.0012, 210_000, 0.6, 1.3e6, 3.2),
    "rnn": (0.851, 0.009, 9_800, 7.1, 1.41e6, 31.0),
    "lstm": (0.881, 0.004, 5_100, 9.4, 1.46e6, 52.0),
    "gru": (0.884, 0.004, 5_900, 8.8, 1.44e6, 45.0),
    "transformer": (0.9045, 0.0018, 7_400, 5.2, 1.52e6, 38.0),
}
CLASSES = ["World", "Sports", "Business", "Sci/Tech"]
EPOCHS = 4


def news(
    folder: Path, *, seeds: int = 5, rounds: int = 5, models: tuple[str, ...] = tuple(TRUTH), **fields: Any
) -> list[Result]:
    """All results of the suite; artifacts go below `folder`."""
    varied = fields.pop("varied", None)
    rng = np.random.default_rng(7)
    found: list[Result] = []
    for label in models:
        mean, sd, speed, latency_ms, parameters, train_s = TRUTH[label]
        for seed in range(seeds):
            score = float(mean + sd * rng.standard_normal())
            metrics = _metrics(score, train_s * (1 + 0.02 * rng.standard_normal()))
            one = result(job(label, number=seed, **fields), label, metrics, varied=varied)
            rows = _curve(score, train_s, mean, rng)
            found.append(
                with_artifact(one, folder, "curve", "curve.csv", lambda path, rows=rows: path.write_text(rows))
            )
        for size in (1, 64):
            noise = np.exp(0.03 * rng.standard_normal(rounds))
            found += costs(
                label,
                {
                    "train_throughput": list(noise * speed / 3.1),
                    "infer_throughput": list(noise * speed * (1 if size == 64 else 0.04)),
                    "infer_latency_p50_ms": list(latency_ms * size / 64 / noise),
                    "train_peak_memory_bytes": list(parameters * 16 + 3e6 * size * noise),
                    "infer_peak_memory_bytes": list(parameters * 4 + 4e5 * size * noise),
                    "parameters": [parameters] * rounds,
                    "flops_per_sample": [parameters * 1.9] * rounds,
                },
                batch_size=size,
                varied=varied,
                **fields,
            )
    return found


def _metrics(score: float, train_s: float) -> list[Metric]:
    wrong = (1 - score) / 3 * 1900
    confusion = [[round(1900 * score if i == j else wrong) for j in range(4)] for i in range(4)]
    detail = {"confusion": confusion, "classes": CLASSES}
    return [
        Metric(name="test_accuracy", value=score, unit="fraction", better="higher", n=7600, detail=detail),
        Metric(name="test_f1_macro", value=score - 0.001, unit="fraction", better="higher", n=7600),
        Metric(name="val_accuracy", value=score + 0.002, unit="fraction", better="higher", n=1048),
        Metric(name="train_time_s", value=train_s, unit="s", better="lower"),
    ]


def _curve(score: float, train_s: float, mean: float, rng: np.random.Generator) -> str:
    lines = ["step,epoch,elapsed_s,lr,train_loss,val_accuracy"]
    for epoch in range(1, EPOCHS + 1):
        value = score - (mean - 0.25) * math.exp(-1.1 * epoch) * 0.5 + 0.002 * rng.standard_normal()
        elapsed = train_s * epoch / EPOCHS
        lines.append(f"{epoch * 312},{float(epoch)},{elapsed!r},0.002,{1.2 * math.exp(-0.5 * epoch)!r},{value!r}")
    return "\n".join(lines) + "\n"
