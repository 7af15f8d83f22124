"""How long `dlbench results` and `dlbench report` take on a full store, how much memory, how large the page is.

    python tests/benchmarks/bench_report.py [repeats] [--shapes small wide study arena] [--stores FOLDER]

The stores (`full_stores.py`) have 200 jobs (`small`: 2 datasets × 5 contenders) or 10,000: `wide` has 100 contenders on
one dataset, `study` one study of 9,000 candidates, `arena` 9 studies of 1,000. They are made in the folder, if it does
not have them yet. Each command runs in a process of its own: wall time, CPU time (a busy machine changes it less), peak
resident memory; and the report once more after all imports. Prints the median and the range over repeats, with aims.
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
sys.path.insert(0, str(TESTS))

from full_stores import SHAPES, fill_store  # noqa: E402  the folder of tests is no package

AIM_RESULTS_S, AIM_REPORT_S, AIM_MB = 3.0, 20.0, 1000.0
AIM_SMALL_S, AIM_SMALL_PAGE_MB = 3.0, 3.0
COMMANDS = {"results": (), "results --csv": ("--csv",), "results --json": ("--json",), "report": ()}

INSIDE = """
import json, sys, time
from pathlib import Path
import dlbench.report.build, dlbench.report.figures
from dlbench.catalog import Catalog
from dlbench.cli.report import load
from dlbench.store.folder import Store
catalog = Catalog()
[catalog.load("sections", name) for name in catalog.names("sections")]
began = time.perf_counter()
results = load(Store.open(Path(sys.argv[1]), create=False), sys.argv[2])
read = time.perf_counter()
dlbench.report.build.build_report(results, Path(sys.argv[3]))
print(json.dumps([read - began, time.perf_counter() - read]))
"""


def run(arguments: list[str]) -> tuple[float, float, float, str]:
    """Seconds, seconds of CPU (of its children too), peak megabytes and stdout of a process."""
    with tempfile.TemporaryFile() as out:
        began = time.perf_counter()
        process = subprocess.Popen([sys.executable, *arguments], stdout=out, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, arguments
        out.seek(0)
        return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e3, out.read().decode()


def spread(values: list[float], digits: int = 2) -> str:
    """`median (lowest to highest)`."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def measure(shape: str, store: Path, out: Path, repeats: int) -> None:
    """Print a line for each command, after one run of each that does not count."""
    for name, flags in COMMANDS.items():
        command = ["-m", "dlbench", name.split()[0], shape, "--store", str(store), *flags]
        command += ["--out", str(out)] if name == "report" else []
        run(command)
        found = [run(command) for _ in range(repeats)]
        aim = AIM_REPORT_S if name == "report" else AIM_RESULTS_S
        seconds, cpu, peak = (spread([one[place] for one in found], 2 if place < 2 else 0) for place in range(3))
        print(f"  {name}: {seconds} s (aim {aim:g}), CPU {cpu} s; peak {peak} MB (aim {AIM_MB:g})", flush=True)
    inside = [json.loads(run(["-c", INSIDE, str(store), shape, str(out)])[3]) for _ in range(repeats)]
    read, built = spread([one for one, _ in inside]), spread([two for _, two in inside])
    print(
        f"  after imports: reading {read} s, report {built} s" + (f" (aim {AIM_SMALL_S:g})" if shape == "small" else "")
    )
    page = (out / "index.html").stat().st_size / 1e6
    rest = sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) / 1e6 - page
    aim_page = f" (aim {AIM_SMALL_PAGE_MB:g})" if shape == "small" else ""
    print(f"  index.html: {page:.2f} MB{aim_page}; all other files {rest:.2f} MB", flush=True)


def main() -> None:
    """Make the stores and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("repeats", type=int, nargs="?", default=5)
    parser.add_argument("--shapes", nargs="+", choices=list(SHAPES), default=list(SHAPES))
    parser.add_argument("--stores", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for shape in given.shapes:
            store = (given.stores or Path(temporary)) / shape
            if not store.exists():
                fill_store(shape, store)
            jobs = len((store / "suites" / shape / "jobs.jsonl").read_bytes().splitlines())
            print(f"{shape}: {jobs:,} jobs, n = {given.repeats}", flush=True)
            measure(shape, store, Path(temporary) / f"report-{shape}", given.repeats)


if __name__ == "__main__":
    main()
