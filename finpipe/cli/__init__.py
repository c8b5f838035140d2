"""The command line: one file a group of commands. Reads options, calls a step, prints. No calculation.

Heavy libraries are imported inside the commands, so that `finpipe --help` answers at once.
"""

from __future__ import annotations

import sys

import typer

from finpipe.cli import data, demo, fetch, sandbox, sources, up
from finpipe.errors import FinpipeError, UserError

app = typer.Typer(
    name="finpipe",
    help="A self-hosted, point-in-time market-data platform.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(sources.app, name="sources")
app.command(name="fetch")(fetch.fetch)
app.command(name="build")(data.build)
app.command(name="report")(data.report)
app.command(name="sql")(data.sql)
app.command(name="sandbox")(sandbox.sandbox)
app.command(name="demo")(demo.demo)
app.command(name="up")(up.command)


def main() -> None:
    """Run a command. What the user can mend is one line on standard error and exit code 2."""
    try:
        app()
    except UserError as error:
        print(f"finpipe: {error}", file=sys.stderr)
        sys.exit(2)
    except FinpipeError as error:
        print(f"finpipe: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:  # `finpipe sql ... | head` has read enough
        sys.stderr.close()
        sys.exit(0)
