"""What tracking in MLflow adds to the wall time of a run.

    python tests/benchmarks/bench_tracking.py [--minutes 5] [--pairs 3]

Runs the same suite with and without `--no-mlflow`, in alternation, each in a new store, one job at a time, against a
database that exists. Prints the median over pairs of the ratio tracked / untracked of the wall times, from the start of
`dlbench run` to its end, and every ratio. The aim is 1.01 at most, for runs of 5 minutes or more on two cores.

A job trains 8,000 steps of a small perceptron, so that both its length and its number of events are those of a real
one; the number of jobs follows from the minutes.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
SUITE = {
    "schema": 1,
    "name": "tracked",
    "plugins": {
        shelf: [str(path) for path in sorted((TESTS / "plugins" / shelf).glob("*.py"))]
        for shelf in ("tasks", "datasets", "models")
    },
    "tasks": [{"vectors": {"dataset": {"blobs": {"size": 784, "classes": 10, "train_size": 25_600}}}}],
    "models": [{"model": "two_layer", "params": {"hidden": 64}}],
    "train": {"steps": 8_000, "batch_size": 128, "evaluate_every": 400},
    "cost": False,
}


def run(folder: Path, store: str, seeds: int, *options: str) -> float:
    """Seconds of a run of so many jobs in a new store."""
    command = [sys.executable, "-m", "dlbench", "run", "tracked.yaml", f"seeds={seeds}", "--store", store]
    began = time.perf_counter()
    done = subprocess.run(
        [*command, "--slots", "1", "--no-report", *options], cwd=folder, capture_output=True, text=True, check=True
    )
    seconds = time.perf_counter() - began
    assert f"tracked: {seeds} ok" in done.stderr, done.stderr
    assert "pending" not in done.stderr, done.stderr
    return seconds


def main() -> None:
    """Print a line for each pair, and one for all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=0.5, help="length of a run, about")
    parser.add_argument("--pairs", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tracked.yaml").write_text(json.dumps(SUITE))
        run(folder, "first", 1)  # makes the database
        one, two = (run(folder, f"trial{seeds}", seeds, "--no-mlflow") for seeds in (1, 2))
        seeds = max(1, round((arguments.minutes * 60 - one) / max(two - one, 0.1)) + 1)
        ratios = []
        for pair in range(arguments.pairs):
            kinds = [("tracked", ()), ("untracked", ("--no-mlflow",))]
            times = {
                kind: run(folder, f"{kind}{pair}", seeds, *options)
                for kind, options in (kinds if pair % 2 else kinds[::-1])
            }
            ratios.append(times["tracked"] / times["untracked"])
            told = ", ".join(f"{seconds:.1f} s {kind}" for kind, seconds in times.items())
            print(f"pair {pair + 1}: {seeds} jobs, {told}, ratio {ratios[-1]:.4f}", flush=True)
    spread = f"{min(ratios):.4f} to {max(ratios):.4f}"
    print(f"tracking: ratio {statistics.median(ratios):.4f} ({spread}, n = {len(ratios)} pairs; aim 1.01)")


if __name__ == "__main__":
    main()
