"""`dlbench list` and `dlbench show`: what there is to put into a suite."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlbench.cli.console import as_json, data, out
from dlbench.cli.options import STORE, Json, Mirror, Offline, Store, Unofficial
from dlbench.errors import UsageError

if TYPE_CHECKING:
    from dlbench.catalog import Shelf
    from dlbench.plan.describe import Describer


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("list", epilog="Example: dlbench list models")(list_shelf)
    app.command("show", epilog="Example: dlbench show model lstm hidden_size=256 --json")(show)


def list_shelf(
    shelf: Annotated[str | None, typer.Argument(help="models, tasks, datasets, …; all when left out.")] = None,
    json: Json = False,
) -> None:
    """List models, tasks, datasets and everything else that a suite can name."""
    from dlbench.catalog import SHELVES, Catalog, did_you_mean

    catalog = Catalog()
    if shelf is not None and shelf not in SHELVES:
        raise UsageError(f"there is no shelf {shelf!r}.{did_you_mean(shelf, SHELVES)} There are {', '.join(SHELVES)}.")
    chosen = SHELVES if shelf is None else tuple(s for s in SHELVES if s == shelf)
    found = {s: {name: catalog.summary(s, name) for name in catalog.names(s)} for s in chosen}
    if json:
        as_json(found if shelf is None else found[chosen[0]])
        return
    for name_of_shelf, entries in found.items():
        if shelf is None and entries:
            data(f"{name_of_shelf}:")
        width = max(map(len, entries), default=0)
        for name, summary in entries.items():
            data(f"{'  ' if shelf is None else ''}{name:<{width}}  {summary}")


def show(
    kind: Annotated[str, typer.Argument(help="model, task, dataset, meter, …; or best: what a search found.")],
    name: Annotated[str, typer.Argument(help="A name from `dlbench list`; for best a suite.")],
    settings: Annotated[
        list[str] | None, typer.Argument(help="For a model: parameters, preset=NAME.", metavar="KEY=VALUE")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Size the model for this dataset, not for its paper's.")] = None,
    mirror: Mirror = None,
    offline: Offline = False,
    unofficial: Unofficial = False,
    yaml: Annotated[bool, typer.Option("--yaml", help="For best: a suite with the values that were found.")] = False,
    store: Store = STORE,
    json: Json = False,
) -> None:
    """Show one model (its size and price in operations), task, dataset, …, or the best that a search found."""
    if kind == "best":
        from dlbench.cli.best import show_best

        if settings or dataset:
            raise UsageError(f"`show best {name}` takes no settings and no dataset")
        show_best(name, store, json=json, yaml=yaml)
        return
    if yaml:
        raise UsageError("only `dlbench show best SUITE` can be a suite (--yaml)")
    from dlbench.catalog import SINGULAR, Catalog, did_you_mean
    from dlbench.cli.wiring import answered, data_options, describing, parse_assignments

    shelf = next((plural for plural, singular in SINGULAR.items() if kind in (singular, plural)), None)
    if shelf is None:
        known = [*SINGULAR.values(), "best"]
        raise UsageError(f"there is no kind {kind!r}.{did_you_mean(kind, known)} There are {', '.join(known)}.")
    if settings and shelf != "models":
        raise UsageError(f"only a model takes settings; {kind} {name!r} was given {' '.join(settings)}")
    catalog = Catalog()
    catalog.require(shelf, name)
    with describing() as (_, describe):
        module = answered(describe([{"what": "module", "shelf": shelf, "name": name}])[0]) if shelf in DESCRIBED else {}
        if shelf == "strategies":
            params = catalog.load(shelf, name).Params
            module = {"schema": params.model_json_schema(), "defaults": params().model_dump(mode="json")}
        facts: dict[str, Any] = {"name": name, "summary": catalog.summary(shelf, name), **module}
        if shelf == "models":
            given = parse_assignments(settings or [])
            request = {"what": "show", "name": name, "preset": given.pop("preset", None), "params": given}
            if dataset is not None:
                request["dataset"] = _sized_for(dataset, describe, data_options(mirror, offline, unofficial))
            searched = {**request, "what": "space"}
            shown, space = describe([request, searched])
            facts = {"summary": facts["summary"], **answered(shown), "schema": module["schema"], **space}
    if json:
        as_json(facts)
    else:
        _print(shelf, facts)


DESCRIBED = ("models", "tasks", "datasets", "meters")


def _sized_for(name: str, describe: "Describer", options: Any) -> dict[str, Any]:
    """A dataset as `show` needs it: had, with the task that it serves first."""
    from dlbench.catalog import Catalog
    from dlbench.cli.wiring import answered
    from dlbench.plan.data import Candidate, choose

    Catalog().require("datasets", name)
    module = answered(describe([{"what": "module", "shelf": "datasets", "name": name}])[0])
    candidate = Candidate(name=name, files=module["files"], params=module["defaults"], revision=module["revision"])
    copy = choose([candidate], options).data
    return {
        "name": name,
        "params": module["defaults"],
        "root": None if copy.root is None else str(copy.root),
        "digest": copy.digest,
        "task": module["tasks"][0],
    }


def _print(shelf: "Shelf", facts: dict[str, Any]) -> None:
    from rich.table import Table

    console = out()
    console.print(facts["summary"])
    for key in ("parameters", "trainable_parameters", "buffers", "flops_per_sample"):
        if key in facts:
            console.print(f"{key.replace('_', ' ')}: {facts[key]:,.0f}")
    if "signature" in facts:
        console.print(f"built for: {facts['signature']}")
    for key in ("presets", "datasets", "tasks"):
        if facts.get(key):
            console.print(f"{key}: {', '.join(facts[key])}")
    if facts.get("files"):
        console.print("files:")
        for file in facts["files"]:
            console.print(f"  {file['folder']}/{file['name']}  {file['url']}")
    if facts.get("space"):
        console.print("searched by `model.*: own`:")
        for name, axis in facts["space"].items():
            console.print(f"  model.{name}: {axis}")
    properties = facts.get("schema", {}).get("properties", {})
    if properties:
        table = Table("parameter", "value" if shelf == "models" else "default", "meaning", box=None, pad_edge=False)
        values = facts["params"] if shelf == "models" else facts["defaults"]
        for key, field in properties.items():
            table.add_row(key, str(values.get(key)), field.get("description", ""))
        console.print(table)
