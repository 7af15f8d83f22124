"""Whole commands, each in a process of its own, on suites that take a moment."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from commands import Done, run

ROOT = Path(__file__).parents[2]
PLUGINS = {
    shelf.name: [str(path) for path in sorted(shelf.glob("*.py"))]
    for shelf in sorted((ROOT / "tests" / "plugins").iterdir())
    if shelf.is_dir() and not shelf.name.startswith("_")
}


def hear_signals() -> None:
    """In a child: signals that whoever started these tests ignores (`nohup`, a job in the background) act again."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Terminal:
    """A user in a folder, typing commands."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder, self.environment = folder, dict(environment)

    def __call__(self, *arguments: str | Path, code: int = 0, **environment: str) -> Done:
        """Run `dlbench` to its end; it must exit with `code`."""
        done = run([str(one) for one in arguments], self.folder, {**self.environment, **environment})
        assert done.code == code, f"dlbench {arguments} exited with {done.code}\n{done.out}\n{done.err}"
        return done

    def start(self, *arguments: str | Path, **environment: str) -> subprocess.Popen[str]:
        """Start `dlbench` as a terminal would: leader of a process group that Ctrl-C reaches."""
        return subprocess.Popen(
            [sys.executable, "-m", "dlbench", *map(str, arguments)],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=hear_signals,
        )

    def write(self, name: str = "tiny", **changes: Any) -> str:
        """Write a suite; JSON is YAML."""
        suite = {"schema": 1, "name": name, "plugins": PLUGINS, **TINY, **changes}
        (self.folder / f"{name}.yaml").write_text(json.dumps(suite, indent=1))
        return f"{name}.yaml"

    def records(self, suite: str = "tiny", *options: str) -> list[dict[str, Any]]:
        """What `results --json` says."""
        found: list[dict[str, Any]] = self("results", suite, "--json", *options).json
        return found

    def files(self) -> dict[str, float]:
        """Every file below the folder with its time of change."""
        return {str(path.relative_to(self.folder)): path.stat().st_mtime_ns for path in self.folder.rglob("*")}


TINY: dict[str, Any] = {
    "tasks": [{"vectors": {"dataset": {"blobs": {"train_size": 64}}}}],
    "models": ["two_layer"],
    "train": {"epochs": 1, "lr": 0.01},
    "cost": False,
}
QUIET = ("--no-mlflow", "--no-report")


def environment(base: Path) -> dict[str, str]:
    """The environment of a user who has set nothing, with caches, data and temporary files of its own."""
    (base / "tmp").mkdir(exist_ok=True)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("DLBENCH_", "MLFLOW_", "_DLBENCH"))}
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "HOME": str(base),
        "XDG_CACHE_HOME": str(base / "cache"),
        "XDG_DATA_HOME": str(base / "data"),
        "TMPDIR": str(base / "tmp"),
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "120",
    }


def exploding(how: str) -> dict[str, Any]:
    return {"model": "explodes", "label": how, "params": {"how": how}}


class Finished(NamedTuple):
    """A folder in which a suite was run, and what the run said."""

    terminal: Terminal
    said: Done
