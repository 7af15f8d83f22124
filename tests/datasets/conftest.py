import subprocess
import sys
from pathlib import Path

import pytest

PACKED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror of the real text datasets."""
    script = PACKED / "build_mirror"
    if not script.exists():
        pytest.skip("there is no packed data beside this checkout (../shared/data): nothing real to read")
    out = tmp_path_factory.mktemp("mirror")
    subprocess.run([sys.executable, script, out, "ag_news", "sst2"], check=True, capture_output=True)
    return out
