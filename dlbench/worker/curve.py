"""The learning curve of a train job: rows in memory, and `artifacts/curve.csv` kept up to date on disk."""

import csv
from pathlib import Path

COLUMNS = ("step", "epoch", "elapsed_s", "lr", "train_loss")


class Curve:
    """Rows of a learning curve, one a validation; every row is on disk at once, so that a kill loses none.

    Args:
        path: the CSV file; the header is written with the first row.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, float | None]] = []

    def add(self, row: dict[str, float | None]) -> None:
        """Append a row; every row has the first one's columns, and None is an empty cell."""
        self.rows.append(row)
        with open(self.path, "a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(self.rows[0]))
            if len(self.rows) == 1:
                writer.writeheader()
            writer.writerow({key: "" if value is None else repr(value) for key, value in row.items()})
