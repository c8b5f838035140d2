"""`finpipe fetch`: pull what is missing, at each source's own pace."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from finpipe.cli import dates, show

if TYPE_CHECKING:
    from rich.progress import TaskID

    from finpipe.fetch import FetchOutcome, Progress
    from finpipe.pipeline.workspace import Workspace


def fetch(
    datasets: Annotated[list[str], typer.Argument(metavar="SOURCE[/DATASET]...")],
    *,
    partition: Annotated[str | None, typer.Option(help="One day: 2013-02-08.")] = None,
    range_: Annotated[str | None, typer.Option("--range", help="Days A..B, both included.")] = None,
    last: Annotated[str | None, typer.Option(help="So many days or weeks up to today: 14d, 2w.")] = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask again for what is there.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fetch what days of sources lack, their cooldowns side by side.

    Exit 0: all there. Exit 3: something waits or failed, and the ledger knows it.
    """
    from finpipe.logs import configure
    from finpipe.pipeline.fetch import fetch_partitions
    from finpipe.pipeline.workspace import Workspace
    from finpipe.settings import Settings

    settings = Settings.read()
    workspace = Workspace.open(settings)
    configure(settings.log_level, workspace.redactor())
    chosen = [pair for name in datasets for pair in workspace.catalogue.select(name)]
    selection = list({(source.name, dataset.name): (source, dataset) for source, dataset in chosen}.values())
    days = _days(workspace, partition, range_, last)
    with _progress(quiet=json) as on_progress:
        outcomes = asyncio.run(
            fetch_partitions(workspace, selection, days, refresh=refresh, run="cli", on_progress=on_progress)
        )
    if json:
        show.as_json([asdict(outcome) for outcome in outcomes])
    else:
        for outcome in outcomes:
            _tell(outcome)
    if workspace.sandbox and any("connect" in error for outcome in outcomes for error in outcome.errors):
        typer.echo("Does the sandbox of this home run? Start it with `finpipe sandbox`, or use `make up`.", err=True)
    if not all(outcome.is_complete for outcome in outcomes):
        raise typer.Exit(3)


def _days(workspace: Workspace, partition: str | None, range_: str | None, last: str | None) -> list[date]:
    if sum(option is not None for option in (partition, range_, last)) != 1:
        raise typer.BadParameter("give one of --partition, --range, --last")
    if partition is not None:
        return [dates.day(partition)]
    if range_ is not None:
        return dates.days_between(*dates.span(range_))
    return dates.days_between(*dates.last(last or "", workspace.clock.now().date()))


def _tell(outcome: FetchOutcome) -> None:
    name = f"{outcome.source}/{outcome.dataset}"
    typer.echo(
        f"{name}: {outcome.asked} days asked ({outcome.no_session} no session, {outcome.not_due} not due), "
        f"{outcome.covered} had already, {outcome.sent} sent, {outcome.done} of {outcome.requests} requests done"
    )
    if outcome.parked:
        typer.echo(f"{name}: {outcome.parked} parked until {outcome.parked_until}")
    for error in outcome.errors:
        typer.echo(f"{name}: {error}", err=True)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[Progress], None] | None]:
    """A bar a dataset on the terminal; nothing where none is looking."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[said]}"),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def on_progress(progress: Progress) -> None:
            name = f"{progress.source}/{progress.dataset}"
            if name not in tasks:
                tasks[name] = bars.add_task(name, said="")
            said = f"{progress.sent} sent, {progress.bytes / 1024:,.0f} KiB {progress.last_outcome}"
            bars.update(tasks[name], total=progress.requests, completed=progress.finished, said=said)

        yield on_progress
