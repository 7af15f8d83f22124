"""The command line's table of contents. Commands import what they need when they run, so that `--help` is quick."""

from typing import Annotated

import typer

from dlbench.cli import calibrate, compare, data, doctor, report, results, run, shelves, start, tracking, verify

app = typer.Typer(
    name="dlbench",
    help="Which deep learning model should I use for this task, on this hardware, and what does it cost?",
    epilog="Begin with: dlbench run suites/quickstart.yaml",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from dlbench import __version__

        typer.echo(f"dlbench {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Which deep learning model should I use for this task, on this hardware, and what does it cost?"""


for module in (run, results, report, compare, shelves, data, tracking, start, calibrate, verify, doctor):
    module.register(app)
