"""How near is the plan's first guess? Against the training times in the published reports, and what would fit best.

    python tests/benchmarks/bench_guess.py        # needs the data of these suites

The constants of `dlbench.run.estimate` come from here. The reports were made on an AMD EPYC, jobs side by side on 2
cores, sometimes beside other load; the fit weighs every suite alike and looks at ratios.
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from dlbench.cli.planning import Flags, planned
from dlbench.run.estimate import ELEMENT_S, OPERATION_S, START_S, STEP_S, Estimator

ROOT = Path(__file__).parents[2]
SUITES = (
    "rnn_vs_transformer", "long_range", "recurrent_shapes", "mnist_lineage", "depth", "pooling_stride_padding",
    "optimizers", "pre_vs_post_norm", "positions", "translation", "scan",
)  # fmt: skip


def seconds(text: str) -> float | None:
    """`3 min 18 s` or `22.6 s`."""
    found = re.fullmatch(r"(?:(\d+) h ?)?(?:(\d+) min ?)?(?:([\d.]+) s)?", text.strip())
    return sum(f * float(g or 0) for f, g in zip((3600, 60, 1), found.groups(), strict=True)) if found else None


def published(suite: str) -> list[dict[str, float]]:
    """Training time by label, for each leaderboard of a report in order."""
    lines = (ROOT / "reports" / "published" / suite / "report.md").read_text().splitlines()
    boards = []
    for at, line in enumerate(lines):
        names = [cell.strip() for cell in line.strip("|").split("|")]
        if names[0] != "Model" or "Training time" not in names:
            continue
        board = {}
        for row in lines[at + 2 :]:
            if not row.startswith("|"):
                break
            cells = [cell.strip() for cell in row.strip("|").split("|")]
            if took := seconds(cells[names.index("Training time")]):
                board[cells[0]] = took
        boards.append(board)
    return boards


def contenders(suite: str) -> list[dict[str, Any]]:
    """What a job of each contender is guessed to take, what it took, and the three terms of a guess."""
    arenas: dict[str, list[Any]] = {}
    with planned(Flags(ROOT / "suites" / f"{suite}.yaml"), None) as todo:
        todo.preflight()
        known = Estimator(findings=todo.findings)
        for found in todo.findings:
            entry, train = found.entries[0], found.entries[0].job.train
            if entry.job.kind == "train" and found.train_size and found.flops_per_sample is not None:
                steps = train.steps or (train.epochs or 0) * found.train_size / train.batch_size
                samples = steps * train.batch_size
                terms = (steps, samples * (found.elements_per_sample or 0), samples * found.flops_per_sample)
                for each in {e.label: e for e in found.entries if e.job.kind == "train"}.values():
                    key = json.dumps([each.job.task.name, each.job.dataset.params], default=str, sort_keys=True)
                    arenas.setdefault(key, []).append((each.label, known.seconds(each), terms))
    return [
        {"suite": suite, "label": label, "guess": guess, "took": board[label], "terms": terms}
        for jobs, board in zip(arenas.values(), published(suite), strict=False)
        for label, guess, terms in jobs
        if label in board
    ]


def main() -> None:
    rows = [row for suite in SUITES for row in contenders(suite)]
    ratios = np.array([row["guess"] / row["took"] for row in rows])
    names = np.array([row["suite"] for row in rows])
    for suite in dict.fromkeys(names):
        own = ratios[names == suite]
        print(f"{suite:24} {len(own):3} contenders: guess over truth {own.min():.2f} to {own.max():.2f}")
    off = np.exp(np.quantile(np.abs(np.log(ratios)), [0.5, 0.9, 1.0]))
    print(f"{len(rows)} contenders: half within a factor of {off[0]:.2f}, nine of ten {off[1]:.2f}, all {off[2]:.2f}")

    terms, took = np.array([row["terms"] for row in rows]), np.array([row["took"] for row in rows])
    weights = np.sqrt([1 / np.sum(names == name) for name in names])
    begin = np.log([STEP_S, ELEMENT_S, OPERATION_S])
    best = least_squares(lambda x: weights * np.log((START_S + terms @ np.exp(x)) / took), begin).x
    print("best fit: STEP_S = {:.2g}, ELEMENT_S = {:.2g}, OPERATION_S = {:.2g}".format(*np.exp(best)))


if __name__ == "__main__":
    main()
