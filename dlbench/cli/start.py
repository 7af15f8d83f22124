"""`dlbench init` and `dlbench schema`: a suite to begin with, and help for the editor."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from dlbench.cli.console import as_json, say
from dlbench.errors import EnvironmentFault, UsageError


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: dlbench init suites/mine.yaml")(init)
    app.command(epilog="Example: dlbench schema --out suites/.schema.json")(schema)


def init(
    path: Annotated[Path, typer.Argument(help="The suite file to write.")] = Path("suites/my_suite.yaml"),
    task: Annotated[str, typer.Option(help="A task from `dlbench list tasks`.")] = "text_classification",
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Write a commented suite that runs as it is, and a schema beside it for the editor."""
    import json
    import re

    from dlbench.catalog import Catalog
    from dlbench.cli.wiring import describing
    from dlbench.plan.jsonschema import suite_schema
    from dlbench.plan.starter import starter_suite

    Catalog().require("tasks", task)
    if path.exists() and not force:
        raise UsageError(f"{path} exists; --force overwrites it")
    name = re.sub(r"[^a-z0-9_-]+", "_", path.stem.lower()).strip("_") or "my_suite"
    beside = path.parent / ".dlbench.schema.json"
    with describing() as (_, describe):
        text = starter_suite(name, task, beside.name, Catalog(), describe, shlex.quote(str(path)))
        _write(beside, json.dumps(suite_schema(Catalog(), describe), indent=1))
    _write(path, text)
    say(f"wrote {path} and {beside}; next: dlbench run {shlex.quote(str(path))}")


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise EnvironmentFault(f"{path} cannot be written: {error.strerror}") from error


def schema(
    out: Annotated[Path | None, typer.Option("--out", help="Write to this file instead of stdout.")] = None,
) -> None:
    """Print the JSON Schema of suite files, for completion and checks in an editor."""
    import json

    from dlbench.catalog import Catalog
    from dlbench.cli.wiring import describing
    from dlbench.plan.jsonschema import suite_schema

    with describing() as (_, describe):
        found = suite_schema(Catalog(), describe)
    if out is None:
        as_json(found)
        return
    _write(out, json.dumps(found, indent=1))
    say(f"wrote {out}; put `# yaml-language-server: $schema={out.name}` on the first line of a suite beside it")
