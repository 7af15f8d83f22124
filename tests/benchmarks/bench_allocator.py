"""What keeping freed memory (`dlbench.worker.allocator`) makes of a training step on the CPU.

    python tests/benchmarks/bench_allocator.py [pairs]

Steps of some models on 28×28×1 images, batch 128, one thread. Each measurement is a process of its own, with and
without in turn, because what glibc has once learnt about an allocation it does not forget. Prints the ratio of the
median step without / with, as the median over pairs with its range, and how many page faults a step takes.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import json
import resource
import statistics
import subprocess
import sys
import time

MODELS = ("mlp", "lenet5", "cnn", "lstm")
BATCH = 128
WARM_UP = 4
MEASURED_S = 4.0


def measure(name: str, keep: bool) -> dict[str, float]:
    """Median milliseconds and mean page faults of a step, in this process."""
    import torch
    from digit_steps import digit_steps

    from dlbench.worker.allocator import keep_freed_memory

    torch.set_num_threads(1)
    if keep:
        keep_freed_memory()
    step, batches = digit_steps(name, {}, BATCH)
    for number in range(WARM_UP):
        step([batches[number]])
    times: list[float] = []
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    end = time.perf_counter() + MEASURED_S
    while (began := time.perf_counter()) < end:
        step([batches[len(times) % len(batches)]])
        times.append(time.perf_counter() - began)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
    return {"ms": statistics.median(times) * 1e3, "faults": faults / len(times)}


def fresh(name: str, keep: bool) -> dict[str, float]:
    """The same in a new process."""
    command = [sys.executable, __file__, "--measure", name, str(int(keep))]
    found: dict[str, float] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return found


def main() -> None:
    """Print a line for each model."""
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2], sys.argv[3] == "1")))
        return
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    for name in MODELS:
        found: dict[bool, list[dict[str, float]]] = {False: [], True: []}
        for number in range(pairs):
            for keep in (False, True) if number % 2 else (True, False):
                found[keep].append(fresh(name, keep))
        ratios = sorted(off["ms"] / on["ms"] for off, on in zip(found[False], found[True], strict=True))
        faults = {keep: statistics.median(one["faults"] for one in found[keep]) for keep in found}
        print(
            f"{name}: {statistics.median(ratios):.2f} × as fast ({ratios[0]:.2f} to {ratios[-1]:.2f}, n = {pairs}); "
            f"{faults[False]:,.0f} page faults a step become {faults[True]:,.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
