"""Arguments and options that several commands share: name, environment variable and help exist once."""

from pathlib import Path
from typing import Annotated

import typer

Suite = Annotated[str, typer.Argument(help="A suite file, or the name of a suite in the store.", metavar="SUITE")]
SuiteFile = Annotated[Path, typer.Argument(help="The suite file.", metavar="SUITE")]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(help="Settings that replace the suite's: train.epochs=1 seeds=3", metavar="KEY=VALUE"),
]
Store = Annotated[
    Path, typer.Option("--store", envvar="DLBENCH_STORE", help="Folder of jobs and records.", show_default=True)
]
Offline = Annotated[bool, typer.Option("--offline", help="Never touch the network. Also DLBENCH_OFFLINE=1.")]
Mirror = Annotated[
    str | None,
    typer.Option("--mirror", help="Folder or http base that holds <dataset>/<file>. Also DLBENCH_DATA_MIRROR."),
]
Unofficial = Annotated[
    bool,
    typer.Option(
        "--unofficial-data",
        help="Use mirrored files whose digest is not the official one; plan, record and report say so. "
        "Also DLBENCH_UNOFFICIAL_DATA=1.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Data as JSON on stdout.")]
Smoke = Annotated[
    bool,
    typer.Option("--smoke", help="Each task and model once, a few steps, in a temporary store: does it work at all?"),
]
Out = Annotated[Path | None, typer.Option("--out", help="Folder of the report; default reports/<suite>.")]
ReResolve = Annotated[
    bool, typer.Option("--re-resolve", help="Choose datasets anew instead of the ones that this suite used before.")
]

STORE = Path(".dlbench")
"""Default of `--store`, below the working folder."""
