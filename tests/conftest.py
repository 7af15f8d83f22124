import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

from pathlib import Path

import pytest

PLUGINS = Path(__file__).parent / "plugins"


@pytest.fixture(autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's caches and data, or sees the user's settings."""
    for name in [key for key in os.environ if key.startswith(("DLBENCH_", "MLFLOW_TRACKING"))]:
        monkeypatch.delenv(name)
    base = tmp_path_factory.getbasetemp()
    monkeypatch.setenv("XDG_CACHE_HOME", str(base / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(base / "data"))
    (base / "tmp").mkdir(exist_ok=True)
    # Commands take the machine's lock there: not ours, not each other's.
    monkeypatch.setenv("TMPDIR", str(base / "tmp"))


@pytest.fixture
def plugins() -> dict[str, tuple[str, ...]]:
    """The tiny task, dataset and models below tests/plugins, as a suite's `plugins:` names them."""
    return {
        shelf.name: tuple(str(path) for path in sorted(shelf.glob("*.py")))
        for shelf in sorted(PLUGINS.iterdir())
        if shelf.is_dir() and not shelf.name.startswith("_")
    }
