"""Make a table of trainings (`dlbench.worker.table`) from the records of a suite that trained a whole space.

dlbench run suites/nas_exhaustive.yaml --store STORE
python tests/benchmarks/make_table.py STORE nas_exhaustive nas_digits
"""

import argparse
import csv
import gzip
import json
from pathlib import Path
from typing import Any

from dlbench.schema.record import Record, Result
from dlbench.store.folder import Store
from dlbench.worker.table import FOLDER, SUFFIX, key

DIGITS = 6
LEFT_OUT = ("elapsed_s", "lr")


def rounded(value: float) -> float:
    """A value with as many digits as the rest of dlbench shows of any."""
    return float(f"{value:.{DIGITS}g}")


def row(record: Record, folder: Path) -> dict[str, Any]:
    """One training."""
    with open(folder / "artifacts" / "curve.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = [name for name in rows[0] if name not in LEFT_OUT]
    return {
        "metrics": {m.name: [rounded(m.value), m.unit, m.better] for m in record.metrics if m.value is not None},
        "curve": {
            name: [int(r[name]) if name == "step" else rounded(float(r[name])) for r in rows] for name in columns
        },
    }


def table(suite: str, results: list[Result]) -> dict[str, Any]:
    """The whole table; of trainings that candidates of studies left."""
    rows: dict[str, Any] = {}
    records = [r.record for r in results if r.record is not None and r.record.status == "ok"]
    for result in results:
        record = result.record
        if record is not None and record.kind == "train" and record.status == "ok" and result.entry.study is not None:
            assert result.folder is not None
            rows[key(record)] = row(record, Path(result.folder))
    first = records[0]
    return {
        "schema": 1,
        "about": {
            "suite": suite,
            "made_on": f"{first.machine.get('cpu')}, {first.started_at:%Y-%m-%d}",
            "versions": first.versions,
            "code": first.code,
        },
        "sizes": {split: getattr(first.dataset, split) for split in ("train", "val", "test")},
        "rows": dict(sorted(rows.items())),
    }


def main() -> None:
    """Read the command line and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("suite")
    parser.add_argument("name")
    arguments = parser.parse_args()
    store = Store.open(arguments.store, create=False)
    made = table(arguments.suite, store.results(arguments.suite))
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{arguments.name}{SUFFIX}"
    path.write_bytes(gzip.compress(json.dumps(made, separators=(",", ":")).encode(), mtime=0))
    print(f"{path}: {len(made['rows'])} trainings, {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
