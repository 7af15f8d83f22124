"""`dlbench ui` and `dlbench sync`: the results in MLflow."""

from functools import cache
from pathlib import Path
from typing import Annotated

import typer

from dlbench.cli.console import as_json, complain, say
from dlbench.cli.options import STORE, Json, Store
from dlbench.cli.quantities import count
from dlbench.errors import EnvironmentFault, UsageError

NO_MLFLOW = "mlflow is not installed; `pip install mlflow` brings it. The store and the report do not need it."


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: dlbench ui --port 5001")(ui)
    app.command(epilog="Example: MLFLOW_TRACKING_URI=http://tracking:5000 dlbench sync")(sync)


def ui(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at.")] = 5000,
) -> None:
    """Open the MLflow UI on the right store: MLFLOW_TRACKING_URI, or mlflow.db in this folder."""
    import os

    from dlbench.store.address import available, database, tracking_uri
    from dlbench.store.ui import ui_address, ui_command, ui_environment, ui_page

    uri = tracking_uri(Path.cwd())
    address = ui_address(uri)
    if address is not None:
        say(f"the MLflow UI is at {ui_page(address)}")
        return
    if not available():
        raise EnvironmentFault(NO_MLFLOW)
    if (file := database(uri)) is not None and not file.exists():
        raise UsageError(
            f"{file}: there is no such database yet. `dlbench run SUITE` makes it, `dlbench sync` fills it from a "
            "store; or call this in the folder of a run, or set MLFLOW_TRACKING_URI."
        )
    say(f"the MLflow UI on {uri}: {ui_page(f'http://{host}:{port}')} (Ctrl-C ends it)")
    command = ui_command(uri, host, port)
    os.execve(command[0], command, {**os.environ, **ui_environment(uri)})


def sync(
    suite: Annotated[list[str] | None, typer.Argument(help="Suites; all when left out.", metavar="SUITE")] = None,
    store: Store = STORE,
    json: Json = False,
) -> None:
    """Bring everything in the store that MLflow does not have yet into MLflow; again changes nothing."""
    from dlbench.cli.wiring import suite_name
    from dlbench.store.address import available, shown, tracking_uri
    from dlbench.store.folder import Store as Folder
    from dlbench.store.sync import sync as bring
    from dlbench.worker.lock import lock_dir

    if not available():
        raise EnvironmentFault(NO_MLFLOW)
    folder = Folder.open(store, create=False)
    names = [suite_name(folder, name) for name in suite or []] or None
    uri = tracking_uri(Path.cwd())
    told = cache(lambda: say("waiting until no measurement runs here"))
    report = bring(folder.root, uri, suites=names, lock_dir=lock_dir(), on_wait=told)
    if json:
        as_json(report.model_dump(mode="json"))
    elif report.error is None:
        say(f"{count(report.created, 'run')} new, {report.updated} completed in MLflow at {shown(uri)}")
    if report.error is not None:
        complain(report.error)
        raise typer.Exit(EnvironmentFault.exit_code)
