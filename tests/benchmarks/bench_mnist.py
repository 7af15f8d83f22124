"""Seconds of training until MNIST is read with 99 %.

    python tests/benchmarks/bench_mnist.py [KEY=VALUE …]

Runs `suites/mnist_speed.yaml` in a folder of its own and prints, for each precision, the time from the first step to
the validation that reached 99 %, validations included (median and range over seeds; a seed that missed the target
counts as infinite), and what those weights score on the test split. The aim is 4 s on two cores. Needs MNIST: from the
cache, a mirror (`DLBENCH_DATA_MIRROR`) or the network.
"""

import json
import math
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SUITE = Path(__file__).resolve().parents[2] / "suites" / "mnist_speed.yaml"


def records(overrides: list[str]) -> list[dict[str, Any]]:
    """Records of a run of the suite."""
    options = ["--no-mlflow", "--no-report", "--json"]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "dlbench", "run", str(SUITE), *overrides, *options]
        done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
        found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def main() -> None:
    """Print a line for each precision."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for record in records(sys.argv[1:]):
        if record["dataset"]["name"] != "mnist":
            sys.exit(f"this ran on {record['dataset']['name']}: MNIST could not be had")
        groups.setdefault(record["precision"]["asked"], []).append(
            {metric["name"]: metric["value"] for metric in record["metrics"]}
        )
    for precision, found in groups.items():
        seconds = sorted(metrics.get("time_to_target_s") or math.inf for metrics in found)
        scores = [metrics["test_accuracy"] for metrics in found if "test_accuracy" in metrics]
        print(
            f"{precision}: {statistics.median(seconds):.2f} s to 99 % on validation "
            f"({seconds[0]:.2f} to {seconds[-1]:.2f}, n = {len(seconds)}); test accuracy "
            f"{statistics.mean(scores):.2%} ({min(scores):.2%} to {max(scores):.2%})"
        )


if __name__ == "__main__":
    main()
