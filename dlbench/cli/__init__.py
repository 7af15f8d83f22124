"""The command line: typer and rich; the only place that prints."""
