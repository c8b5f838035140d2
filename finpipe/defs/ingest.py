"""Assets of one dataset: `raw/<source>/<dataset>` and `staging/<source>/<dataset>`, with their checks."""

# No `from __future__ import annotations`: Dagster reads the annotations of what it decorates, as types.
import asyncio

import dagster as dg

from finpipe.defs.failures import told_plainly
from finpipe.defs.partitions import days_of
from finpipe.pipeline import health, names
from finpipe.pipeline.fetch import fetch_partitions
from finpipe.pipeline.preview import preview
from finpipe.pipeline.stage import stage_dataset
from finpipe.pipeline.workspace import Workspace
from finpipe.sources.spec import Dataset, Source


class FetchConfig(dg.Config):
    """Run configuration of a raw asset."""

    refresh: bool = False  # ask again also for what was answered


def raw_key(source: Source, dataset: Dataset) -> dg.AssetKey:
    """Key of what was received of a dataset."""
    return dg.AssetKey(["raw", source.name, dataset.name])


def staging_key(source: Source, dataset: Dataset) -> dg.AssetKey:
    """Key of a dataset's staged tables."""
    return dg.AssetKey(["staging", source.name, dataset.name])


def build_raw(source: Source, dataset: Dataset, daily: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """Asset `raw/<source>/<dataset>`: account for the run's partitions in the raw store.

    "Materialized" means that a run accounted for a session; what is still missing, the ledger knows and the check
    `fetched` says. A source that fails or makes us wait does not raise, so that what others feed goes on.
    """
    key = raw_key(source, dataset)

    @dg.asset(
        key=key,
        group_name="raw",
        pool=source.name,
        partitions_def=daily,
        backfill_policy=dg.BackfillPolicy.single_run(),
        description=f"{dataset.description} As received from {source.homepage}",
        check_specs=[dg.AssetCheckSpec("fetched", asset=key, description="Nothing asked for is open or given up.")],
        kinds={"http"},
    )
    async def raw(
        context: dg.AssetExecutionContext, config: FetchConfig, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult:  # type: ignore[type-arg] # Dagster wants the class itself
        days = days_of(context.partition_keys)
        with told_plainly():
            [outcome] = await fetch_partitions(
                workspace, [(source, dataset)], days, refresh=config.refresh, run=context.run.run_id
            )
            state = await asyncio.to_thread(health.fetched, workspace, source, dataset, days)
        check = dg.AssetCheckResult(check_name="fetched", passed=state.is_complete, metadata=state.as_metadata())
        return dg.MaterializeResult(metadata=outcome.as_metadata(), check_results=[check])

    return raw


def build_staging(source: Source, dataset: Dataset, daily: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """Asset `staging/<source>/<dataset>`: bring the dataset's staged tables up to date with raw."""
    key = staging_key(source, dataset)

    @dg.asset(
        key=key,
        group_name="staging",
        deps=[raw_key(source, dataset)],
        partitions_def=daily,
        backfill_policy=dg.BackfillPolicy.single_run(),
        description=f"{dataset.description} Checked, in canonical columns, every version.",
        check_specs=[
            dg.AssetCheckSpec("accounted", asset=key, blocking=True, description="Every record received is accounted."),
            dg.AssetCheckSpec("contract", asset=key, description="No record broke a rule of its table."),
        ],
        kinds={"polars", "deltalake"},
    )
    async def staging(workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:  # type: ignore[type-arg] # see raw
        with told_plainly():
            return await asyncio.to_thread(_stage, workspace, source, dataset)

    return staging


def build_fresh_check(source: Source, dataset: Dataset) -> dg.AssetChecksDefinition:
    """Check `fresh`: the newest session whose availability and grace have passed is there."""

    @dg.asset_check(  # type: ignore[arg-type] # its signature forgets that checks may be async, as assets are
        asset=staging_key(source, dataset),
        name="fresh",
        description=f"Due by {dataset.cadence.calendar}, {dataset.cadence.timezone}, and {dataset.cadence.grace} more.",
    )
    async def fresh(workspace: dg.ResourceParam[Workspace]) -> dg.AssetCheckResult:
        with told_plainly():
            state = await asyncio.to_thread(health.freshness, workspace, source, dataset)
        return dg.AssetCheckResult(passed=state.is_fresh, metadata=state.as_metadata())

    return fresh


def _stage(workspace: Workspace, source: Source, dataset: Dataset) -> dg.MaterializeResult[None]:
    outcome = stage_dataset(workspace, source, dataset)
    contract = health.contract(workspace, source, dataset)
    previews = {
        f"preview_{table}": dg.MetadataValue.md(preview(workspace, names.staged(source, dataset, table)))
        for table in sorted({mapping.table for mapping in dataset.response.tables})
    }
    return dg.MaterializeResult(
        metadata={**outcome.as_metadata(), **previews},
        check_results=[
            dg.AssetCheckResult(
                check_name="accounted",
                passed=health.is_accounted(workspace, source, dataset),
                metadata=outcome.as_metadata(),
            ),
            dg.AssetCheckResult(
                check_name="contract",
                passed=contract.quarantined == 0,
                severity=dg.AssetCheckSeverity.WARN,
                metadata=contract.as_metadata(),
            ),
        ],
    )
