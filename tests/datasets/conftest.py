import subprocess
import sys
from pathlib import Path

import pytest

PACKED = Path(__file__).resolve().parents[3] / "shared" / "data"


def built(tmp_path_factory: pytest.TempPathFactory, *datasets: str) -> Path:
    script = PACKED / "build_mirror"
    if not script.exists():
        pytest.skip("there is no packed data beside this checkout (../shared/data): nothing real to read")
    out = tmp_path_factory.mktemp("mirror")
    subprocess.run([sys.executable, script, out, *datasets], check=True, capture_output=True)
    return out


@pytest.fixture(scope="session")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror of the real text datasets."""
    return built(tmp_path_factory, "ag_news", "multi30k", "sst2")


@pytest.fixture(scope="session")
def real_mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror of the real MNIST."""
    return built(tmp_path_factory, "mnist")


@pytest.fixture(scope="session")
def real_cifar10(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror of the real CIFAR-10."""
    return built(tmp_path_factory, "cifar10")
