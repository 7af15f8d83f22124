"""How to open MLflow's own pages on the tracking store that dlbench writes to; starts nothing, imports no mlflow."""

import sys
from collections.abc import Mapping

from dlbench.store.address import database
from dlbench.store.sync import QUIET

# Eight processes that judge agents' traces; nothing here asks them to.
NO_JOB_RUNNERS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def ui_address(uri: str) -> str | None:
    """The address to open when a server is there already; None: one must be started."""
    return uri if uri.startswith(("http://", "https://")) else None


def ui_command(uri: str, host: str = "127.0.0.1", port: int = 5000) -> list[str]:
    """Command line of a server with MLflow's pages on a tracking store of this machine, or a database.

    Args:
        uri: absolute tracking URI that is not a server's address.
    """
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri]
    file = database(uri)
    if file is not None:
        # Beside the database, wherever the server is started: where it would be by default if started there.
        command += ["--artifacts-destination", str(file.parent / "mlartifacts")]
    return [*command, "--host", host, "--port", str(port), "--workers", "1"]


def ui_page(address: str) -> str:
    """The page to open first: experiments, with MLflow's pages for training chosen rather than those for agents."""
    return f"{address.rstrip('/')}/#/experiments?workflowType=machine_learning"


def ui_environment(uri: str) -> Mapping[str, str]:
    """What `ui_command` wants in its environment."""
    return {**QUIET, **NO_JOB_RUNNERS, **({"MLFLOW_ALLOW_FILE_STORE": "true"} if uri.startswith("file:") else {})}
