"""`finpipe build`, `report` and `sql`: make the tables, and read them."""

from __future__ import annotations

from typing import Annotated

import typer

from finpipe.cli import dates, show

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsOf = Annotated[str | None, typer.Option(help="Show what was known then: an instant such as 2013-02-08T23:00:00Z.")]


def build(*, json: Json = False) -> None:
    """Bring every table up to date with what was fetched: staging, core, metrics, reports."""
    from finpipe.pipeline.build import build_all
    from finpipe.pipeline.workspace import Workspace
    from finpipe.settings import Settings

    steps = build_all(Workspace.open(Settings.read()))
    if json:
        show.as_json([{"step": name, **metadata} for name, metadata in steps])
        return
    for name, metadata in steps:
        typer.echo(f"{name:45} " + "  ".join(f"{key}={value}" for key, value in metadata.items() if key != "table"))


def report(
    name: Annotated[str, typer.Argument(help="market_summary, movers, insights or data_health.")],
    *,
    as_of: AsOf = None,
    history: Annotated[bool, typer.Option("--history", help="Every session, not only the newest.")] = False,
    json: Json = False,
) -> None:
    """Show a report: its newest session, as known now or at an earlier instant."""
    from finpipe.pipeline.report import read_report
    from finpipe.pipeline.workspace import Workspace
    from finpipe.settings import Settings

    moment = dates.instant(as_of) if as_of else None
    shown = read_report(Workspace.open(Settings.read()), name, as_of=moment, history=history)
    if json:
        show.as_json(shown.as_json())
        return
    show.table(shown.for_people(), f"{name} ({shown.basis})")


def sql(
    query: Annotated[str, typer.Argument(help="A select over the tables; `show tables` lists them.")],
    *,
    as_of: AsOf = None,
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Ask the tables in SQL (DuckDB)."""
    from finpipe.pipeline.workspace import Workspace
    from finpipe.settings import Settings
    from finpipe.stores.sql import SqlEngine

    if json and csv:
        raise typer.BadParameter("give --json or --csv, not both")
    workspace = Workspace.open(Settings.read())
    frame = SqlEngine(workspace.lake, as_of=dates.instant(as_of) if as_of else None).query(query)
    if json:
        show.as_json(frame.to_dicts())
    elif csv:
        show.as_csv(frame)
    else:
        show.table(frame)
