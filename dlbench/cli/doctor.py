"""`dlbench doctor`: what this installation and this machine can and cannot do, and what is measured of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from dlbench.cli.console import as_json, data
from dlbench.cli.options import STORE, Json, Store
from dlbench.cli.quantities import count, size


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: dlbench doctor")(doctor)


def doctor(store: Store = STORE, json: Json = False) -> None:
    """Say what can be run and measured here and what cannot, whether the machine is quiet, and what is kept of it."""
    from dlbench.cli.wiring import answered, describing

    with describing() as (warm, describe):
        here = answered(describe([{"what": "machine"}])[0])
        (seen,) = warm.describe([{"what": "sensors", "devices": list(here["devices"])}])  # not what it saw last time
    facts = {**here, "sensors": answered(seen), "calibrations": _calibrations(here)}
    facts |= {"store": _store(store), "mlflow": _mlflow(store), "data": _data()}
    if json:
        as_json(facts)
        return
    for name, text in _lines(facts):
        data(f"{name:<10} {text}")


def _lines(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What is said, each with the word before it."""
    machine, sensors = facts["machine"], facts["sensors"]
    yield "machine", f"{machine['cpu']}, {machine['cores']} cores, {size(machine['memory_bytes'])}, {machine['os']}"
    for gpu in machine["gpus"]:
        yield "GPU", f"{gpu['name']}, {size(gpu['memory_bytes'])}, capability {gpu['capability']}"
    if not machine["gpus"]:
        yield "GPU", "none that this torch can use"
    for device, precisions in facts["devices"].items():
        yield device, f"can {', '.join(name for name, reason in precisions.items() if reason is None)}"
        for name, reason in precisions.items():
            if reason is not None:
                yield "", f"cannot {name}: {reason}"
    for word, can in (("can", True), ("cannot", False)):
        for each in sensors["abilities"]:
            if each["can"] is can:
                yield word, f"{each['what']}: {each['why']}"
    yield "now", _now(sensors["now"])
    waiting = ", ".join(f"{name}={value}" for name, value in sensors["waiting"].items())
    yield "threads", f"cost jobs take {count(machine['cores'], 'thread')} unless a suite says otherwise; {waiting}"
    for device, kept in facts["calibrations"].items():
        yield "calibrated", f"{device}: {_calibrated(kept)}"
    yield "versions", ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    for key in ("store", "mlflow", "data"):
        yield key, facts[key]["summary"]


def _now(now: dict[str, Any]) -> str:
    """Whether the machine is quiet."""
    busy = dict.fromkeys(what for seen in now.values() if isinstance(seen, dict) for what in seen["disturbances"])
    cores = now["cpu"].get("foreign_cores") or 0.0
    swap = f"{size(now['swap_bytes'])} of swap in use" if now["swap_bytes"] else "no swap in use"
    free = f"a job can get {size(now['available_bytes'])}"
    return f"{'; '.join(busy) or 'quiet'} (others: {cores:.2f} cores); {free}, {swap}"


def _calibrations(here: dict[str, Any]) -> dict[str, dict[str, Any] | None]:
    """Device → what is kept of it with all cores' threads; None: nothing."""
    from dlbench.cli.calibrations import load_calibration

    at = {"torch": here["versions"]["torch"], "threads": int(here["machine"]["cores"])}
    kept = {device: load_calibration(here["machine"], device, **at) for device in here["devices"]}
    return {
        device: None if found is None else found.model_dump(mode="json", by_alias=True)
        for device, found in kept.items()
    }


def _calibrated(kept: dict[str, Any] | None) -> str:
    if kept is None:
        return "none: `dlbench calibrate`"
    when = f"rates of {kept['measured_at']:.10}"
    if kept["noise"] is None:
        return f"{when}; no noise floor: `dlbench calibrate`"
    floors = ", ".join(f"{name} {floor:.1%}" for name, floor in kept["noise"]["metrics"].items())
    disturbed = "".join(f"; {flag}" for flag in kept["noise"]["flags"])
    return f"{when}; noise floor of {kept['noise']['measured_at']:.10}: {floors}{disturbed}"


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
