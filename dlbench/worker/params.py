"""Parameters as a suite gives them → complete parameters, or what is wrong with them."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from dlbench.catalog import Catalog, Shelf


def check_params(
    catalog: Catalog, shelf: Shelf, name: str, preset: str | None, params: Mapping[str, Any]
) -> dict[str, Any]:
    """Complete parameters (preset first, the given ones over it), or the errors with their places."""
    module = catalog.load(shelf, name)
    base = dict(module.PRESETS[preset]) if preset is not None else {}
    try:
        complete = module.Params.model_validate(base | dict(params))
    except ValidationError as error:
        problems = [
            {"loc": list(e["loc"]), "message": e["msg"], "type": e["type"]} for e in error.errors(include_url=False)
        ]
        return {"params": None, "errors": problems}
    return {"params": complete.model_dump(mode="json"), "errors": []}
