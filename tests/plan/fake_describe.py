"""A small shelf of plugin files, and a describe that answers about it as the process with torch would."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from dlbench.schema.base import Params


class Sorting(Params):
    max_length: int = Field(64, ge=1)


class Drawing(Params):
    pass


class Digits(Params):
    length: int = Field(60, ge=2, le=1000)
    seed: int = 0


class Net(Params):
    hidden_size: int = Field(64, gt=0)
    layers: int = Field(1, ge=1, le=8)
    dropout: float = Field(0.0, ge=0, lt=1)
    pooling: Literal["last", "mean", "max"] = "last"


class Attention(Params):
    size: int = 64
    heads: int = Field(4, gt=0)
    norm: bool = True
    positions: int | Literal["none"] | None = None

    @model_validator(mode="after")
    def _divides(self) -> "Attention":
        if self.size % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide size ({self.size})")
        return self


SHELF: dict[tuple[str, str], dict[str, Any]] = {
    ("tasks", "sorting"): {
        "params": Sorting,
        "datasets": ["words", "digits"],
        "scores": {"accuracy": "higher", "ece": "lower", "loss": "lower"},
    },
    ("tasks", "drawing"): {"params": Drawing, "datasets": ["shapes"]},
    ("datasets", "words"): {"params": Drawing, "tasks": ["sorting"], "files": []},
    ("datasets", "digits"): {"params": Digits, "tasks": ["sorting"], "files": []},
    ("datasets", "shapes"): {"params": Drawing, "tasks": ["drawing"], "files": []},
    ("models", "net"): {
        "params": Net,
        "presets": {"net2": {"layers": 2}, "small": {"hidden_size": 8}},
        "space": {"layers": {"low": 1, "high": 4}, "pooling": ["last", "mean"]},
    },
    ("models", "wide"): {"params": Net, "presets": {}},
    ("models", "attention"): {"params": Attention, "presets": {}},
    ("models", "painter"): {"params": Drawing, "presets": {}},
    ("models", "broken"): {},
}
PLUGINS = (
    "plugins: {"
    + ", ".join(
        f"{shelf}: [{', '.join(f'{name}.py' for own, name in SHELF if own == shelf)}]"
        for shelf in ("tasks", "datasets", "models")
    )
    + "}\n"
)
"""The line of a suite that puts the shelf's files on the shelves."""


def make_files(folder: Path) -> None:
    """The plugin files; nobody imports them."""
    for shelf, name in SHELF:
        (folder / f"{name}.py").write_text(f'"""The {name} of the {shelf}."""\n')


class FakeDescribe:
    """Answers from `SHELF`; counts its calls."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def __call__(self, requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        self.calls.append(len(requests))
        return [getattr(self, f"_{request['what']}")(request) for request in requests]

    def _module(self, request: dict[str, Any]) -> dict[str, Any]:
        module = SHELF.get((request["shelf"], request["name"]))
        if not module:
            return {"error": "ImportError: no module named 'nothing'\n  in line 3"}
        params = module["params"]
        about = {"revision": 1, "schema": params.model_json_schema(), "defaults": params().model_dump(mode="json")}
        return about | {key: value for key, value in module.items() if key != "params"}

    def _params(self, request: dict[str, Any]) -> dict[str, Any]:
        module = SHELF[request["shelf"], request["name"]]
        preset = module["presets"][request["preset"]] if request["preset"] else {}
        try:
            params = module["params"].model_validate({**preset, **request["params"]})
        except ValidationError as error:
            errors = [{"loc": list(e["loc"]), "message": e["msg"], "type": e["type"]} for e in error.errors()]
            return {"params": None, "errors": errors}
        return {"params": params.model_dump(mode="json"), "errors": []}

    def _pair(self, request: dict[str, Any]) -> dict[str, Any]:
        if not SHELF["models", request["model"]["name"]]:
            return {"error": "ImportError: no module named 'nothing'"}
        draws = request["task"]["name"] == "drawing"
        offers = "vector → image" if draws else "tokens → tokens"
        return {"accepts": (request["model"]["name"] == "painter") == draws, "offers": offers}

    def _space(self, request: dict[str, Any]) -> dict[str, Any]:
        module = SHELF.get(("models", request["name"])) or {}
        return {"space": module.get("space", {})}
