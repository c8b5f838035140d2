"""The fetch step: what is asked for and not there yet is fetched, at each source's own pace."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from datetime import date

from finpipe.errors import UserError
from finpipe.fetch import ApiManager, Ask, FetchOutcome, Progress
from finpipe.pipeline.workspace import Workspace
from finpipe.sources.spec import UNIVERSE, Dataset, Source

Selection = Sequence[tuple[Source, Dataset]]


async def fetch_partitions(
    workspace: Workspace,
    selection: Selection,
    days: Sequence[date],
    *,
    refresh: bool = False,
    run: str = "",
    on_progress: Callable[[Progress], None] | None = None,
) -> list[FetchOutcome]:
    """Account for days of datasets: fetch what they lack, send nothing for what they have.

    Args:
        workspace: The home.
        selection: Datasets to ask for; their sources' cooldowns run side by side.
        days: Partitions. Days that are no session, or not due yet, cost nothing.
        refresh: Ask again also for what was answered.
        run: Written into receipts.
        on_progress: Told whenever something happened.

    Returns:
        One outcome per dataset. A source that fails or makes us wait does not raise; its outcome says so.

    Raises:
        UserError: The universe cannot be read, or the sandbox of a dev home was never started.
    """
    asks = [_ask(workspace, source, dataset, days, refresh=refresh) for source, dataset in selection]
    manager = ApiManager(
        ledger=workspace.ledger,
        limits=workspace.limits,
        raw=workspace.raw,
        clock=workspace.clock,
        secret=workspace.settings.secret,
        patience_seconds=workspace.settings.patience_seconds,
        run=run,
    )
    return await manager.fetch(asks, on_progress=on_progress)


def items_of(workspace: Workspace, dataset: Dataset) -> list[dict[str, str]]:
    """The `for_each` values of a dataset: every combination; one empty mapping when it has none."""
    lists: Mapping[str, Sequence[str]] = {
        name: workspace.universe() if values == UNIVERSE else list(values) for name, values in dataset.for_each.items()
    }
    return [dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values())]


def _ask(workspace: Workspace, source: Source, dataset: Dataset, days: Sequence[date], *, refresh: bool) -> Ask:
    if workspace.lacks_sandbox(source):
        raise UserError(
            f"{source.name}: the sandbox was never started in the home {workspace.home.root}. Run `finpipe sandbox` "
            "there first, or see the README for live data (FINPIPE_PROFILE=prod)."
        )
    return Ask(
        source=source,
        dataset=dataset,
        calendar=workspace.calendar(dataset.cadence.calendar),
        items=items_of(workspace, dataset),
        sessions=list(days),
        refresh=refresh,
    )
