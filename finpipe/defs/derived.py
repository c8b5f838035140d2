"""Assets that are built from other tables: core, metrics, reports."""

# No `from __future__ import annotations`: Dagster reads the annotations of what it decorates, as types.
import asyncio
from collections.abc import Callable, Iterable

import dagster as dg

from finpipe.defs.failures import told_plainly
from finpipe.pipeline.derive import Built
from finpipe.pipeline.health import unusable_actions
from finpipe.pipeline.preview import as_markdown, preview
from finpipe.pipeline.workspace import Workspace

_SHOWN = 20  # rows of a table in a check's metadata


def build_derived(
    table: str,
    step: Callable[[Workspace], Built],
    partitions: dg.PartitionsDefinition[str],
    deps: Iterable[str],
    description: str,
) -> dg.AssetsDefinition:
    """Asset of a derived table: bring all of it up to date with its inputs, whichever partitions are run.

    Args:
        table: The table's name, `<layer>/<name>`: the asset's key, and its group.
        step: Brings the table up to date.
        partitions: What it is offered by.
        deps: Keys of what it is built from.
        description: For people.
    """

    @dg.asset(
        key=table.split("/"),
        group_name=table.partition("/")[0],
        deps=[key.split("/") for key in deps],
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        description=description,
        kinds={"polars", "deltalake"},
    )
    async def derived(workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult[None]:
        with told_plainly():
            return await asyncio.to_thread(_build, workspace, table, step)

    return derived


def build_usable_check() -> dg.AssetChecksDefinition:
    """Check `usable` of the corporate actions: an adjustment factor can be computed from each."""

    @dg.asset_check(  # type: ignore[arg-type] # its signature forgets that checks may be async, as assets are
        asset=["core", "corporate_actions"],
        name="usable",
        additional_deps=[["core", "bars_daily"]],
        description="From an action without a usable amount or ratio on, its instrument has no adjusted prices.",
    )
    async def usable(workspace: dg.ResourceParam[Workspace]) -> dg.AssetCheckResult:
        with told_plainly():
            unusable = await asyncio.to_thread(unusable_actions, workspace)
        return dg.AssetCheckResult(
            passed=unusable.is_empty(),
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"unusable": len(unusable), "actions": dg.MetadataValue.md(as_markdown(unusable.head(_SHOWN)))},
        )

    return usable


def _build(workspace: Workspace, table: str, step: Callable[[Workspace], Built]) -> dg.MaterializeResult[None]:
    built = step(workspace)
    return dg.MaterializeResult(
        metadata={**built.as_metadata(), "preview": dg.MetadataValue.md(preview(workspace, table))}
    )
