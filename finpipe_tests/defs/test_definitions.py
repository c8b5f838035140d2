from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import dagster as dg
import pytest

from finpipe.definitions import build_definitions
from finpipe.defs.automation import timetables, virtual
from finpipe.defs.partitions import Partitions
from finpipe.pipeline.workspace import Workspace
from finpipe.sources.reading import Catalogue
from finpipe.sources.spec import Source

RAW = {"raw/alpha_vantage/daily_adjusted", "raw/finra_short_volume/daily"}
STAGING = {key.replace("raw", "staging", 1) for key in RAW}


@pytest.fixture
def definitions(workspace: Workspace) -> dg.Definitions:
    return build_definitions(workspace)


def parents(definitions: dg.Definitions) -> dict[str, set[str]]:
    graph = definitions.resolve_asset_graph()
    return {node.key.to_user_string(): {key.to_user_string() for key in node.parent_keys} for node in graph.asset_nodes}


def test_assets_are_built_from_what_feeds_them(definitions: dg.Definitions) -> None:
    prices = {"core/bars_daily", "core/corporate_actions"}
    assert parents(definitions) == {
        **{key: set() for key in RAW},
        **{key: {key.replace("staging", "raw", 1)} for key in STAGING},
        "core/instruments": STAGING,
        "core/bars_daily": {"core/instruments", "staging/alpha_vantage/daily_adjusted"},
        "core/corporate_actions": {"core/instruments", "staging/alpha_vantage/daily_adjusted"},
        "core/short_volume": {"core/instruments", "staging/finra_short_volume/daily"},
        "metrics/daily": {*prices, "core/short_volume"},
        "metrics/weekly": prices,
        "metrics/monthly": prices,
        "reports/market_summary": {*prices, "metrics/daily"},
        "reports/movers": {*prices, "metrics/daily"},
        "reports/insights": {*prices, "metrics/daily"},
        "reports/data_health": STAGING,
    }


def test_groups_are_the_layers_and_pools_the_sources(definitions: dg.Definitions) -> None:
    nodes = definitions.resolve_asset_graph().asset_nodes
    assert all(node.group_name == node.key.path[0] for node in nodes)
    assert all(node.pools == {node.key.path[1]} for node in nodes if node.key.path[0] == "raw")


def test_every_asset_runs_a_range_in_one_run_and_is_described(definitions: dg.Definitions) -> None:
    for node in definitions.resolve_asset_graph().asset_nodes:
        assert node.backfill_policy == dg.BackfillPolicy.single_run(), node.key
        assert node.description, node.key


def test_checks_of_each_dataset(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    checks = {(key.asset_key.to_user_string(), key.name): graph.get(key).blocking for key in graph.asset_check_keys}
    expected = {(key, "fetched"): False for key in RAW} | {(key, "accounted"): True for key in STAGING}
    assert checks == expected | {(key, name): False for key in STAGING for name in ("contract", "fresh")}


def test_jobs_hold_one_cadence_each(definitions: dg.Definitions) -> None:
    jobs = {job.name: job for job in definitions.resolve_all_job_defs() if not job.name.startswith("__")}
    held = {name: {key.to_user_string() for key in job.asset_layer.selected_asset_keys} for name, job in jobs.items()}
    every = set(parents(definitions))
    assert held == {
        "daily": every - {"metrics/weekly", "metrics/monthly"},
        "weekly": {"metrics/weekly"},
        "monthly": {"metrics/monthly"},
        "freshness": set(),
        "alpha_vantage__daily_adjusted": {"raw/alpha_vantage/daily_adjusted", "staging/alpha_vantage/daily_adjusted"},
        "finra_short_volume__daily": {"raw/finra_short_volume/daily", "staging/finra_short_volume/daily"},
    }


def test_schedules_start_switched_on_only_when_the_settings_say_so(workspace: Workspace) -> None:
    def running(opened: Workspace) -> set[bool]:
        repository = build_definitions(opened).get_repository_def()
        automations = [*repository.schedule_defs, *repository.sensor_defs]
        return {one.default_status.value == "RUNNING" for one in automations}

    assert running(workspace) == {False}
    assert running(replace(workspace, settings=replace(workspace.settings, schedules_running=True))) == {True}


def test_home_without_a_readable_source_still_loads(workspace: Workspace) -> None:
    definitions = build_definitions(replace(workspace, catalogue=Catalogue({}, (), {})))
    dg.Definitions.validate_loadable(definitions)


def ticks_of(schedule: dg.ScheduleDefinition, first: date, last: date) -> list[datetime]:
    """The instants Dagster itself would tick the schedule at."""
    start = datetime.combine(first, datetime.min.time(), UTC).timestamp()
    end = datetime.combine(last, datetime.min.time(), UTC).timestamp()
    ticks = []
    for tick in schedule.execution_time_iterator(start):
        if tick.timestamp() >= end:
            return ticks
        ticks.append(tick)
    return ticks


@pytest.mark.parametrize("available", ["T+0 18:00", "T+1 02:30"])
def test_a_year_of_ticks_asks_for_every_session_once(workspace: Workspace, available: str) -> None:
    """Across both clock changes, holidays and early closes; 02:30 is skipped once and comes twice once."""
    opened = with_availability(replace(workspace, sandbox=None), available)
    requested: dict[str, list[str]] = {}
    definitions = build_definitions(opened)
    first, last = date(2012, 1, 3), date(2013, 1, 10)
    for name in ("finra_short_volume__daily", "daily", "weekly", "monthly"):
        schedule = definitions.resolve_schedule_def(name)
        for tick in ticks_of(schedule, first, last):
            context = dg.build_schedule_context(scheduled_execution_time=tick, resources={"workspace": opened})
            data = schedule.evaluate_tick(context)
            assert data.run_requests or data.skip_message
            requested.setdefault(name, []).extend(request.run_key or "" for request in data.run_requests or ())
    sessions = [str(day) for day in opened.calendar("XNYS").sessions(date(2012, 1, 5), date(2013, 1, 4))]
    for name in ("finra_short_volume__daily", "daily"):
        keys = [key.removeprefix(f"{name}:") for key in requested[name]]
        assert [key for key in keys if sessions[0] <= key <= sessions[-1]] == sessions
    weeks = [key.removeprefix("weekly:") for key in requested["weekly"]]
    assert {date.fromisoformat(b) - date.fromisoformat(a) for a, b in pairwise(weeks)} == {timedelta(days=7)}
    assert len(weeks) in (52, 53)
    assert [key.removeprefix("monthly:") for key in requested["monthly"]][-12:] == [
        f"2012-{month:02d}-01" for month in range(1, 13)
    ]


def test_tick_speaks_of_the_sandbox_s_day_in_the_dev_profile(workspace: Workspace) -> None:
    assert workspace.sandbox is not None
    tick = datetime(2026, 11, 23, 23, 0, tzinfo=UTC)
    offset = (datetime(2013, 3, 1, 23, 0, tzinfo=UTC) - tick).total_seconds()
    opened = replace(workspace, sandbox=replace(workspace.sandbox, now_offset_seconds=offset))
    own = timetables(opened, Partitions.of(opened))[0]
    assert own.due_at(virtual(opened, tick), opened) == ["2013-03-01"]


def with_availability(workspace: Workspace, available: str) -> Workspace:
    def changed(source: Source) -> Source:
        content = source.model_dump(mode="python")
        for dataset in content["datasets"]:
            dataset["cadence"]["available"] = available
        return Source.model_validate(content)

    sources = {name: changed(source) for name, source in workspace.catalogue.sources.items()}
    return replace(workspace, catalogue=replace(workspace.catalogue, sources=sources))
