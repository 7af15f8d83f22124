"""What tracking in MLflow adds to the wall time of a run.

    python tests/benchmarks/bench_tracking.py [--minutes 5] [--pairs 3]

Runs the same suite with and without `--no-mlflow`, each in a new store, one job at a time, against a database that
exists. The two runs of a pair take turns of a few seconds: one is stopped, with all its processes, while the other goes
on, so that a machine that becomes faster or slower does so for both. A run's time is the sum of its own turns, from the
start of `dlbench run` to its end. Prints the ratio tracked / untracked of each pair, and their median. The aim is 1.01
at most, for runs of 5 minutes or more on two cores.

A job trains 8,000 steps of a small perceptron, so that both its length and its number of events are those of a real
one; the number of jobs follows from the minutes.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import json
import signal
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

TURN_S = 4.0

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


class Run:
    """A run of so many jobs in a new store, which goes on only while it has its turn."""

    def __init__(self, folder: Path, store: str, seeds: int, *options: str) -> None:
        command = [sys.executable, "-m", "dlbench", "run", "tracked.yaml", f"seeds={seeds}", "--store", store]
        self.seeds, self.seconds, self.ended = seeds, 0.0, False
        self.said = folder / f"{store}.log"
        began = time.perf_counter()
        with open(self.said, "w") as log:
            self.process = psutil.Popen(
                [*command, "--slots", "1", "--no-report", *options], cwd=folder, stdout=log, stderr=log
            )
        self._stop(began)

    def take_turn(self, seconds: float) -> None:
        """Go on for a while, at most to the end."""
        began = time.perf_counter()
        self._signal(signal.SIGCONT)
        try:
            self.process.wait(seconds)
        except psutil.TimeoutExpired:
            self._stop(began)
        else:
            self.seconds += time.perf_counter() - began
            self.ended = True
            said = self.said.read_text()
            assert f"tracked: {self.seeds} ok" in said, said
            assert "pending" not in said, said

    def _stop(self, began: float) -> None:
        self.seconds += time.perf_counter() - began
        self._signal(signal.SIGSTOP)

    def _signal(self, number: signal.Signals) -> None:
        """To the run, then to the processes below it; children are born only while it runs."""
        for process in [self.process, *self.process.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)


def alone(folder: Path, store: str, seeds: int, *options: str) -> float:
    """Seconds of a run that need not share."""
    run = Run(folder, store, seeds, *options)
    while not run.ended:
        run.take_turn(TURN_S)
    return run.seconds


def pair(folder: Path, number: int, seeds: int) -> dict[str, float]:
    """Seconds of a run with tracking, and of one without."""
    kinds = {"tracked": (), "untracked": ("--no-mlflow",)}
    runs = {kind: Run(folder, f"{kind}{number}", seeds, *options) for kind, options in kinds.items()}
    order = list(runs.values())[:: 1 if number % 2 else -1]
    while not all(run.ended for run in order):
        for run in order:
            if not run.ended:
                run.take_turn(TURN_S)
        order.reverse()
    return {kind: run.seconds for kind, run in runs.items()}


def main() -> None:
    """Print a line for each pair, and one for all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=0.5, help="length of a run, about")
    parser.add_argument("--pairs", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tracked.yaml").write_text(json.dumps(SUITE))
        alone(folder, "first", 1)  # makes the database
        one, two = (alone(folder, f"trial{seeds}", seeds, "--no-mlflow") for seeds in (1, 2))
        seeds = max(1, round((arguments.minutes * 60 - one) / max(two - one, 0.1)) + 1)
        ratios = []
        for number in range(arguments.pairs):
            seconds = pair(folder, number, seeds)
            ratios.append(seconds["tracked"] / seconds["untracked"])
            told = ", ".join(f"{value:.1f} s {kind}" for kind, value in seconds.items())
            print(f"pair {number + 1}: {seeds} jobs, {told}, ratio {ratios[-1]:.4f}", flush=True)
    spread = f"{min(ratios):.4f} to {max(ratios):.4f}"
    print(f"tracking: ratio {statistics.median(ratios):.4f} ({spread}, n = {len(ratios)} pairs; aim 1.01)")


if __name__ == "__main__":
    main()
