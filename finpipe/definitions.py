"""The one door Dagster enters by: every asset, check, job, schedule and sensor by name.

What belongs to one dataset comes from a loop over the source files.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date

import dagster as dg

from finpipe import logs
from finpipe.defs import launch
from finpipe.defs.automation import (
    build_freshness_schedule,
    build_parked_work,
    build_schedule,
    job_name,
    timetables,
)
from finpipe.defs.derived import build_derived, build_usable_check
from finpipe.defs.executor import choose_executor
from finpipe.defs.ingest import build_fresh_check, build_raw, build_staging, raw_key, staging_key
from finpipe.defs.launch import StepEvent
from finpipe.defs.partitions import Partitions
from finpipe.pipeline.core import build_core, build_instruments
from finpipe.pipeline.measure import measure
from finpipe.pipeline.report import build_report
from finpipe.pipeline.workspace import Workspace
from finpipe.reports import REPORTS
from finpipe.schemas import BARS, CORPORATE_ACTIONS, INSTRUMENTS, SHORT_VOLUME, STAGED, Table
from finpipe.settings import Settings

__all__ = ["StepEvent", "build_definitions", "defs", "run_jobs"]

_WEEKLY = dg.AssetSelection.assets("metrics/weekly")
_MONTHLY = dg.AssetSelection.assets("metrics/monthly")
_PRICES = ("core/bars_daily", "core/corporate_actions")


@dg.definitions
def defs() -> dg.Definitions:
    """What Dagster loads: the definitions of the home that the environment names."""
    workspace = Workspace.open(Settings.read())
    logs.configure(workspace.settings.log_level, workspace.redactor())
    return build_definitions(workspace)


def run_jobs(settings: Settings, first: date, last: date, on_event: Callable[[StepEvent], None]) -> bool:
    """Run the daily job from `first` to `last`, then the weekly and monthly jobs of the periods they lie in.

    In this process, and on the instance of the home, which the UI shows.

    Args:
        settings: Name the home.
        first: First daily partition.
        last: Last daily partition.
        on_event: Told when a step starts, is finished or has failed.

    Returns:
        Whether every step succeeded.
    """
    workspace = Workspace.open(settings)
    return launch.run_jobs(build_definitions(workspace), workspace, first, last, on_event)


def build_definitions(workspace: Workspace) -> dg.Definitions:
    """The definitions of a home."""
    with warnings.catch_warnings():
        # Ranges in one run rest on it; Dagster's version is pinned, and a test would see a change.
        warnings.filterwarnings("ignore", "Parameter `backfill_policy`", dg.BetaWarning)
        return _definitions(workspace)


def _definitions(workspace: Workspace) -> dg.Definitions:
    partitions = Partitions.of(workspace)
    datasets = workspace.catalogue.datasets()
    fresh = [build_fresh_check(source, dataset) for source, dataset in datasets]
    is_running = workspace.settings.schedules_running
    dataset_jobs = [
        dg.define_asset_job(
            job_name(source, dataset), dg.AssetSelection.assets(raw_key(source, dataset), staging_key(source, dataset))
        )
        for source, dataset in datasets
    ]
    return dg.Definitions(
        assets=[
            *(build_raw(source, dataset, partitions.daily) for source, dataset in datasets),
            *(build_staging(source, dataset, partitions.daily) for source, dataset in datasets),
            *_derived(workspace, partitions),
        ],
        asset_checks=[*fresh, build_usable_check()],
        jobs=[
            *dataset_jobs,
            dg.define_asset_job("daily", dg.AssetSelection.all() - _WEEKLY - _MONTHLY),
            dg.define_asset_job("weekly", _WEEKLY),
            dg.define_asset_job("monthly", _MONTHLY),
            dg.define_asset_job("freshness", dg.AssetSelection.checks(*fresh)),
        ],
        schedules=[
            *(build_schedule(timetable, is_running=is_running) for timetable in timetables(workspace, partitions)),
            build_freshness_schedule(is_running=is_running),
        ],
        sensors=[build_parked_work(dataset_jobs, partitions.daily, is_running=is_running)],
        resources={"workspace": workspace},
        executor=choose_executor(),
    )


def _derived(workspace: Workspace, partitions: Partitions) -> list[dg.AssetsDefinition]:
    daily, weekly, monthly = partitions.daily, partitions.weekly, partitions.monthly
    staged = {name: _feeding(workspace, name) for name in STAGED}
    every = sorted(set().union(*staged.values()))
    of_metrics = ("metrics/daily", *_PRICES)
    return [
        build_derived("core/instruments", build_instruments, daily, every, INSTRUMENTS.description),
        _core("core/bars_daily", BARS, daily, staged),
        _core("core/corporate_actions", CORPORATE_ACTIONS, daily, staged),
        _core("core/short_volume", SHORT_VOLUME, daily, staged),
        build_derived(
            "metrics/daily",
            lambda home: measure(home, "daily"),
            daily,
            (*_PRICES, "core/short_volume"),
            "Returns, averages, RSI, volatility, 52-week range and short volume of each instrument and session.",
        ),
        build_derived(
            "metrics/weekly", lambda home: measure(home, "weekly"), weekly, _PRICES, "Bars and returns of each week."
        ),
        build_derived(
            "metrics/monthly",
            lambda home: measure(home, "monthly"),
            monthly,
            _PRICES,
            "Bars and returns of each month.",
        ),
        _report("market_summary", daily, of_metrics),
        _report("movers", daily, of_metrics),
        _report("insights", daily, of_metrics),
        _report("data_health", daily, every),
    ]


def _core(
    key: str, table: Table, daily: dg.PartitionsDefinition[str], staged: Mapping[str, Sequence[str]]
) -> dg.AssetsDefinition:
    return build_derived(
        key,
        lambda home: build_core(home, table.name),
        daily,
        ["core/instruments", *staged[table.name]],
        f"{table.description} Of every source, every version, by instrument.",
    )


def _report(name: str, daily: dg.PartitionsDefinition[str], deps: Iterable[str]) -> dg.AssetsDefinition:
    return build_derived(
        f"reports/{name}", lambda home: build_report(home, name), daily, deps, REPORTS[name].description
    )


def _feeding(workspace: Workspace, table: str) -> list[str]:
    """Keys of the staging assets whose dataset feeds a canonical table."""
    return [
        staging_key(source, dataset).to_user_string()
        for source, dataset in workspace.catalogue.datasets()
        if any(mapping.table == table for mapping in dataset.response.tables)
    ]
