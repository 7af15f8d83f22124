"""What is on the shelves: answers about modules, parameters and this machine, for a parent that has no torch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dlbench.catalog import Catalog
from dlbench.errors import DlbenchError
from dlbench.worker import machine, show
from dlbench.worker.build import set_threads
from dlbench.worker.check import check
from dlbench.worker.data import BoundDataset
from dlbench.worker.params import check_params
from dlbench.worker.propose import propose


def describe(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Answer every request; a request that cannot be answered gets `{"error": message}`.

    Requests: `{"what": "module", shelf, name}`, `{"what": "params", shelf, name, preset, params}`,
    `{"what": "pair", task, model}`, `{"what": "space", name, preset, params}` (what a model declares to be searched),
    `{"what": "show", name, preset, params, dataset}` (`dataset` is None or has name,
    params, root, digest and task), `{"what": "check", work}` (`dlbench.worker.check`), `{"what": "propose", …}`
    (`dlbench.worker.propose`), `{"what": "machine"}`, `{"what": "sensors", devices}` (`dlbench.worker.sensors`),
    `{"what": "calibrate", …}` (`dlbench.worker.calibrate`); the first four may carry `plugins`.
    """
    set_threads(1)
    built = iter(check([request["work"] for request in requests if request["what"] == "check"]))
    return [next(built) if request["what"] == "check" else _answer(request) for request in requests]


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    try:
        return ANSWERS[request["what"]](Catalog(request.get("plugins")), request)
    except DlbenchError as error:
        return {"error": str(error)}
    except Exception as error:  # a plugin can raise anything while it is imported
        return {"error": f"{type(error).__name__}: {error}"}


def _module(catalog: Catalog, request: dict[str, Any]) -> dict[str, Any]:
    module = catalog.load(request["shelf"], request["name"])
    answer: dict[str, Any] = {"revision": module.REVISION}
    if hasattr(module, "Params"):
        answer |= {"schema": module.Params.model_json_schema(), "defaults": module.Params().model_dump(mode="json")}
    if hasattr(module, "PRESETS"):
        answer["presets"] = {name: dict(params) for name, params in module.PRESETS.items()}
    if request["shelf"] == "datasets":
        answer["tasks"] = list(module.TASKS)
        answer["files"] = [file.model_dump(mode="json") for file in getattr(module, "FILES", ())]
    if request["shelf"] == "tasks":
        answer |= {"datasets": list(module.DATASETS), "scores": dict(module.SCORES)}
    if request["shelf"] == "meters":
        answer["phases"] = list(module.PHASES)
    return answer


def _params(catalog: Catalog, request: dict[str, Any]) -> dict[str, Any]:
    return check_params(catalog, request["shelf"], request["name"], request.get("preset"), request["params"])


def _pair(catalog: Catalog, request: dict[str, Any]) -> dict[str, Any]:
    task, model = request["task"], request["model"]
    module = catalog.load("tasks", task["name"])
    outline = module.outline(module.Params.model_validate(task["params"]))
    return {"accepts": bool(catalog.load("models", model["name"]).accepts(outline)), "offers": str(outline)}


def _space(catalog: Catalog, request: dict[str, Any]) -> dict[str, Any]:
    module = catalog.load("models", request["name"])
    if not hasattr(module, "space"):
        return {"space": {}}
    base = dict(module.PRESETS[request["preset"]]) if request.get("preset") else {}
    return {"space": dict(module.space(module.Params.model_validate(base | request["params"])))}


def _show(catalog: Catalog, request: dict[str, Any]) -> dict[str, Any]:
    signature = None
    if (given := request.get("dataset")) is not None:
        dataset = catalog.load("datasets", given["name"])
        bound = BoundDataset(
            dataset, dataset.Params(**given["params"]), given["root"] and Path(given["root"]), given["digest"]
        )
        task = catalog.load("tasks", given["task"])
        signature = task.build(task.Params(), bound).signature
    return show.show_model(catalog, request["name"], request.get("preset"), request["params"], signature)


def _machine(catalog: Catalog, request: dict[str, Any]) -> dict[str, Any]:
    return {"machine": machine.machine(), "versions": machine.versions(), "devices": machine.devices()}


def _calibrate(catalog: Catalog, request: dict[str, Any]) -> dict[str, Any]:
    from dlbench.worker.calibrate import calibrate  # with it come the parts of training, which other answers lack

    return calibrate(request)


def _sensors(catalog: Catalog, request: dict[str, Any]) -> dict[str, Any]:
    from dlbench.worker.sensors import sensors  # with it come the meters

    return sensors(request["devices"])


ANSWERS: dict[str, Callable[[Catalog, dict[str, Any]], dict[str, Any]]] = {
    "module": _module,
    "params": _params,
    "pair": _pair,
    "space": _space,
    "propose": propose,
    "show": _show,
    "machine": _machine,
    "calibrate": _calibrate,
    "sensors": _sensors,
}
