import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow_store import child_env

from dlbench.store.sync import QUIET


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database; making one takes seconds, so it is made once."""
    path = tmp_path_factory.mktemp("template") / "mlflow.db"
    code = "import sys; from pathlib import Path; from dlbench.store.mlflow import create_database as c; "
    subprocess.run([sys.executable, "-c", f"{code}c(Path(sys.argv[1]))", path], check=True, env=child_env())
    return path


@pytest.fixture
def uri(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of a new, empty MLflow."""
    for name, value in QUIET.items():
        monkeypatch.setenv(name, value)
    shutil.copy(template, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path / 'mlflow.db'}"
