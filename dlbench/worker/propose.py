"""One answer of a strategy that needs torch: its study is brought back from its history, then it is asked."""

from typing import Any

from dlbench.catalog import Catalog
from dlbench.schema.search import Objective
from dlbench.schema.space import Space
from dlbench.schema.study import Told


def propose(catalog: Catalog, request: dict[str, Any]) -> dict[str, Any]:
    """`{"proposal": …}`, or None in its place: nothing more for now.

    Args:
        catalog: the shelves.
        request: name, params, space, objectives and seed of the study's strategy; `history` of `["asked", number,
            point, seed]` and `["told", number, told]`; `number` and `now`, the seed, of the candidate that is wanted.
    """
    module = catalog.load("strategies", request["name"])
    objectives = [Objective.model_validate(objective) for objective in request["objectives"]]
    params = module.Params.model_validate(request["params"])
    strategy = module.build(params, Space.model_validate(request["space"]), objectives, request["seed"])
    for kind, number, *rest in request["history"]:
        if kind == "asked":
            strategy.asked(number, rest[0], rest[1])
        else:
            strategy.tell(number, Told.model_validate(rest[0]))
    proposal = strategy.ask(request["number"], request["now"])
    return {"proposal": None if proposal is None else proposal.model_dump(mode="json")}
