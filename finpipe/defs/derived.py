"""Assets that are built from other tables: core, metrics, reports."""

# No `from __future__ import annotations`: Dagster reads the annotations of what it decorates, as types.
import asyncio
from collections.abc import Callable, Iterable

import dagster as dg

from finpipe.defs.failures import told_plainly
from finpipe.pipeline.derive import Built
from finpipe.pipeline.preview import preview
from finpipe.pipeline.workspace import Workspace


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


def _build(workspace: Workspace, table: str, step: Callable[[Workspace], Built]) -> dg.MaterializeResult[None]:
    built = step(workspace)
    return dg.MaterializeResult(
        metadata={**built.as_metadata(), "preview": dg.MetadataValue.md(preview(workspace, table))}
    )
