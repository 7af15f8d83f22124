"""`dlbench doctor`: what this installation and this machine can and cannot do."""

from pathlib import Path
from typing import Any

import typer

from dlbench.cli.console import as_json, data
from dlbench.cli.options import STORE, Json, Store
from dlbench.cli.quantities import size


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: dlbench doctor")(doctor)


def doctor(store: Store = STORE, json: Json = False) -> None:
    """Say what this machine has, which precisions run where, what is in the store and what MLflow lacks."""
    from dlbench.cli.wiring import answered, describing

    with describing() as (_, describe):
        here = answered(describe([{"what": "machine"}])[0])
    facts = {**here, "store": _store(store), "mlflow": _mlflow(store), "data": _data()}
    if json:
        as_json(facts)
        return
    machine = facts["machine"]
    data(f"machine    {machine['cpu']}, {machine['cores']} cores, {size(machine['memory_bytes'])}, {machine['os']}")
    for gpu in machine["gpus"]:
        data(f"GPU        {gpu['name']}, {size(gpu['memory_bytes'])}, capability {gpu['capability']}")
    if not machine["gpus"]:
        data("GPU        none that this torch can use")
    for device, precisions in facts["devices"].items():
        can = [name for name, reason in precisions.items() if reason is None]
        data(f"{device:<10} can {', '.join(can)}")
        for name, reason in precisions.items():
            if reason is not None:
                data(f"{'':<10} cannot {name}: {reason}")
    data(f"versions   {', '.join(f'{name} {version}' for name, version in facts['versions'].items())}")
    for key in ("store", "mlflow", "data"):
        data(f"{key:<10} {facts[key]['summary']}")


def _store(path: Path) -> dict[str, Any]:
    from dlbench.errors import StoreError
    from dlbench.store.folder import Store as Folder

    try:
        suites = Folder.open(path, create=False).suites()
    except StoreError as error:
        return {"summary": str(error)}
    return {"summary": f"{path}: suites {', '.join(suites) or 'none yet'}", "suites": suites}


def _mlflow(path: Path) -> dict[str, Any]:
    from dlbench.errors import StoreError
    from dlbench.store.address import available, shown, tracking_uri
    from dlbench.store.folder import Store as Folder
    from dlbench.store.pending import pending_count

    uri = tracking_uri(Path.cwd())
    if not available():
        return {"summary": "not installed; runs and reports do not need it", "uri": None}
    try:
        pending = pending_count(Folder.open(path, create=False), uri)
    except StoreError:
        pending = 0
    return {"summary": f"{shown(uri)}: {pending} runs pending", "uri": shown(uri), "pending": pending}


def _data() -> dict[str, Any]:
    from dlbench.cli.wiring import data_options

    options = data_options(None, False, False)
    mirror = options.mirror or "none"
    network = "not used" if options.offline else "used where a file is missing"
    summary = f"cache {options.cache}; mirror {mirror}; network {network}"
    return {"summary": summary, "cache": str(options.cache), "mirror": options.mirror, "offline": options.offline}
