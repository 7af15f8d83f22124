"""How long threads of a job should spin before they sleep, on a quiet machine and beside a busy neighbour.

    python tests/benchmarks/bench_waiting.py [rounds]

Training steps of a 784-64-10 perceptron, a small convolutional network and an RNN that reads rows, on 28×28 images,
batch 128, a thread for each core. Each measurement is a process of its own, since OpenMP reads its settings once:
sleeping at once (GOMP_SPINCOUNT=0), what dlbench sets (`dlbench.worker.warm.WAITING`), and OpenMP's own default.
Prints, without and with a process that keeps one core busy, the throughput of each over that of sleeping at once, as
the median over rounds with its range.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import Any

from dlbench.worker.warm import WAITING

MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "784-64-10 perceptron": ("mlp", {"hidden_sizes": [64]}),
    "small convolutional network": ("cnn", {"stages": 2}),
    "row-wise RNN": ("rnn", {}),
}
SETTINGS: dict[str, dict[str, str]] = {
    "sleeping at once": WAITING | {"GOMP_SPINCOUNT": "0"},
    "dlbench's setting": WAITING,
    "OpenMP's default": {},
}
BATCH = 128
WARM_UP = 20
MEASURED_S = 2.0
BUSY = "while True: pass"


def measure(name: str) -> float:
    """Steps a second, in this process."""
    import torch
    from digit_steps import digit_steps

    from dlbench.worker.allocator import keep_freed_memory

    torch.set_num_threads(os.cpu_count() or 1)
    keep_freed_memory()
    step, batches = digit_steps(*MODELS[name], BATCH)
    for number in range(WARM_UP):
        step([batches[number % len(batches)]])
    steps, began = 0, time.perf_counter()
    while (passed_s := time.perf_counter() - began) < MEASURED_S:
        step([batches[steps % len(batches)]])
        steps += 1
    return steps / passed_s


def fresh(name: str, setting: str) -> float:
    """The same in a new process."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "GOMP_", "KMP_"))}
    command = [sys.executable, __file__, "--measure", name]
    found = subprocess.run(command, env=kept | SETTINGS[setting], stdout=subprocess.PIPE, check=True).stdout
    return float(json.loads(found))


def main() -> None:
    """Print a line for each model, neighbour and setting."""
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2])))
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    first, *others = SETTINGS
    for busy in (False, True):
        with ExitStack() as stack:
            if busy:
                neighbour = stack.enter_context(subprocess.Popen([sys.executable, "-c", BUSY]))
                stack.callback(neighbour.kill)
            for name in MODELS:
                found: dict[str, list[float]] = {setting: [] for setting in SETTINGS}
                for number in range(rounds):
                    for setting in list(SETTINGS)[:: 1 if number % 2 else -1]:
                        found[setting].append(fresh(name, setting))
                where = f"{name}, {'a busy neighbour' if busy else 'a quiet machine'}"
                print(f"{where}: {first} {BATCH * statistics.median(found[first]):,.0f} samples/s")
                for setting in others:
                    ratios = sorted(one / base for one, base in zip(found[setting], found[first], strict=True))
                    spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}, n = {rounds}"
                    print(f"{where}: {setting} {statistics.median(ratios):.2f} × that ({spread})", flush=True)


if __name__ == "__main__":
    main()
