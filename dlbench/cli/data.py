"""`dlbench data`: which datasets can be had here, and getting them before they are needed."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlbench.cli.console import as_json, complain, data, out, say
from dlbench.cli.options import Json, Mirror, Offline, Unofficial
from dlbench.cli.quantities import count, size

if TYPE_CHECKING:
    from dlbench.plan.data import Candidate, DataOptions

Names = Annotated[list[str] | None, typer.Argument(help="Datasets; all when left out.", metavar="DATASET")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="List, fetch and verify datasets.")
    commands.command("list", epilog="Example: dlbench data list --json")(list_data)
    commands.command("fetch", epilog="Example: dlbench data fetch ag_news")(fetch)
    commands.command("verify", epilog="Example: dlbench data verify ag_news")(verify)
    app.add_typer(commands, name="data", epilog="Example: dlbench data list")


def list_data(
    json: Json = False, mirror: Mirror = None, offline: Offline = False, unofficial: Unofficial = False
) -> None:
    """List all datasets, their tasks, and where their files are now."""
    from rich.table import Table

    options, found = _candidates(None, mirror, offline, unofficial)
    rows = [_row(candidate, tasks, options) for candidate, tasks in found]
    if json:
        as_json(rows)
        return
    table = Table("dataset", "tasks", "here", "what it is", box=None, pad_edge=False)
    for row in rows:
        table.add_row(row["name"], ", ".join(row["tasks"]), row["here"], row["summary"])
    out().print(table)


def _row(candidate: "Candidate", tasks: list[str], options: "DataOptions") -> dict[str, Any]:
    from dlbench.catalog import Catalog
    from dlbench.plan.data import located

    files = [status.model_dump(mode="json") for status in located(candidate.files, options)]
    here = "built-in"
    if candidate.files:
        whole = {
            place: [s["state"] for s in files if s["place"] == place and s["state"] != "missing"]
            for place in ("cache", "mirror")
        }
        complete = [place for place, states in whole.items() if len(states) == len(candidate.files)]
        here = ", ".join(f"{p}{' (unofficial)' if 'other' in whole[p] else ''}" for p in complete) or "no"
    summary = Catalog().summary("datasets", candidate.name)
    return {"name": candidate.name, "tasks": tasks, "here": here, "summary": summary, "files": files}


def fetch(names: Names = None, mirror: Mirror = None, offline: Offline = False, unofficial: Unofficial = False) -> None:
    """Make sure of datasets now, so that runs need no network: what no mirror folder has goes into the cache."""
    from dlbench.plan.data import choose

    options, found = _candidates(names, mirror, offline, unofficial)
    for candidate, _ in found:
        choice = choose([candidate], options, say)
        root = "nothing to fetch" if choice.data.root is None else str(choice.data.root)
        data(f"{candidate.name}: {choice.data.source}, {root}")


def verify(
    names: Names = None, mirror: Mirror = None, offline: Offline = False, unofficial: Unofficial = False
) -> None:
    """Read every file that is here and compare its digest with the official one."""
    from dlbench.plan.data import located

    options, found = _candidates(names, mirror, offline, unofficial)
    seen = wrong = 0
    for candidate, _ in found:
        for status in located(candidate.files, options, fresh=True):
            if status.state == "missing":
                continue
            seen += 1
            extent = "" if status.size is None else f", {size(status.size)}"
            data(f"{candidate.name}: {status.path}: {status.state}{extent}")
            wrong += status.state in ("other", "unreadable")
    if not seen:
        say("none of these files is here, neither in the cache nor in a folder mirror")
    if wrong:
        complain(f"{count(wrong, 'file')} not as officially published")
        raise typer.Exit(1)


def _candidates(
    names: list[str] | None, mirror: str | None, offline: bool, unofficial: bool
) -> tuple["DataOptions", list[tuple["Candidate", list[str]]]]:
    """Options, and the named datasets with the tasks that each serves."""
    from dlbench.catalog import Catalog
    from dlbench.cli.wiring import answered, data_options, describing
    from dlbench.plan.data import Candidate

    catalog = Catalog()
    chosen = names or list(catalog.names("datasets"))
    for name in chosen:
        catalog.require("datasets", name)
    with describing() as (_, describe):
        answers = describe([{"what": "module", "shelf": "datasets", "name": name} for name in chosen])
    found = [
        (Candidate(name=name, files=a["files"], params=a["defaults"], revision=a["revision"]), list(a["tasks"]))
        for name, a in zip(chosen, map(answered, answers), strict=True)
    ]
    return data_options(mirror, offline, unofficial), found
