"""A second, fully cached run of a suite of 1,000 jobs: how long until it says that there is nothing to do?

    python tests/benchmarks/bench_cached.py [repeats]

The store is written directly, as if the suite (250 seeds × 4 learning rates of a two-layer perceptron) had been run.
Prints the wall time of `dlbench run` as the median with quartiles over repeats (aim: 2 s), and fails if that run
touches MLflow, the report, or anything in the store but its lock.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))

from filled import fill  # noqa: E402  the folder of tests is no package

SUITE = {
    "schema": 1,
    "name": "thousand",
    "plugins": {
        shelf: [str(path) for path in sorted((TESTS / "plugins" / shelf).glob("*.py"))]
        for shelf in ("tasks", "datasets", "models")
    },
    "tasks": ["vectors"],
    "models": ["two_layer"],
    "vary": {"train.lr": [1e-4, 1e-3, 1e-2, 1e-1]},
    "seeds": 250,
    "cost": False,
}
AIM_S = 2.0


def files(folder: Path) -> dict[str, int]:
    """Every file with its time of change."""
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*")}


def run(folder: Path, *flags: str) -> float:
    """Seconds of a run."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "dlbench", "run", "thousand.yaml", *flags]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - began
    assert "1,000 jobs (1000 train, 0 cost), 1000 cached, 0 to run" in done.stderr, done.stderr
    return seconds


def main() -> None:
    """Print a line."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "thousand.yaml").write_text(json.dumps(SUITE))
        assert len(fill(folder / "thousand.yaml", folder / ".dlbench")) == 1000
        run(folder, "--no-mlflow")  # writes the report, which these records do not have yet
        before = files(folder)
        low, middle, high = statistics.quantiles([run(folder) for _ in range(repeats)], n=4)
        changed = {path for path, when in files(folder).items() if before.get(path) != when}
        assert changed <= {".dlbench/lock"}, changed
        assert not (folder / "mlflow.db").exists()
    print(
        f"cached run of 1,000 jobs: {middle:.2f} s (quartiles {low:.2f} to {high:.2f}, n = {repeats}; aim {AIM_S:g} s)"
    )


if __name__ == "__main__":
    main()
